//! Requests on connections: issue, write, read, judge, account. Knows nothing of commands and timers.

mod opening;

use std::collections::VecDeque;
use std::io;

use mio::Registry;

use crate::clock::monotonic_ns;
use crate::connection::{Phase, Sent, Slot, Stream};
use crate::mix::{Choice, Mix};
use crate::order::{EndpointOrder, Order};
use crate::recorder::{Completed, Recorder};
use crate::report::ErrorClass;
use crate::response::{Ended, Response};

const READ_SIZE: usize = 64 * 1024;

/// An arrival of the open loop that waits for a connection.
#[derive(Debug, Clone, Copy)]
struct Queued {
    intended: u64,
    choice: Choice,
}

/// Facts about the connections that are told at the end.
#[derive(Debug, Default)]
pub struct Seen {
    pub connect_failures: u64,
    pub closed_idle: u64,
    pub surplus: u64,
    pub http_10: bool,
    pub http_11: bool,
    pub descriptor_limit: bool,
    pub address_limit: bool,
}

/// What an event says of a socket.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    pub readable: bool,
    pub writable: bool,
    /// The other side has closed, or an error waits: read to the end.
    pub ending: bool,
}

#[derive(Debug)]
pub struct Traffic {
    order: Order,
    registry: Registry,
    slots: Vec<Slot>,
    mix: Mix,
    pub recorder: Recorder,
    pub seen: Seen,
    buffer: Vec<u8>,
    idle: VecDeque<usize>,
    queue: VecDeque<Queued>,
    /// (instant, slot) of connections that rest after a failure.
    resting: Vec<(u64, usize)>,
    unopened: usize,
    connecting: usize,
    on_wire: u64,
    timeout_ns: u64,
    /// Nothing new is offered any more.
    pub stopping: bool,
    /// When the events being handled were taken from the kernel.
    pub polled_ns: u64,
}

impl Traffic {
    pub fn new(order: Order, registry: Registry) -> Traffic {
        Traffic {
            registry,
            slots: (0..order.connections).map(|_| Slot::new(order.pipeline)).collect(),
            mix: Mix::new(&order.endpoints, order.seed),
            recorder: Recorder::new(order.endpoints.len(), order.rate.is_some()),
            seen: Seen::default(),
            buffer: vec![0; READ_SIZE],
            idle: VecDeque::with_capacity(order.connections),
            queue: VecDeque::new(),
            resting: Vec::new(),
            unopened: 0,
            connecting: 0,
            on_wire: 0,
            timeout_ns: (order.timeout_s * 1e9) as u64,
            stopping: false,
            polled_ns: 0,
            order,
        }
    }

    /// Requests given to a connection or waiting for one, counted anew.
    pub fn in_flight(&self) -> u64 {
        self.slots.iter().map(|slot| slot.sent.len() as u64).sum::<u64>() + self.queue.len() as u64
    }

    /// An arrival of the open loop's schedule.
    pub fn arrive(&mut self, intended: u64, now: u64) {
        self.advance(now);
        let choice = self.mix.choose();
        self.recorder.offered(choice.endpoint as usize);
        self.recorder.lagged(now - intended);
        while let Some(index) = self.idle.pop_front() {
            if self.slots[index].idle {
                return self.issue(index, choice, intended, now);
            }
        }
        if self.queue.len() < self.order.queue_limit {
            self.queue.push_back(Queued { intended, choice });
        } else {
            self.recorder.failed(choice.endpoint as usize, ErrorClass::Unsent);
        }
    }

    /// Give up what has waited for too long.
    pub fn expire(&mut self, now: u64) {
        self.advance(now);
        while let Some(first) = self.queue.front().copied() {
            if now.saturating_sub(first.intended) < self.timeout_ns {
                break;
            }
            self.queue.pop_front();
            self.recorder.failed(first.choice.endpoint as usize, ErrorClass::Unsent);
        }
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            let since = match slot.phase {
                Phase::Connecting => slot.connecting_since,
                _ => slot.sent.front().map_or(u64::MAX, |sent| sent.started),
            };
            if now.saturating_sub(since) < self.timeout_ns {
                continue;
            }
            if slot.phase == Phase::Connecting {
                self.connect_failed(index, now, None);
            } else {
                self.break_off(index, ErrorClass::Timeout, now);
            }
        }
    }

    /// An event on a connection.
    pub fn ready(&mut self, index: usize, generation: u32, ready: Ready) {
        match self.slots.get(index) {
            Some(slot) if slot.generation == generation => {}
            _ => return,
        }
        if self.slots[index].phase == Phase::Connecting {
            if !ready.writable && !ready.ending {
                return;
            }
            match self.slots[index].stream.as_ref().map(Stream::is_connected) {
                Some(Ok(true)) => self.connected(index, monotonic_ns()),
                Some(Ok(false)) | None => return,
                Some(Err(error)) => return self.connect_failed(index, monotonic_ns(), Some(&error)),
            }
        }
        let generation = self.slots[index].generation;
        if ready.writable && self.slots[index].written < self.slots[index].sent.len() {
            self.write(index);
        }
        if (ready.readable || ready.ending) && self.slots[index].generation == generation {
            self.read(index, ready.ending);
        }
    }

    fn advance(&mut self, now: u64) {
        let (slots, queue) = (&self.slots, &self.queue);
        self.recorder
            .advance(now, || slots.iter().map(|slot| slot.sent.len() as u64).sum::<u64>() + queue.len() as u64);
    }

    /// The slot can take a request.
    fn free(&mut self, index: usize, now: u64) {
        if self.order.rate.is_none() {
            while !self.stopping
                && self.slots[index].sent.len() < self.order.pipeline
                && !matches!(self.slots[index].phase, Phase::Resting)
            {
                let choice = self.mix.choose();
                self.recorder.offered(choice.endpoint as usize);
                let generation = self.slots[index].generation;
                self.issue(index, choice, now, now);
                if self.slots[index].generation != generation || self.slots[index].phase != Phase::Open {
                    break;
                }
            }
        } else if let Some(next) = self.queue.pop_front() {
            self.issue(index, next.choice, next.intended, now);
        } else {
            self.slots[index].idle = true;
            self.idle.push_back(index);
        }
    }

    fn issue(&mut self, index: usize, choice: Choice, intended: u64, now: u64) {
        let slot = &mut self.slots[index];
        slot.idle = false;
        slot.push(Sent { choice, intended, started: now });
        self.on_wire += 1;
        self.recorder.set_depth(now, self.on_wire);
        match slot.phase {
            Phase::Open => self.write(index),
            Phase::Closed => self.connect(index, now),
            Phase::Connecting | Phase::Resting => {}
        }
    }

    fn write(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        while let Some(sent) = slot.sent.get(slot.written) {
            let endpoint: &EndpointOrder = &self.order.endpoints[sent.choice.endpoint as usize];
            let request = &endpoint.requests[sent.choice.request as usize];
            let Some(stream) = slot.stream.as_mut() else {
                return;
            };
            match stream.write(&request[slot.offset..]) {
                Ok(count) => slot.offset += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The end of the connection is an event of its own; before it, an early answer may be there to be read.
                Err(_) => return,
            }
            if slot.offset == request.len() {
                slot.written += 1;
                slot.offset = 0;
            }
        }
    }

    /// Read what has come. A read that does not fill the buffer has emptied the socket, unless it is `ending`.
    fn read(&mut self, index: usize, ending: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let generation = self.slots[index].generation;
        while let Some(stream) = self.slots[index].stream.as_mut() {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.ended(index, monotonic_ns());
                    break;
                }
                Ok(count) => {
                    let now = monotonic_ns();
                    self.advance(now);
                    self.take(index, &buffer[..count], now);
                    if self.slots[index].generation != generation || (count < buffer.len() && !ending) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.break_off(index, ErrorClass::Reset, monotonic_ns());
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    fn take(&mut self, index: usize, data: &[u8], now: u64) {
        let generation = self.slots[index].generation;
        let mut taken = 0;
        while taken < data.len() && self.slots[index].generation == generation {
            let slot = &mut self.slots[index];
            let Some(front) = slot.sent.front() else {
                self.seen.surplus += (data.len() - taken) as u64;
                return self.break_off(index, ErrorClass::Parse, now);
            };
            let to_head = self.order.endpoints[front.choice.endpoint as usize].head;
            match slot.parser.feed(&data[taken..], to_head, &mut slot.sample) {
                Ok((used, response)) => {
                    taken += used;
                    slot.received += used as u64;
                    if let Some(response) = response {
                        let surplus = slot.sent.len() == 1 && taken < data.len();
                        self.answered(index, response, surplus, now);
                    }
                }
                Err(_) => self.break_off(index, ErrorClass::Parse, now),
            }
        }
    }

    /// The other side has closed the connection.
    fn ended(&mut self, index: usize, now: u64) {
        self.advance(now);
        let slot = &mut self.slots[index];
        if slot.sent.is_empty() {
            self.seen.closed_idle += 1;
            return self.break_off(index, ErrorClass::Reset, now);
        }
        match slot.parser.end() {
            Ended::Complete(response) => self.answered(index, response, false, now),
            Ended::Before => self.break_off(index, ErrorClass::Reset, now),
            Ended::Inside => self.break_off(index, ErrorClass::Body, now),
        }
    }

    /// The oldest request of the connection has its answer.
    fn answered(&mut self, index: usize, response: Response, surplus: bool, now: u64) {
        let slot = &mut self.slots[index];
        // An answer before the end of its request: what is left of the request would be taken for the next one.
        let early = slot.written == 0;
        let bytes = slot.received;
        let fault = slot.sent.front().and_then(|sent| {
            let endpoint = &self.order.endpoints[sent.choice.endpoint as usize];
            let looked_at = slot.sample.on.then_some(slot.sample.bytes.as_slice());
            fault_of(endpoint, &response, surplus, looked_at)
        });
        let Some(sent) = slot.pop() else { return };
        let generation = slot.generation;
        slot.failures = 0;
        slot.answers += 1;
        match response.version {
            0 => self.seen.http_10 = true,
            _ => self.seen.http_11 = true,
        }
        self.on_wire -= 1;
        self.recorder.set_depth(now, self.on_wire);
        self.settle(&sent, fault, bytes, now);
        if self.order.rate.is_none() {
            self.recorder.lagged(now.saturating_sub(self.polled_ns));
        }
        if surplus || early || !response.keep_alive || !self.order.keep_alive {
            self.drop_connection(index, ErrorClass::Reset, now);
            self.reopen(index, now);
        } else if self.slots[index].generation == generation {
            self.free(index, now);
        }
    }

    fn settle(&mut self, sent: &Sent, fault: Option<ErrorClass>, bytes: u64, now: u64) {
        let endpoint = sent.choice.endpoint as usize;
        match fault {
            Some(class) => self.recorder.failed(endpoint, class),
            None => self
                .recorder
                .completed(now, Completed { endpoint, intended: sent.intended, started: sent.started, bytes }),
        }
    }

    /// The connection is of no use any more: the oldest request fails with `class`, the slot starts anew.
    fn break_off(&mut self, index: usize, class: ErrorClass, now: u64) {
        self.advance(now);
        // A connection that broke before it answered anything is a reason to wait before the next one.
        let fruitless = self.slots[index].answers == 0;
        self.drop_connection(index, class, now);
        if fruitless {
            self.rest(index, now);
        } else {
            self.reopen(index, now);
        }
    }
}

/// What is wrong with a whole response; None where it is as expected.
fn fault_of(
    endpoint: &EndpointOrder,
    response: &Response,
    surplus: bool,
    looked_at: Option<&[u8]>,
) -> Option<ErrorClass> {
    if response.status != endpoint.status {
        return Some(ErrorClass::Status);
    }
    if surplus || endpoint.length.is_some_and(|length| length != response.body) {
        return Some(ErrorClass::Body);
    }
    match looked_at {
        Some(body) if memchr::memmem::find(body, &endpoint.text).is_none() => Some(ErrorClass::Body),
        _ => None,
    }
}
