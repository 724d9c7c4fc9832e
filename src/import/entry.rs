//! One variant as an entry of `targets`.

use super::scalar;
use crate::audit::Guess;
use crate::model::ids::VariantId;
use crate::model::scaling::{ScalingPolicy, TargetTracking};
use crate::model::snapshot::Snapshot;
use crate::model::units::{SafetyFactor, TARGET_VALUE_TOLERANCE, for_reading, formula, human};

/// What the file says of one variant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    id: VariantId,
    /// Whether the account and the region are named.
    several: bool,
    runs: String,
    /// The rate behind the target value in force; absent when there is none.
    pub(super) load_test: Option<String>,
    /// The instance type, where the configuration can name it.
    pub(super) instance_type: Option<String>,
    /// Min and max.
    pub(super) capacity: Option<(i32, i32)>,
    /// Seconds after a scale-out and after a scale-in.
    cooldown: Option<(i32, i32)>,
    disable_scale_in: bool,
    /// The latency objective, guessed.
    pub(super) guess: Option<Guess>,
    /// What is left out of it, and why.
    pub(super) notes: Vec<String>,
}

impl Entry {
    /// What AWS has.
    pub(super) fn of(snapshot: &Snapshot, several: bool, factor: SafetyFactor) -> Self {
        let endpoint = snapshot.endpoint.known().and_then(Option::as_ref);
        let variant = endpoint.and_then(|endpoint| endpoint.variant(&snapshot.id.variant));
        let config = snapshot.endpoint_config.known().and_then(Option::as_ref);
        let own = config.and_then(|config| config.variant(&snapshot.id.variant));
        let on = own.and_then(|own| own.instance_type.clone());
        let target = snapshot.target.known().and_then(Option::as_ref);
        let policies = snapshot.policies.known().map_or(&[][..], Vec::as_slice);
        let tracking = policies.iter().find_map(ScalingPolicy::invocations_tracking);
        let instances = variant.and_then(|variant| variant.current_instances);
        let mut runs = Vec::new();
        runs.extend(instances.map(|count| {
            let of = on.as_ref().map_or_else(String::new, |name| format!(" x {name}"));
            format!("{count}{of}")
        }));
        runs.extend(
            tracking.map(|tracking| format!("target value {}", human(tracking.target_value))),
        );
        Self {
            id: snapshot.id.clone(),
            several,
            runs: runs.join(", "),
            load_test: tracking.map(|tracking| rate(tracking, factor)),
            instance_type: on.filter(|name| is_instance_type(name)),
            capacity: target.map(|target| (target.min_capacity, target.max_capacity)),
            cooldown: tracking
                .map(|t| (t.scale_out_cooldown_seconds(), t.scale_in_cooldown_seconds())),
            disable_scale_in: tracking.is_some_and(TargetTracking::scale_in_disabled),
            guess: None,
            notes: Vec::new(),
        }
    }

    /// The comment above it.
    pub(super) fn headline(&self) -> String {
        let name = if self.several { self.id.to_string() } else { self.id.short() };
        let runs = if self.runs.is_empty() { String::new() } else { format!(": {}", self.runs) };
        scalar::comment(&format!("{name}{runs}"))
    }

    /// The lines of the entry, without indentation.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("- endpoint: {}", scalar::text(self.id.endpoint.as_str())),
            format!("  variant: {}", scalar::text(self.id.variant.as_str())),
        ];
        if self.several {
            lines.push(format!("  account_id: {}", scalar::quoted(self.id.account_id.as_str())));
            lines.push(format!("  region: {}", scalar::text(self.id.region.as_str())));
        }
        let on = self
            .instance_type
            .as_ref()
            .map(|name| format!("instance_type: {}", scalar::text(name)));
        match (&self.load_test, on) {
            (Some(rate), Some(on)) => lines.push(format!("  load_test: {{max_rps: {rate}, {on}}}")),
            (Some(rate), None) => lines.push(format!("  load_test: {{max_rps: {rate}}}")),
            // Where nothing says what it serves, a person must.
            (None, _) => {
                lines
                    .push("  load_test: {max_rps: 20}  # what one instance serves well".to_owned());
            }
        }
        if let Some(guess) = &self.guess {
            let ms = scalar::number(guess.threshold_ms, |ms| ms == guess.threshold_ms);
            lines.push(format!(
                "  objective: {{latency: {{statistic: {}, threshold_ms: {ms}}}}}  # a guess, twice its quiet {} ms, rounded up: put your own here",
                guess.statistic.as_str(),
                human(for_reading(guess.quiet_ms))
            ));
        }
        if let Some((min, max)) = self.capacity {
            lines.push(format!("  capacity: {{min: {min}, max: {max}}}"));
        } else if self.load_test.is_none() {
            lines.push("  capacity: {min: 2, max: 10}".to_owned());
        }
        if let Some((out, into)) = self.cooldown {
            lines.push(format!(
                "  cooldown: {{scale_out_seconds: {out}, scale_in_seconds: {into}}}"
            ));
        }
        if self.disable_scale_in {
            lines.push("  disable_scale_in: true".to_owned());
        }
        lines
    }
}

/// The rate of one instance that a target value claims, in requests per second: with the factor it
/// gives the same value again.
fn rate(tracking: &TargetTracking, factor: SafetyFactor) -> String {
    let target = tracking.target_value;
    let same =
        |rate: f64| (formula(rate, factor.get()) - target).abs() <= TARGET_VALUE_TOLERANCE / 2.0;
    scalar::number(target / factor.get() / 60.0, same)
}

/// `ml.FAMILY.SIZE`, as the configuration takes it.
fn is_instance_type(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let mut parts = name.split('.');
    parts.next() == Some("ml")
        && parts.next().is_some_and(part)
        && parts.next().is_some_and(part)
        && parts.next().is_none()
}
