//! Connections: opening them, resting after failures, dropping them with what was on them.

use std::io;

use mio::Token;

use super::Traffic;
use crate::connection::{Phase, Stream};
use crate::report::ErrorClass;

/// Connections that are being opened at once: more would overflow a server's backlog and wait for a retransmission.
const OPENING: usize = 64;
const FIRST_REST_NS: u64 = 10_000_000;
const LONGEST_REST_NS: u64 = 1_000_000_000;
const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();
const ENFILE: i32 = rustix::io::Errno::NFILE.raw_os_error();
const EADDRNOTAVAIL: i32 = rustix::io::Errno::ADDRNOTAVAIL.raw_os_error();

impl Traffic {
    /// Open what may be opened now: connections at the start, and those that have rested.
    pub fn open_more(&mut self, now: u64) {
        let mut due = 0;
        while due < self.resting.len() {
            if self.resting[due].0 <= now {
                let (_, index) = self.resting.swap_remove(due);
                self.slots[index].phase = Phase::Closed;
                self.reopen(index, now);
            } else {
                due += 1;
            }
        }
        while self.unopened < self.slots.len() && self.connecting < OPENING && !self.stopping {
            self.unopened += 1;
            self.reopen(self.unopened - 1, now);
        }
    }

    /// The next instant at which `open_more` has something to do.
    pub fn next_opening(&self) -> u64 {
        self.resting.iter().map(|(instant, _)| *instant).min().unwrap_or(u64::MAX)
    }

    /// A closed slot is to be used again: connect, or with a connection for each request, take a request.
    pub(super) fn reopen(&mut self, index: usize, now: u64) {
        if self.order.keep_alive {
            if !self.stopping || !self.queue.is_empty() {
                self.connect(index, now);
            }
        } else {
            self.free(index, now);
        }
    }

    pub(super) fn connect(&mut self, index: usize, now: u64) {
        let slot = &mut self.slots[index];
        let token = Token(index | (slot.generation as usize) << 32);
        let stream = Stream::connect(&self.order.address).and_then(|mut stream| {
            stream.register(&self.registry, token)?;
            Ok(stream)
        });
        slot.connecting_since = now;
        slot.phase = Phase::Connecting;
        self.connecting += 1;
        match stream {
            Ok(stream) => slot.stream = Some(stream),
            Err(error) => self.connect_failed(index, now, Some(&error)),
        }
    }

    pub(super) fn connected(&mut self, index: usize, now: u64) {
        self.advance(now);
        self.connecting -= 1;
        self.recorder.connected();
        let slot = &mut self.slots[index];
        slot.phase = Phase::Open;
        if slot.sent.is_empty() {
            self.free(index, now);
        } else {
            self.write(index);
        }
    }

    /// The request that waited for this connection fails with it; in a closed loop, so does the one that would have
    /// been sent first, for without it a server that refuses would leave no trace in the count of errors.
    pub(super) fn connect_failed(&mut self, index: usize, now: u64, error: Option<&io::Error>) {
        self.advance(now);
        self.connecting -= 1;
        self.seen.connect_failures += 1;
        match error.and_then(io::Error::raw_os_error) {
            Some(number) if number == EMFILE || number == ENFILE => self.seen.descriptor_limit = true,
            Some(EADDRNOTAVAIL) => self.seen.address_limit = true,
            _ => {}
        }
        let waiting = !self.slots[index].sent.is_empty();
        self.drop_connection(index, ErrorClass::Connect, now);
        if !waiting && self.order.rate.is_none() && !self.stopping {
            let choice = self.mix.choose();
            self.recorder.offered(choice.endpoint as usize);
            self.recorder.failed(choice.endpoint as usize, ErrorClass::Connect);
        } else if !waiting {
            if let Some(first) = self.queue.pop_front() {
                self.recorder.failed(first.choice.endpoint as usize, ErrorClass::Connect);
            }
        }
        self.rest(index, now);
    }

    /// Wait before the next attempt, longer after each failure.
    pub(super) fn rest(&mut self, index: usize, now: u64) {
        let slot = &mut self.slots[index];
        let pause = (FIRST_REST_NS << slot.failures.min(8)).min(LONGEST_REST_NS);
        slot.failures += 1;
        slot.phase = Phase::Resting;
        self.resting.push((now + pause, index));
    }

    /// Close the connection. The oldest request on it fails with `class`, those behind it with a reset.
    pub(super) fn drop_connection(&mut self, index: usize, class: ErrorClass, now: u64) {
        let slot = &mut self.slots[index];
        let mut class = class;
        while let Some(sent) = slot.pop() {
            self.on_wire -= 1;
            self.recorder.failed(sent.choice.endpoint as usize, class);
            if class != ErrorClass::Connect {
                class = ErrorClass::Reset;
            }
        }
        slot.close();
        self.recorder.set_depth(now, self.on_wire);
    }
}
