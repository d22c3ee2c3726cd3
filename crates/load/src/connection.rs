//! One connection slot: its socket, the requests on it, and the parser of its answers.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::mix::Choice;
use crate::order::Address;
use crate::response::{Parser, Sample};

/// Most bytes of a sampled body that are kept for the look at it.
const SAMPLE_LIMIT: usize = 1 << 20;

/// A socket of either family.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Begin to connect.
    pub fn connect(address: &Address) -> io::Result<Stream> {
        match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(*address)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Address::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
        }
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self {
            Stream::Tcp(stream) => stream.register(registry, token, interest),
            Stream::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    /// After an event on a connecting socket: Ok(true) connected, Ok(false) not yet, Err failed.
    pub fn is_connected(&self) -> io::Result<bool> {
        let (error, peer) = match self {
            Stream::Tcp(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
            Stream::Unix(stream) => (stream.take_error()?, stream.peer_addr().map(drop)),
        };
        match (error, peer) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(true),
            (None, Err(error)) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            (None, Err(error)) => Err(error),
        }
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(bytes),
            Stream::Unix(stream) => stream.write(bytes),
        }
    }
}

/// A request that was given to a connection.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub choice: Choice,
    pub intended: u64,
    pub started: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Closed,
    /// Waits before it connects again.
    Resting,
    Connecting,
    Open,
}

/// A place for a connection. Whatever happens to the connection, the place stays.
#[derive(Debug)]
pub struct Slot {
    pub stream: Option<Stream>,
    pub phase: Phase,
    /// Counts connections, so that late events of an earlier one are told apart.
    pub generation: u32,
    pub parser: Parser,
    pub sample: Sample,
    /// In the order of their answers.
    pub sent: VecDeque<Sent>,
    /// How many of `sent` are wholly written, and how much of the next one.
    pub written: usize,
    pub offset: usize,
    /// Bytes of the answer so far.
    pub received: u64,
    pub connecting_since: u64,
    /// Attempts to connect that failed in a row.
    pub failures: u32,
    pub idle: bool,
    /// Responses on this connection.
    pub answers: u64,
}

impl Slot {
    pub fn new(pipeline: usize) -> Slot {
        Slot {
            stream: None,
            phase: Phase::Closed,
            generation: 0,
            parser: Parser::default(),
            sample: Sample { limit: SAMPLE_LIMIT, ..Sample::default() },
            sent: VecDeque::with_capacity(pipeline),
            written: 0,
            offset: 0,
            received: 0,
            connecting_since: 0,
            failures: 0,
            idle: false,
            answers: 0,
        }
    }

    /// Close the socket; the requests on it stay for the caller to account for.
    pub fn close(&mut self) {
        self.stream = None;
        self.phase = Phase::Closed;
        self.generation = self.generation.wrapping_add(1);
        self.parser.reset();
        self.written = 0;
        self.offset = 0;
        self.received = 0;
        self.idle = false;
        self.answers = 0;
    }

    pub fn push(&mut self, sent: Sent) {
        if self.sent.is_empty() {
            self.sample.start(sent.choice.sampled);
        }
        self.sent.push_back(sent);
    }

    /// The oldest request is answered or given up.
    pub fn pop(&mut self) -> Option<Sent> {
        let sent = self.sent.pop_front()?;
        self.written = self.written.saturating_sub(1);
        self.received = 0;
        if let Some(next) = self.sent.front() {
            self.sample.start(next.choice.sampled);
        }
        Some(sent)
    }
}
