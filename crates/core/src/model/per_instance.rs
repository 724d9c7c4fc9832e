//! What the instances of a variant showed one by one, where its endpoint config has enhanced metrics on.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::time::Timestamp;

/// The longest id that is taken for one; AWS does not say how long they are.
const ID_LEN_MAX: usize = 128;

/// The id of an instance, as the dimension `InstanceId` of its metrics has it. AWS does not document
/// what it looks like.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// Checks and wraps an id; absent for what cannot be shown in one word.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
        let is_id = (1..=ID_LEN_MAX).contains(&id.len()) && id.bytes().all(fine);
        is_id.then(|| Self(id.into()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The instances of a variant, compared with each other over one stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instances {
    /// When CloudWatch was asked.
    pub read_at: Timestamp,
    /// The stretch.
    pub from: Timestamp,
    pub to: Timestamp,
    /// The length of the periods that were compared, in seconds.
    pub period_seconds: u32,
    /// Instances that served in it, as they were last seen.
    pub instances: Vec<InstanceRow>,
    /// Instances that were listed and not read, because there are too many.
    pub not_read: usize,
    /// The requests of the busiest instance over those of the average one: the median over the periods. 1
    /// is even. Absent with fewer than two instances, or too few requests.
    pub uneven_routing: Option<f64>,
    /// The same as chance makes it where requests are spread at random.
    pub uneven_by_chance: Option<f64>,
    /// The instance that was most often the busiest.
    pub busiest: Option<BusiestInstance>,
    /// Instances that are slower than their siblings at equal load.
    pub slow: Vec<SlowInstance>,
    /// Why they cannot be compared, if they cannot.
    pub not_compared: Option<&'static str>,
    /// The share of the periods in which the busiest instance broke the objective and most of the others
    /// did not.
    pub hot_ratio: Option<f64>,
}

/// The instance that was most often the busiest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BusiestInstance {
    pub id: InstanceId,
    /// The share of the periods in which it was.
    pub ratio: f64,
}

impl BusiestInstance {
    /// Whether it was so in most of them, and not a different one each time.
    #[must_use]
    pub fn is_always(&self) -> bool {
        self.ratio >= 0.5
    }
}

/// One instance in that stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstanceRow {
    pub id: InstanceId,
    /// Periods in which it served.
    pub periods: usize,
    /// Those of them that broke the objective.
    pub broken: usize,
    /// Requests a minute, in the middle.
    pub invocations: f64,
    /// The median latency in milliseconds, in the middle; absent without enough requests.
    pub latency_p50_ms: Option<f64>,
}

/// An instance that is slower than its siblings at equal load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlowInstance {
    pub id: InstanceId,
    /// Its median latency over that of its siblings in the same minute, in the middle.
    pub factor: f64,
    /// Periods in which it was compared.
    pub compared: usize,
    /// Its own median latency and that of its siblings, in milliseconds, in the middle.
    pub latency_p50_ms: f64,
    pub siblings_p50_ms: f64,
    /// Since when it has been seen to be slow, by this process.
    pub since: Timestamp,
}

impl SlowInstance {
    /// "i-0a1b is slow: 1.9 times the median latency of its siblings at equal load".
    fn words(&self) -> String {
        format!(
            "instance {} is slow: {:.1} times the median latency of its siblings at equal load, since {}",
            self.id,
            self.factor,
            self.since.format("%FT%RZ"),
        )
    }

    /// By what it was found to be slow.
    #[must_use]
    pub fn evidence(&self, of: &Instances) -> String {
        format!(
            "{}: {} ms in the middle where its siblings at equal load took {}, compared in {} of {} {}",
            self.id,
            ms(self.latency_p50_ms),
            ms(self.siblings_p50_ms),
            self.compared,
            of.periods(),
            of.unit(),
        )
    }
}

/// Milliseconds as a person reads them.
fn ms(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") }
}

impl InstanceRow {
    /// "i-0a1b: 512 invocations per minute, 50 ms in the middle, 3 of 60 minutes broke the objective".
    #[must_use]
    pub fn words(&self, of: &Instances) -> String {
        let latency = self.latency_p50_ms.map_or_else(
            || "too few requests for a median".to_owned(),
            |p50| format!("{} ms in the middle", ms(p50)),
        );
        format!(
            "{}: {:.0} invocations per minute, {latency}; {} of {} {} broke the objective",
            self.id,
            self.invocations,
            self.broken,
            self.periods,
            of.unit(),
        )
    }
}

impl Instances {
    /// How many periods the stretch has.
    #[must_use]
    pub fn periods(&self) -> usize {
        let seconds = (self.to - self.from).num_seconds() / i64::from(self.period_seconds.max(1));
        usize::try_from(seconds).unwrap_or(0)
    }

    /// What one period is called.
    #[must_use]
    pub fn unit(&self) -> String {
        match self.period_seconds {
            60 => "minutes".to_owned(),
            seconds => format!("periods of {} minutes", seconds / 60),
        }
    }

    /// What there is to say of slow instances; absent when none is.
    #[must_use]
    pub fn slow_sentence(&self) -> Option<String> {
        let (first, others) = self.slow.split_first()?;
        let mut sentence = first.words();
        for other in others {
            sentence.push_str("; ");
            sentence.push_str(&other.words());
        }
        sentence.push_str(if others.is_empty() {
            "; the others are equally fast: this instance is the cause, not the model"
        } else {
            "; the others are equally fast: these instances are the cause, not the model"
        });
        Some(sentence)
    }

    /// How uneven the shares of the load are, in words; absent where that is not known.
    #[must_use]
    pub fn uneven_sentence(&self) -> Option<String> {
        let (index, chance) = self.uneven_routing.zip(self.uneven_by_chance)?;
        let by_chance = if index <= chance * 1.05 {
            "which is what chance makes of requests spread at random".to_owned()
        } else {
            format!("and chance alone would make it {chance:.2}")
        };
        let who = match &self.busiest {
            Some(busiest) if busiest.is_always() => {
                let (id, percent) = (&busiest.id, busiest.ratio * 100.0);
                format!("{id}, in {percent:.0} % of the {}", self.unit())
            }
            _ => "a different one from time to time".to_owned(),
        };
        Some(format!(
            "the busiest of {} instances gets {index:.2} times the load of the average one (it is {who}), {by_chance}",
            self.instances.len(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_in_one_word_is_no_id() {
        assert_eq!(InstanceId::new("i-0a1b").map(|id| id.to_string()).as_deref(), Some("i-0a1b"));
        for odd in ["", "i 1", "i-1\n", "<b>", &"x".repeat(ID_LEN_MAX + 1)] {
            assert_eq!(InstanceId::new(odd), None, "{odd:?}");
        }
    }
}
