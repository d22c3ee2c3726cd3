//! When the request rate is steady: the last slices of time against those before them.

/// Slices in each of the two halves that are compared.
const HALF: usize = 4;
/// Relative change of the rate from one half to the next that still counts as steady.
const TOLERANCE: f64 = 0.05;
/// A server that opens no connection for this long is not there.
const HOPELESS_NS: u64 = 1_000_000_000;

/// Watches the rate in equal slices of time.
#[derive(Debug)]
pub struct WarmUp {
    slice_ns: u64,
    next_ns: u64,
    start_ns: u64,
    shortest_ns: u64,
    limit_ns: u64,
    counts: Vec<u64>,
    seen: u64,
}

/// How a warm-up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmth {
    Steady,
    Never,
}

impl WarmUp {
    pub fn new(start_ns: u64, shortest_s: f64, limit_s: f64) -> WarmUp {
        let slice_ns = ((shortest_s / 8.0).clamp(0.02, 0.25) * 1e9) as u64;
        WarmUp {
            slice_ns,
            next_ns: start_ns + slice_ns,
            start_ns,
            shortest_ns: (shortest_s * 1e9) as u64,
            limit_ns: (limit_s.max(shortest_s) * 1e9) as u64,
            counts: Vec::new(),
            seen: 0,
        }
    }

    /// The next instant at which `update` has something to do.
    pub fn next_ns(&self) -> u64 {
        self.next_ns
    }

    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Take the numbers of requests completed and connections opened so far; says how the warm-up ended once it has.
    pub fn update(&mut self, now: u64, completed: u64, opened: u64) -> Option<Warmth> {
        if now < self.next_ns {
            return None;
        }
        // A slice that came late is spread over the slices it covers.
        let slices = 1 + (now - self.next_ns) / self.slice_ns;
        for _ in 0..slices.min(2 * HALF as u64) {
            self.counts.push((completed - self.seen) / slices);
        }
        self.seen = completed;
        self.next_ns += slices * self.slice_ns;
        let elapsed = now - self.start_ns;
        if elapsed >= self.shortest_ns && is_steady(&self.counts) {
            return Some(Warmth::Steady);
        }
        // Without a single connection there is nothing to wait for.
        let hopeless = opened == 0 && elapsed >= self.shortest_ns.max(HOPELESS_NS);
        (hopeless || elapsed >= self.limit_ns).then_some(Warmth::Never)
    }
}

/// The mean of the last slices is that of the slices before, within the tolerance or within their own scatter.
fn is_steady(counts: &[u64]) -> bool {
    if counts.len() < 2 * HALF {
        return false;
    }
    let (early, late) = counts[counts.len() - 2 * HALF..].split_at(HALF);
    let (before, after) = (mean(early), mean(late));
    if before == 0.0 || after == 0.0 {
        return false;
    }
    let scatter = ((variance(early, before) + variance(late, after)) / HALF as f64).sqrt();
    // Counts of rare events scatter by their square root, even where four of them happen to agree.
    let rare = ((before + after) / HALF as f64).sqrt();
    (after - before).abs() <= (TOLERANCE * before).max(2.0 * scatter).max(2.0 * rare)
}

fn mean(counts: &[u64]) -> f64 {
    counts.iter().sum::<u64>() as f64 / counts.len() as f64
}

fn variance(counts: &[u64], mean: f64) -> f64 {
    counts.iter().map(|count| (*count as f64 - mean).powi(2)).sum::<f64>() / (counts.len() - 1) as f64
}
