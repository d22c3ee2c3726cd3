//! What the generator tells: JSON lines on its output, and the types they are made of.

use std::fs::File;
use std::io::{self, Write};

use serde::Serialize;

/// Why a request has no good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The connection could not be opened.
    Connect,
    /// The connection ended before the response began, or was reset.
    Reset,
    /// No whole response in time.
    Timeout,
    /// Another status than the expected one.
    Status,
    /// Cut off, longer than announced, of another length than expected, or without the expected text.
    Body,
    /// Not HTTP.
    Parse,
    /// The open loop's queue was full, or the arrival waited in it for longer than a response may take.
    Unsent,
}

pub const ERROR_CLASSES: usize = 7;

/// Counts by class, in the order of `ErrorClass`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    pub connect: u64,
    pub reset: u64,
    pub timeout: u64,
    pub status: u64,
    pub body: u64,
    pub parse: u64,
    pub unsent: u64,
}

impl Errors {
    pub fn add(&mut self, class: ErrorClass) {
        let count = match class {
            ErrorClass::Connect => &mut self.connect,
            ErrorClass::Reset => &mut self.reset,
            ErrorClass::Timeout => &mut self.timeout,
            ErrorClass::Status => &mut self.status,
            ErrorClass::Body => &mut self.body,
            ErrorClass::Parse => &mut self.parse,
            ErrorClass::Unsent => &mut self.unsent,
        };
        *count += 1;
    }

    pub fn total(&self) -> u64 {
        let counts: [u64; ERROR_CLASSES] =
            [self.connect, self.reset, self.timeout, self.status, self.body, self.parse, self.unsent];
        counts.iter().sum()
    }
}

#[derive(Debug, Serialize)]
pub struct EndpointReport {
    pub offered: u64,
    pub requests: u64,
    pub bytes: u64,
    pub errors: Errors,
    /// HDR histogram (V2, deflate, base64) of nanoseconds from the actual start.
    pub uncorrected: String,
    /// The same from the intended start; only where there is a schedule.
    pub corrected: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct BlockReport {
    pub start_ns: u64,
    pub end_ns: u64,
    /// CPU time of the generator inside the block.
    pub cpu_ns: u64,
    /// Time the generator was ready to run and had no CPU.
    pub wait_ns: u64,
    /// Requests in flight or queued at the end of the block.
    pub in_flight: u64,
    /// Requests on the wire, averaged over the block's time.
    pub depth: f64,
    pub opened: u64,
    /// HDR histogram of the generator's own delay: behind the schedule, or between a response and its handling.
    pub lag: String,
    pub endpoints: Vec<EndpointReport>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    Tick { phase: &'static str, rps: f64, errors: u64, p99_ms: Option<f64> },
    Warm { steady: bool, seconds: f64, requests: u64, errors: Errors },
    Window { index: u64, late_ns: u64, blocks: Vec<BlockReport> },
    Done(Box<Summary>),
    Fatal { message: String },
}

/// The account of the whole life of a generator.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub offered: u64,
    pub completed: u64,
    pub errors: Errors,
    /// Counted at the end from the connections and the queue, not derived from the other three.
    pub in_flight: u64,
    pub opened: u64,
    pub connect_failures: u64,
    /// Connections that the server closed while they were idle.
    pub closed_idle: u64,
    /// Bytes that came when nothing had been asked.
    pub surplus: u64,
    pub http: Vec<&'static str>,
    pub cpu_ns: u64,
    pub descriptor_limit: bool,
    pub address_limit: bool,
    pub reason: &'static str,
}

/// Lines out, without ever waiting for the reader while load is offered.
#[derive(Debug)]
pub struct Reporter {
    output: File,
    buffer: Vec<u8>,
}

impl Reporter {
    /// `output` must be in non-blocking mode.
    pub fn new(output: File) -> Reporter {
        Reporter { output, buffer: Vec::with_capacity(1 << 16) }
    }

    /// Queue a line. A tick is dropped where earlier lines still wait.
    pub fn send(&mut self, event: &Event) {
        if matches!(event, Event::Tick { .. }) && !self.buffer.is_empty() {
            self.flush();
            return;
        }
        if serde_json::to_writer(&mut self.buffer, event).is_ok() {
            self.buffer.push(b'\n');
        }
        self.flush();
    }

    /// Write what the pipe takes now. A reader that has gone is noticed on the input's side.
    pub fn flush(&mut self) {
        let mut written = 0;
        while written < self.buffer.len() {
            match self.output.write(&self.buffer[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    written = self.buffer.len();
                }
            }
        }
        self.buffer.drain(..written);
    }

    /// Nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }
}
