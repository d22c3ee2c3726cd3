//! The account: what was offered and what became of it, over the whole life and in each block of a window.

use std::collections::VecDeque;

use crate::clock::{thread_cpu_ns, thread_wait_ns};
use crate::latency::Latency;
use crate::order::WindowOrder;
use crate::report::{BlockReport, EndpointReport, ErrorClass, Errors, Event};

/// A request that was answered as expected.
#[derive(Debug, Clone, Copy)]
pub struct Completed {
    pub endpoint: usize,
    pub intended: u64,
    pub started: u64,
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct EndpointTally {
    offered: u64,
    requests: u64,
    bytes: u64,
    errors: Errors,
    uncorrected: Latency,
    corrected: Latency,
}

#[derive(Debug, Default)]
struct Own {
    cpu_ns: u64,
    wait_ns: u64,
}

impl Own {
    fn read() -> Own {
        Own { cpu_ns: thread_cpu_ns(), wait_ns: thread_wait_ns() }
    }
}

#[derive(Debug)]
struct OpenWindow {
    order: WindowOrder,
    late_ns: u64,
    block: usize,
    own: Own,
    done: Vec<BlockReport>,
}

/// Counts events at their instants. Instants given to it never go backwards.
#[derive(Debug)]
pub struct Recorder {
    scheduled: bool,
    endpoints: Vec<EndpointTally>,
    lag: Latency,
    opened: u64,
    /// Nanoseconds × requests on the wire, in this block.
    depth_area: f64,
    depth: u64,
    depth_since: u64,
    waiting: VecDeque<(WindowOrder, u64)>,
    window: Option<OpenWindow>,
    finished: VecDeque<Event>,
    next_edge: u64,
    /// Since the last tick.
    recent: Latency,
    pub total_offered: u64,
    pub total_completed: u64,
    pub total_errors: Errors,
    pub total_opened: u64,
}

impl Recorder {
    /// `scheduled`: requests have an intended start of their own.
    pub fn new(endpoints: usize, scheduled: bool) -> Recorder {
        Recorder {
            scheduled,
            endpoints: (0..endpoints).map(|_| EndpointTally::default()).collect(),
            lag: Latency::default(),
            opened: 0,
            depth_area: 0.0,
            depth: 0,
            depth_since: 0,
            waiting: VecDeque::new(),
            window: None,
            finished: VecDeque::new(),
            next_edge: u64::MAX,
            recent: Latency::default(),
            total_offered: 0,
            total_completed: 0,
            total_errors: Errors::default(),
            total_opened: 0,
        }
    }

    pub fn announce(&mut self, order: WindowOrder, now: u64) {
        let late_ns = now.saturating_sub(order.start_ns);
        self.waiting.push_back((order, late_ns));
        self.plan();
    }

    /// The next instant at which a block begins or ends; `u64::MAX` where none is planned.
    pub fn next_edge(&self) -> u64 {
        self.next_edge
    }

    /// Close the blocks that have ended by `now`. Must be called before anything that happened at `now` is counted.
    #[inline]
    pub fn advance(&mut self, now: u64, in_flight: impl Fn() -> u64) {
        while now >= self.next_edge {
            self.cut(in_flight());
        }
    }

    pub fn offered(&mut self, endpoint: usize) {
        self.total_offered += 1;
        self.endpoints[endpoint].offered += 1;
    }

    #[inline]
    pub fn completed(&mut self, now: u64, done: Completed) {
        self.total_completed += 1;
        let service = now - done.started;
        self.recent.record(service);
        if self.window.is_some() {
            let tally = &mut self.endpoints[done.endpoint];
            tally.requests += 1;
            tally.bytes += done.bytes;
            tally.uncorrected.record(service);
            if self.scheduled {
                tally.corrected.record(now - done.intended);
            }
        }
    }

    pub fn failed(&mut self, endpoint: usize, class: ErrorClass) {
        self.total_errors.add(class);
        self.endpoints[endpoint].errors.add(class);
    }

    pub fn connected(&mut self) {
        self.total_opened += 1;
        self.opened += 1;
    }

    /// The generator's own delay.
    #[inline]
    pub fn lagged(&mut self, nanoseconds: u64) {
        if self.window.is_some() {
            self.lag.record(nanoseconds);
        }
    }

    /// The number of requests on the wire changes at `now`.
    #[inline]
    pub fn set_depth(&mut self, now: u64, depth: u64) {
        self.depth_area += self.depth as f64 * now.saturating_sub(self.depth_since) as f64;
        self.depth_since = self.depth_since.max(now);
        self.depth = depth;
    }

    /// p99 in milliseconds since the last call; None where nothing was completed.
    pub fn take_recent_p99_ms(&mut self) -> Option<f64> {
        let value = (!self.recent.is_empty()).then(|| self.recent.quantile_ns(0.99) as f64 / 1e6);
        self.recent.reset();
        value
    }

    /// A window is being measured.
    pub fn in_window(&self) -> bool {
        self.window.is_some()
    }

    /// Windows that are over and not yet told.
    pub fn take_finished(&mut self) -> Option<Event> {
        self.finished.pop_front()
    }

    /// The next edge of the open window, else the start of the first waiting one.
    fn plan(&mut self) {
        self.next_edge = match (&self.window, self.waiting.front()) {
            (Some(open), _) => open.order.start_ns + open.order.block_ns * (open.block as u64 + 1),
            (None, Some((order, _))) => order.start_ns,
            (None, None) => u64::MAX,
        };
    }

    /// At `next_edge`: begin the waiting window, or end the current block.
    fn cut(&mut self, in_flight: u64) {
        let edge = self.next_edge;
        self.set_depth(edge, self.depth);
        let own = Own::read();
        match &mut self.window {
            None => {
                if let Some((order, late_ns)) = self.waiting.pop_front() {
                    let done = Vec::with_capacity(order.blocks);
                    self.window = Some(OpenWindow { order, late_ns, block: 0, own, done });
                }
            }
            Some(window) => {
                let report = BlockReport {
                    start_ns: edge - window.order.block_ns,
                    end_ns: edge,
                    cpu_ns: own.cpu_ns - window.own.cpu_ns,
                    wait_ns: own.wait_ns.saturating_sub(window.own.wait_ns),
                    in_flight,
                    depth: self.depth_area / window.order.block_ns as f64,
                    opened: self.opened,
                    lag: self.lag.encode(),
                    endpoints: self.endpoints.iter().map(|tally| tally.report(self.scheduled)).collect(),
                };
                window.own = own;
                window.done.push(report);
                window.block += 1;
            }
        }
        self.clear_block();
        if let Some(window) = self.window.take_if(|window| window.block >= window.order.blocks) {
            self.finished.push_back(Event::Window {
                index: window.order.index,
                late_ns: window.late_ns,
                blocks: window.done,
            });
        }
        self.plan();
    }

    fn clear_block(&mut self) {
        for tally in &mut self.endpoints {
            tally.clear();
        }
        self.lag.reset();
        self.opened = 0;
        self.depth_area = 0.0;
    }
}

impl EndpointTally {
    fn report(&self, scheduled: bool) -> EndpointReport {
        EndpointReport {
            offered: self.offered,
            requests: self.requests,
            bytes: self.bytes,
            errors: self.errors,
            uncorrected: self.uncorrected.encode(),
            corrected: scheduled.then(|| self.corrected.encode()),
        }
    }

    fn clear(&mut self) {
        self.offered = 0;
        self.requests = 0;
        self.bytes = 0;
        self.errors = Errors::default();
        self.uncorrected.reset();
        self.corrected.reset();
    }
}
