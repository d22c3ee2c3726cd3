//! Schedules and warm-ups: what depends on time, without a clock.

use profiler_load::order::Arrivals;
use profiler_load::schedule::Schedule;
use profiler_load::warmup::{WarmUp, Warmth};

const SECOND: u64 = 1_000_000_000;

fn starts(rate: f64, arrivals: Arrivals, seed: u64, count: usize) -> Vec<u64> {
    let mut schedule = Schedule::new(SECOND, rate, arrivals, seed);
    (0..count)
        .map(|_| {
            let next = schedule.next_ns();
            schedule.advance();
            next
        })
        .collect()
}

#[test]
fn constant_arrivals_do_not_drift() {
    let starts = starts(3.0, Arrivals::Constant, 1, 3_000_001);
    assert_eq!(starts[0], SECOND);
    assert_eq!(starts[3_000_000], SECOND + 1_000_000 * SECOND);
}

#[test]
fn poisson_arrivals_pass_a_test_of_fit() {
    for seed in 0..5 {
        let rate = 10_000.0;
        let starts = starts(rate, Arrivals::Poisson, seed, 200_001);
        let mut gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * rate / 1e9).collect();
        gaps.sort_by(f64::total_cmp);
        let count = gaps.len() as f64;
        // Kolmogorov and Smirnov's distance to the exponential distribution, against its 0.1 % point.
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(rank, gap)| {
                let expected = 1.0 - (-gap).exp();
                (expected - rank as f64 / count).abs().max((expected - (rank as f64 + 1.0) / count).abs())
            })
            .fold(0.0, f64::max);
        assert!(distance < 1.95 / count.sqrt(), "seed {seed}: {distance}");
    }
    assert_eq!(starts(9.0, Arrivals::Poisson, 4, 100), starts(9.0, Arrivals::Poisson, 4, 100));
    assert_ne!(starts(9.0, Arrivals::Poisson, 4, 100), starts(9.0, Arrivals::Poisson, 5, 100));
}

/// How a warm-up of 2 s (10 s at the most) ends, given the requests completed by each second, and after how long.
fn warm(completed: impl Fn(f64) -> u64, opened: u64) -> (Warmth, f64) {
    let mut warm_up = WarmUp::new(SECOND, 2.0, 10.0);
    loop {
        let now = warm_up.next_ns();
        let elapsed = (now - SECOND) as f64 / 1e9;
        assert!(elapsed < 20.0, "it never ends");
        if let Some(warmth) = warm_up.update(now, completed(elapsed), opened) {
            return (warmth, elapsed);
        }
    }
}

#[test]
fn a_warm_up_ends_when_the_rate_is_steady() {
    assert_eq!(warm(|t| (10_000.0 * t) as u64, 1), (Warmth::Steady, 2.0));
    // A rate that climbs for five seconds.
    let (warmth, seconds) = warm(|t| (1_000.0 * (t.min(5.0).powi(2) + 10.0 * (t - 5.0).max(0.0))) as u64, 1);
    assert_eq!(warmth, Warmth::Steady);
    assert!(seconds > 4.0, "{seconds}");
}

#[test]
fn a_warm_up_says_that_it_was_never_steady() {
    assert_eq!(warm(|t| (1_000.0 * t.exp_m1()) as u64, 1), (Warmth::Never, 10.0));
    assert_eq!(warm(|_| 0, 1), (Warmth::Never, 10.0));
    // Nobody there.
    assert_eq!(warm(|_| 0, 0), (Warmth::Never, 2.0));
}
