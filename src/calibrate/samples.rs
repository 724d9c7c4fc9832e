//! From single requests to steps: windows of ten seconds, joined while the rate stays the same.

use super::model::{Latency, Spacing, Step};

/// Length of a window: long enough that 20 requests a second give a 99th percentile.
const WINDOW_SECONDS: f64 = 10.0;
/// A test shorter than this many windows is cut into shorter ones.
const WINDOWS_MIN: f64 = 6.0;
/// Rates this close belong to one step, whatever the noise.
const SAME_RATE: f64 = 0.05;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// When it was sent, in seconds.
    pub(super) sent: f64,
    /// How long its answer took.
    pub(super) ms: f64,
    pub(super) good: bool,
}

/// The steps of a test, in order of time.
pub(super) fn steps(file: &str, samples: &mut [Sample]) -> Vec<Step> {
    samples.sort_by(|a, b| a.sent.total_cmp(&b.sent));
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    // The last request, too, stands for the time until the next one.
    let gap = (last.sent - first.sent) / (samples.len() - 1).max(1) as f64;
    let (start, total) = (first.sent, last.sent - first.sent + gap);
    let width = WINDOW_SECONDS.min((total / WINDOWS_MIN).max(1.0));
    let mut windows: Vec<&[Sample]> = Vec::new();
    let mut rest: &[Sample] = samples;
    let mut end = start + width;
    // A last window that is not full would show a rate that was never sent.
    while end <= start + total.max(width) + 1e-3 {
        let (window, after) = rest.split_at(rest.partition_point(|s| s.sent < end));
        windows.push(window);
        rest = after;
        end += width;
    }
    let counts: Vec<f64> = windows.iter().map(|w| w.len() as f64).collect();
    let noise = noise(&counts);
    let mut found = Vec::new();
    let mut from = 0;
    for i in 1..=windows.len() {
        let mean = counts[from..i].iter().sum::<f64>() / (i - from) as f64;
        let allowed = (SAME_RATE * mean).max(noise.min(2.5 * mean.sqrt()));
        if i == windows.len() || (counts[i] - mean).abs() > allowed {
            found.extend(step(file, &windows[from..i], from as f64 * width, width));
            from = i;
        }
    }
    found
}

/// How much neighbouring windows differ, three times over: most neighbours are of one step.
fn noise(counts: &[f64]) -> f64 {
    let mut differences: Vec<f64> = counts.windows(2).map(|p| (p[1] - p[0]).abs()).collect();
    differences.sort_by(f64::total_cmp);
    3.0 * differences.get(differences.len() / 2).copied().unwrap_or(0.0)
}

fn step(file: &str, windows: &[&[Sample]], from: f64, width: f64) -> Option<Step> {
    // The first window of a step is half the step before it, or warm-up.
    let skipped = usize::from(windows.len() >= 3);
    let windows = &windows[skipped..];
    let samples: Vec<Sample> = windows.iter().flat_map(|w| w.iter().copied()).collect();
    if samples.is_empty() {
        return None;
    }
    let seconds = windows.len() as f64 * width;
    let requests = samples.len() as f64;
    let good = samples.iter().filter(|s| s.good).count() as f64;
    Some(Step {
        file: file.to_owned(),
        from_seconds: Some(from + skipped as f64 * width),
        seconds: Some(seconds),
        offered_rps: Some(requests / seconds),
        good_rps: good / seconds,
        users: None,
        requests: Some(requests),
        error_share: Some(1.0 - good / requests),
        latency: latency(&samples),
    })
}

/// Statistics of all answers, good or not: an error that took long was waited for.
fn latency(samples: &[Sample]) -> Latency {
    let mut ms: Vec<f64> = samples.iter().map(|s| s.ms).collect();
    ms.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        let rank = (share * ms.len() as f64).ceil() as usize;
        ms.get(rank.clamp(1, ms.len()) - 1).copied()
    };
    Latency {
        avg: Some(ms.iter().sum::<f64>() / ms.len() as f64),
        p50: rank(0.5),
        p90: rank(0.9),
        p95: rank(0.95),
        p99: rank(0.99),
    }
}

/// How the requests were spaced, by the spread of the times between them. `samples` are sorted.
pub(super) fn spacing(samples: &[Sample]) -> Spacing {
    let whole = samples.iter().filter(|s| (s.sent + s.ms / 1e3).fract() == 0.0).count();
    if samples.len() < 100 || whole * 2 > samples.len() {
        // Times to the second say nothing of what happens within one.
        return Spacing::Unknown;
    }
    let mut spreads: Vec<f64> = samples.chunks_exact(50).map(spread).collect();
    spreads.sort_by(f64::total_cmp);
    match spreads[spreads.len() / 2] {
        even if even < 0.35 => Spacing::Even,
        random if (0.75..1.35).contains(&random) => Spacing::Random,
        _ => Spacing::Unknown,
    }
}

/// Standard deviation over mean of the gaps: 0 for a metronome, 1 for Poisson arrivals.
fn spread(chunk: &[Sample]) -> f64 {
    let gaps: Vec<f64> = chunk.windows(2).map(|p| p[1].sent - p[0].sent).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    if mean > 0.0 { variance.sqrt() / mean } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rate: f64, seconds: f64, from: f64) -> Vec<Sample> {
        let count = (rate * seconds) as usize;
        (0..count)
            .map(|i| Sample { sent: from + i as f64 / rate + 0.001, ms: rate, good: true })
            .collect()
    }

    #[test]
    fn a_stair_has_its_steps() {
        let mut samples: Vec<Sample> = [20.0, 24.0, 40.0]
            .iter()
            .zip([0.0, 60.0, 120.0])
            .flat_map(|(r, t)| at(*r, 60.0, t))
            .collect();
        let found = steps("x", &mut samples);
        let rates: Vec<i64> = found.iter().map(|s| s.good_rps.round() as i64).collect();
        assert_eq!(rates, [20, 24, 40]);
        assert_eq!(found[2].latency.p99, Some(40.0));
        assert_eq!(spacing(&samples), Spacing::Even);
    }

    #[test]
    fn a_ramp_has_many_steps() {
        let mut samples: Vec<Sample> =
            (1..=60).flat_map(|i| at(f64::from(i) * 3.0, 10.0, f64::from(i) * 10.0)).collect();
        assert!(steps("x", &mut samples).len() > 10);
    }

    #[test]
    fn nothing_is_no_step() {
        assert!(steps("x", &mut []).is_empty());
    }
}
