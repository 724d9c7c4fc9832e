//! Random numbers that are the same on every platform: a PCG generator and `libm`, never the
//! platform's mathematics.

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Poisson, StandardNormal};
use rand_pcg::Pcg64Mcg;
use setpoint_core::model::stable_hash::fnv1a;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub struct Random(Pcg64Mcg);

impl Random {
    /// A stream of its own for each name under a seed, so that adding a variant changes no other.
    pub fn named(seed: u64, name: &str) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed ^ fnv1a(name.bytes())))
    }

    /// A standard normal deviate.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// A count with this mean. Above 500 the normal approximation is indistinguishable here.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean.is_nan() || mean <= 0.0 {
            return 0.0;
        }
        if mean > 500.0 {
            return libm::round(mean + libm::sqrt(mean) * self.normal()).max(0.0);
        }
        Poisson::new(mean).map_or(0.0, |p| p.sample(&mut self.0))
    }

    /// 128 bits as a UUID (version 4).
    pub fn uuid(&mut self) -> String {
        let (a, b): (u64, u64) = (self.0.random(), self.0.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_other_names_differ_and_of_one_name_do_not() {
        let draw = |name| Random::named(7, name).uuid();
        assert_eq!(draw("a"), draw("a"));
        assert_ne!(draw("a"), draw("b"));
    }
}
