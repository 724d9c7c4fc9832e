//! The cost of comparing choices, and of the safety factor by replay: 14 days of one variant.
//!
//! `cargo bench --bench whatif`

#![expect(clippy::print_stdout, reason = "a bench tells its figures")]

use std::hint::black_box;
use std::time::Instant;

use setpoint::model::reaction::ReactionTime;
use setpoint::whatif::draws::CapacityBelief;
use setpoint::whatif::factor::highest;
use setpoint::whatif::{Choice, Question, Tracking, Traffic, ask};

const DAYS: usize = 14;
const CHOICES: u32 = 50;

fn main() {
    let wave = |m: usize| 6000.0 + 4000.0 * (m as f32 / 229.0).sin();
    let burst = |m: usize| if m % 397 < 23 { 1.8 } else { 1.0 };
    let traffic = Traffic::new(0, (0..DAYS * 1440).map(|m| wave(m) * burst(m)).collect());
    let Some(capacity) = CapacityBelief::new(1000.0, 0.05) else { return };
    let reaction = ReactionTime::prior(None);
    let question = Question { traffic: &traffic, capacity, reaction, budget: 10.0, seed: 1 };
    let tracked = |i: u32| Choice::tracking(Tracking::at(300.0 + 12.0 * f64::from(i)), 1, 100);
    let choices: Vec<Choice> = (0..CHOICES).map(tracked).collect();
    let began = Instant::now();
    black_box(ask(&question, &choices));
    println!("{CHOICES} choices over {DAYS} days: {:.2?} (limit 1 s)", began.elapsed());
    let began = Instant::now();
    black_box(highest(&question, 1000.0, &tracked(20)));
    println!("the factor by replay: {:.2?}", began.elapsed());
}
