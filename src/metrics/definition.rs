//! What a metric family is, written down once: registration, encoding and `docs/metrics.md` all
//! follow from it.

use std::fmt::Write as _;

use prometheus::core::Desc;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts,
};

/// The labels that name a variant, in the order they are written.
pub const VARIANT_LABELS: [&str; 4] = ["account_id", "region", "endpoint", "variant"];

/// The labels that name an account and region, in the order they are written.
pub const SCOPE_LABELS: [&str; 2] = ["account_id", "region"];

/// The type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up while the process lives.
    Counter,
    /// Observations in buckets.
    Histogram,
}

impl Kind {
    /// The word of the Prometheus text format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// A label beyond those that name a variant, with its closed set in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub name: &'static str,
    /// What values it takes; generated where the set lives in the model.
    pub values: Values,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Exactly these.
    Closed(&'static [&'static str]),
    /// [`crate::model::reason::Reason`].
    Reasons,
    /// [`crate::model::reason::ActionKind`].
    Actions,
    /// [`crate::model::reason::Field`].
    Fields,
    /// [`crate::model::estimate::Verdict`].
    Verdicts,
    /// [`crate::model::estimate::Finding`].
    Findings,
    /// [`crate::model::evidence::NotResumed`].
    NotResumed,
    /// [`crate::model::safety::Safety`].
    Safeties,
    /// [`crate::model::safety::Unproven`].
    Unproven,
    /// [`crate::model::goal::Mode`].
    Modes,
    /// [`crate::model::units::LatencyStatistic`].
    LatencyStatistics,
    /// [`crate::model::scaling::AlarmState`].
    AlarmStates,
    /// In words, where the set is AWS's or the installation's.
    Described(&'static str),
}

/// Which part of the process a family speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One variant: has [`VARIANT_LABELS`] before its own labels, and goes away with the variant.
    Variant,
    /// One account and region: has [`SCOPE_LABELS`] before its own labels.
    AccountAndRegion,
    Process,
}

/// One metric family.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name. A name once shipped is not changed.
    pub name: &'static str,
    /// The type.
    pub kind: Kind,
    /// The unit, for people.
    pub unit: &'static str,
    /// What it belongs to.
    pub scope: Scope,
    /// The labels beyond those of its scope.
    pub labels: &'static [Label],
    /// One sentence.
    pub help: &'static str,
}

impl Definition {
    /// All label names, in the order they are written.
    pub fn label_names(&self) -> Vec<&'static str> {
        let own = self.labels.iter().map(|label| label.name);
        match self.scope {
            Scope::Variant => VARIANT_LABELS.into_iter().chain(own).collect(),
            Scope::AccountAndRegion => SCOPE_LABELS.into_iter().chain(own).collect(),
            Scope::Process => own.collect(),
        }
    }

    /// The descriptor that a collector announces.
    ///
    /// # Errors
    /// When a name is not one that Prometheus takes.
    pub fn desc(&self) -> prometheus::Result<Desc> {
        let labels = self.label_names().into_iter().map(str::to_owned).collect();
        Desc::new(
            self.name.to_owned(),
            self.help.to_owned(),
            labels,
            std::collections::HashMap::new(),
        )
    }

    /// A family with these series, as a collector hands it out.
    pub fn family(&self, series: Vec<Metric>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Gauge => MetricType::GAUGE,
            Kind::Counter => MetricType::COUNTER,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(series);
        family
    }

    /// What stands before the series of the family in the text format.
    pub(super) fn write_head(&self, text: &mut String) {
        let help = self.help.replace('\\', "\\\\").replace('\n', "\\n");
        let (name, kind) = (self.name, self.kind.as_str());
        // Writing to a text cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    pub(super) fn gauge_vec(&self) -> prometheus::Result<GaugeVec> {
        GaugeVec::new(self.opts(), &self.label_names())
    }

    pub(super) fn int_gauge_vec(&self) -> prometheus::Result<IntGaugeVec> {
        IntGaugeVec::new(self.opts(), &self.label_names())
    }

    pub(super) fn int_counter_vec(&self) -> prometheus::Result<IntCounterVec> {
        IntCounterVec::new(self.opts(), &self.label_names())
    }

    pub(super) fn counter_vec(&self) -> prometheus::Result<CounterVec> {
        CounterVec::new(self.opts(), &self.label_names())
    }

    pub(super) fn histogram_vec(&self, buckets: &[f64]) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::from(self.opts()).buckets(buckets.to_vec());
        HistogramVec::new(opts, &self.label_names())
    }
}

/// Writes families as constants, and the list of them all.
macro_rules! definitions {
    ($list:ident, $scope:expr; $($(#[$doc:meta])* $const_name:ident = $kind:ident $name:literal [$unit:literal] {$($label:ident: $values:expr),*} $help:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`; its help says the rest.")]
            pub const $const_name: $crate::metrics::definition::Definition =
                $crate::metrics::definition::Definition {
                    name: $name,
                    kind: $crate::metrics::definition::Kind::$kind,
                    unit: $unit,
                    scope: $scope,
                    labels: &[$($crate::metrics::definition::Label {
                        name: stringify!($label),
                        values: $values,
                    }),*],
                    help: $help,
                };
        )+

        /// All families of this file, in the order of `docs/metrics.md`.
        pub const $list: &[&$crate::metrics::definition::Definition] = &[$(&$const_name),+];
    };
}
pub(crate) use definitions;
