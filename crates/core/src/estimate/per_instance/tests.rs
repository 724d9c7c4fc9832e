//! Fleets that are quiet, fleets with one slow instance, and fleets that are slow together.

use super::*;
use crate::model::goal::LatencyObjective;

const LEN: usize = 60;

/// Draws that are the same in every run.
struct Draws(u64);

impl Draws {
    /// Evenly in (0, 1): the finaliser of `splitmix64`.
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON
    }

    /// A standard normal one.
    fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// What makes an instance of a test unlike the others.
#[derive(Clone, Copy)]
struct Kind {
    latency: f64,
    share: f64,
}

const PLAIN: Kind = Kind { latency: 1.0, share: 1.0 };

/// An hour of a fleet. All instances share what a minute is like, and each has noise of its own: that of
/// the median of so few requests, and a neighbour's now and then.
fn fleet(seed: u64, requests: f64, kinds: &[Kind]) -> Vec<InstanceColumns> {
    let mut draws = Draws(seed);
    let shared: Vec<f64> = (0..LEN).map(|_| (0.15 * draws.normal()).exp()).collect();
    let one = |(number, kind): (usize, &Kind)| {
        let mean = requests * kind.share;
        let counts: Vec<f64> =
            (0..LEN).map(|_| (mean + mean.sqrt() * draws.normal()).round().max(0.0)).collect();
        let p50 = counts.iter().zip(&shared).map(|(count, minute)| {
            let noise = 0.4 * 1.25 / count.max(1.0).sqrt();
            let hiccup = if draws.uniform() < 0.03 { 3.0 } else { 1.0 };
            50e3 * kind.latency * minute * hiccup * (noise * draws.normal()).exp()
        });
        let p50_us: Vec<f64> = p50.collect();
        InstanceColumns {
            id: InstanceId::new(&format!("i-{number}")).unwrap(),
            latency_us: p50_us.iter().map(|us| us * 3.0).collect(),
            errors: vec![0.0; LEN],
            requests: counts,
            p50_us,
        }
    };
    kinds.iter().enumerate().map(one).collect()
}

fn compared(columns: &[InstanceColumns], is_alike: bool) -> Instances {
    let objective = Objective {
        latency: Some(LatencyObjective { statistic: LatencyStatistic::P99, threshold_ms: 250.0 }),
        error_rate_max: 0.01,
    };
    let from = Timestamp::from_timestamp(1_700_000_040, 0).unwrap();
    compare_instances(&Compared {
        from,
        read_at: from + TimeDelta::minutes(63),
        period_seconds: 60,
        columns,
        objective: &objective,
        not_read: 0,
        is_alike,
    })
}

fn slow_ids(of: &Instances) -> Vec<&str> {
    of.slow.iter().map(|slow| slow.id.as_str()).collect()
}

/// Four hundred quiet fleets of 2 to 12 instances with 10 to 2,500 requests a minute each, some with
/// unequal shares: nobody is called slow.
#[test]
fn no_quiet_fleet_has_a_slow_instance() {
    let mut judged = 0;
    for seed in 0..400_u64 {
        let mut draws = Draws(seed ^ 0xABCD);
        let instances = 2 + (draws.uniform() * 11.0) as usize;
        let requests = 10.0 * (draws.uniform() * 5.5).exp();
        let kinds: Vec<Kind> = (0..instances)
            .map(|_| Kind {
                latency: (0.05 * draws.normal()).exp(),
                share: 0.8 + 0.4 * draws.uniform(),
            })
            .collect();
        let of = compared(&fleet(seed, requests, &kinds), true);
        judged += usize::from(of.not_compared.is_none());
        assert!(of.slow.is_empty(), "seed {seed}, {instances} with {requests}: {:?}", of.slow);
    }
    assert!(judged > 300, "{judged} fleets could be compared at all");
}

/// One instance of each fleet is slower by x1.6: it is found by name, and nobody else is.
#[test]
fn a_slow_instance_is_found_by_its_name() {
    let mut found = 0;
    for seed in 0..100_u64 {
        let mut draws = Draws(seed ^ 0x1234);
        let instances = 3 + (draws.uniform() * 8.0) as usize;
        let which = (draws.uniform() * instances as f64) as usize;
        let mut kinds = vec![PLAIN; instances];
        // With requests routed by what is under way it gets less of them.
        kinds[which] = Kind { latency: 1.6, share: if seed % 2 == 0 { 1.0 } else { 0.6 } };
        let of = compared(&fleet(seed, 200.0, &kinds), true);
        if let [slow] = of.slow.as_slice() {
            assert_eq!(slow.id.as_str(), format!("i-{which}"));
            assert!((1.45..1.75).contains(&slow.factor), "{slow:?}");
            found += 1;
        }
        assert!(of.slow.len() <= 1, "seed {seed}: {:?}", of.slow);
    }
    assert_eq!(found, 100);
}

/// All slow together is a slow model, and so are two of three.
#[test]
fn a_slow_model_is_no_slow_instance() {
    let slow = Kind { latency: 2.0, share: 1.0 };
    for kinds in [vec![slow; 5], vec![slow, slow, PLAIN]] {
        let of = compared(&fleet(7, 300.0, &kinds), true);
        assert!(of.slow.is_empty(), "{:?}", of.slow);
    }
}

/// The busiest instance is slower because it is busier: no sibling has as much to do.
#[test]
fn a_busy_instance_is_no_slow_one() {
    let busy = Kind { latency: 2.0, share: 2.0 };
    let of = compared(&fleet(3, 300.0, &[busy, PLAIN, PLAIN, PLAIN]), true);
    assert!(of.slow.is_empty(), "{:?}", of.slow);
    let index = of.uneven_routing.unwrap();
    // Twice as much as three others: 2 x 4 / 5.
    assert!((1.5..1.7).contains(&index), "{index}");
    assert_eq!(of.busiest.as_ref().map(|b| (b.id.as_str(), b.is_always())), Some(("i-0", true)));
    // At 300 ms where 250 is the most; the others are at 150.
    assert!(of.hot_ratio.unwrap() > 0.8, "{:?}", of.hot_ratio);
    let all = [busy, Kind { share: 1.0, ..busy }, Kind { share: 1.0, ..busy }];
    let of = compared(&fleet(3, 300.0, &all), true);
    assert!(of.hot_ratio.unwrap() < 0.1, "all of them break it: {:?}", of.hot_ratio);
}

/// A burst is no slow instance: twenty minutes of sixty.
#[test]
fn a_burst_is_no_slow_instance() {
    let mut columns = fleet(5, 300.0, &[PLAIN; 4]);
    for us in &mut columns[2].p50_us[10..35] {
        *us *= 4.0;
    }
    assert!(compared(&columns, true).slow.is_empty());
    for us in &mut columns[2].p50_us {
        *us *= 1.6;
    }
    assert_eq!(slow_ids(&compared(&columns, true)), ["i-2"]);
    // It has gone since.
    let gone = &mut columns[2];
    gone.requests[45..].fill(f64::NAN);
    gone.p50_us[45..].fill(f64::NAN);
    let of = compared(&columns, true);
    assert!(of.slow.is_empty());
    assert_eq!(of.instances[2].periods, 45);
}

#[test]
fn what_cannot_be_compared_says_why_and_even_shares_are_near_one() {
    let of = compared(&fleet(1, 300.0, &[PLAIN; 6]), true);
    let (index, chance) = (of.uneven_routing.unwrap(), of.uneven_by_chance.unwrap());
    assert!(index < 1.12 && (chance - index).abs() < 0.06, "{index} {chance}");
    assert!(of.uneven_sentence().unwrap().contains("chance makes"), "{:?}", of.uneven_sentence());
    let slow = Kind { latency: 3.0, share: 1.0 };
    let of = compared(&fleet(1, 300.0, &[slow, PLAIN, PLAIN]), false);
    assert!(of.slow.is_empty() && of.not_compared.unwrap().contains("prompt"));
    let of = compared(&fleet(1, 4.0, &[slow, PLAIN, PLAIN]), true);
    assert!(of.slow.is_empty() && of.not_compared.unwrap().contains("too few requests"));
    assert_eq!((of.uneven_routing, of.busiest), (None, None));
    let of = compared(&fleet(1, 300.0, &[PLAIN]), true);
    assert_eq!(of.not_compared, Some("fewer than two instances served"));
}
