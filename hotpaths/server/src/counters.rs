//! Marks that a side really ran, in this process. Each is counted where the choice is made.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub static REQUESTS: Counter = Counter::new();
pub static TASKS: Counter = Counter::new();
pub static BODIES_COPIED: Counter = Counter::new();
pub static BODIES_BORROWED: Counter = Counter::new();
pub static REQUESTS_WITH_MAPS: Counter = Counter::new();
pub static REQUESTS_WITHOUT_MAPS: Counter = Counter::new();

/// All but the log's lines, which each worker's log counts itself.
pub fn read() -> BTreeMap<&'static str, u64> {
    BTreeMap::from([
        ("requests", REQUESTS.read()),
        ("tasks", TASKS.read()),
        ("bodies_copied", BODIES_COPIED.read()),
        ("bodies_borrowed", BODIES_BORROWED.read()),
        ("requests_with_maps", REQUESTS_WITH_MAPS.read()),
        ("requests_without_maps", REQUESTS_WITHOUT_MAPS.read()),
    ])
}
