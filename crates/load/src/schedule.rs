//! When requests are to be sent in an open loop: a schedule from the start, never from the previous request.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::order::Arrivals;

/// Intended start times in nanoseconds, in order, without end.
#[derive(Debug)]
pub struct Schedule {
    start_ns: u64,
    gap_ns: f64,
    arrivals: Arrivals,
    count: u64,
    offset_ns: f64,
    random: Pcg64Mcg,
}

impl Schedule {
    /// `rate` in requests per second; the same seed gives the same schedule.
    pub fn new(start_ns: u64, rate: f64, arrivals: Arrivals, seed: u64) -> Schedule {
        let mut schedule = Schedule {
            start_ns,
            gap_ns: 1e9 / rate,
            arrivals,
            count: 0,
            offset_ns: 0.0,
            random: Pcg64Mcg::seed_from_u64(seed),
        };
        if arrivals == Arrivals::Poisson {
            schedule.advance();
        }
        schedule
    }

    /// The next intended start; does not move on.
    pub fn next_ns(&self) -> u64 {
        self.start_ns + self.offset_ns as u64
    }

    pub fn advance(&mut self) {
        self.count += 1;
        match self.arrivals {
            // From the count, so that the rate does not drift by rounding.
            Arrivals::Constant => self.offset_ns = self.count as f64 * self.gap_ns,
            Arrivals::Poisson => self.offset_ns += self.gap_ns * exponential(&mut self.random),
        }
    }
}

/// An exponentially distributed number with mean 1.
fn exponential(random: &mut Pcg64Mcg) -> f64 {
    // 53 random bits in (0, 1]: the logarithm is finite.
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln()
}
