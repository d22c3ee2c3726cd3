//! Incremental parser of HTTP/1 responses: bytes in, as they come; framed responses out. No I/O, bounded memory.
//!
//! The head is parsed by `httparse`, once, when it is whole. A body is never kept, only counted, unless the caller asks
//! for a sample of it.

use crate::chunked::Chunked;

/// Longest head that is accepted, with all its header lines.
pub const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
/// An unfinished head is parsed again with every piece up to this length, so that an error in it is found at once.
const EAGER: usize = 1024;

/// Why the bytes are no HTTP/1 response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// No status line, or a header line that is none.
    Head,
    HeadTooLong,
    /// Content-Length is no number, or there are several that differ.
    Length,
    /// A chunk's size line, its end or the trailer is malformed.
    Chunk,
    /// A transfer coding in HTTP/1.0.
    Coding,
    /// The server switches to another protocol, which nobody asked for.
    Upgrade,
}

/// A response whose last byte has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Minor version: 0 or 1.
    pub version: u8,
    /// Body bytes, without the framing of chunks.
    pub body: u64,
    /// Whether the connection can take another request.
    pub keep_alive: bool,
}

/// How far the response had come when the connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing of a response had come.
    Before,
    /// In the head or the body: the response is cut off.
    Inside,
    /// The end of the connection was the end of the body.
    Complete(Response),
}

/// Where sampled body bytes go; keeps at most `limit` of them.
#[derive(Debug, Default)]
pub struct Sample {
    pub on: bool,
    pub bytes: Vec<u8>,
    pub limit: usize,
}

impl Sample {
    pub fn start(&mut self, on: bool) {
        self.on = on;
        self.bytes.clear();
    }

    fn take(&mut self, data: &[u8]) {
        if self.on {
            let room = self.limit - self.bytes.len().min(self.limit);
            self.bytes.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Head {
    status: u16,
    version: u8,
    keep_alive: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length(u64),
    Chunks(Chunked),
    UntilClose,
}

enum Framing {
    Interim,
    Empty,
    Length(u64),
    Chunks,
    UntilClose,
}

/// Parser of one connection. After an error it must not be fed again.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    head: Head,
    /// Bytes of a head that is not whole yet.
    pending: Vec<u8>,
    body: u64,
}

impl Parser {
    /// Take bytes up to the end of one response at most.
    ///
    /// Returns how many were taken, and the response if that was its last byte. All of `data` is taken where no response
    /// ended. `to_head` says that the request was a HEAD: its response has no body whatever it announces.
    pub fn feed(
        &mut self,
        data: &[u8],
        to_head: bool,
        sample: &mut Sample,
    ) -> Result<(usize, Option<Response>), ParseError> {
        let mut taken = 0;
        loop {
            let rest = &data[taken..];
            let (used, done) = match &mut self.state {
                State::Head => match self.feed_head(rest, to_head)? {
                    Some(step) => step,
                    None => return Ok((data.len(), None)),
                },
                State::Length(left) => {
                    let used = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= used as u64;
                    self.body += used as u64;
                    sample.take(&rest[..used]);
                    (used, *left == 0)
                }
                State::Chunks(chunks) => {
                    let (used, done) = chunks.feed(rest, |part| {
                        self.body += part.len() as u64;
                        sample.take(part);
                    })?;
                    (used, done)
                }
                State::UntilClose => {
                    self.body += rest.len() as u64;
                    sample.take(rest);
                    (rest.len(), false)
                }
            };
            taken += used;
            if done {
                return Ok((taken, Some(self.complete())));
            }
            if taken == data.len() {
                return Ok((taken, None));
            }
        }
    }

    /// The connection has ended.
    pub fn end(&mut self) -> Ended {
        match self.state {
            State::Head if self.pending.is_empty() => Ended::Before,
            State::UntilClose => Ended::Complete(self.complete()),
            _ => Ended::Inside,
        }
    }

    /// Whether bytes of a response have come whose end has not.
    pub fn inside(&self) -> bool {
        !matches!(self.state, State::Head) || !self.pending.is_empty()
    }

    /// Forget everything, for a new connection. Keeps the allocation.
    pub fn reset(&mut self) {
        self.state = State::Head;
        self.pending.clear();
        self.body = 0;
    }

    fn complete(&mut self) -> Response {
        let response = Response {
            status: self.head.status,
            version: self.head.version,
            body: self.body,
            keep_alive: self.head.keep_alive,
        };
        self.reset();
        response
    }

    /// (bytes taken of `data`, whether the response is complete), or None where the head goes on.
    fn feed_head(&mut self, data: &[u8], to_head: bool) -> Result<Option<(usize, bool)>, ParseError> {
        let before = self.pending.len();
        let parsed = if before == 0 {
            parse_head(data, to_head)?
        } else {
            self.pending.extend_from_slice(&data[..data.len().min(MAX_HEAD + 1 - before)]);
            // A long head that comes in small pieces is looked at line by line only: all of it is parsed anew each time.
            let new = &self.pending[before..];
            if before < EAGER || memchr::memchr(b'\n', new).is_some() {
                parse_head(&self.pending, to_head)?
            } else {
                None
            }
        };
        let Some((length, head, framing)) = parsed else {
            if before == 0 {
                self.pending.extend_from_slice(&data[..data.len().min(MAX_HEAD + 1)]);
            }
            return if self.pending.len() > MAX_HEAD { Err(ParseError::HeadTooLong) } else { Ok(None) };
        };
        if length > MAX_HEAD {
            return Err(ParseError::HeadTooLong);
        }
        self.pending.clear();
        self.head = head;
        self.state = match framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunks => State::Chunks(Chunked::default()),
            Framing::UntilClose => State::UntilClose,
            Framing::Interim | Framing::Empty => State::Head,
        };
        let done = matches!(framing, Framing::Empty | Framing::Length(0));
        Ok(Some((length - before, done)))
    }
}

type ParsedHead = (usize, Head, Framing);

fn parse_head(data: &[u8], to_head: bool) -> Result<Option<ParsedHead>, ParseError> {
    let mut headers = [const { std::mem::MaybeUninit::uninit() }; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut response, data, &mut headers) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ParseError::Head),
    };
    let status = response.code.ok_or(ParseError::Head)?;
    let version = response.version.ok_or(ParseError::Head)?;
    let fields = Fields::read(response.headers);
    let framing = match status {
        101 => return Err(ParseError::Upgrade),
        100..=199 => Framing::Interim,
        204 | 304 => Framing::Empty,
        _ if to_head => Framing::Empty,
        _ => match (fields.coding, fields.length) {
            // HTTP/1.0 knows no codings: what such a message means by one, nobody can tell.
            (Some(_), _) if version == 0 => return Err(ParseError::Coding),
            (Some(Coding::Chunked), _) => Framing::Chunks,
            (Some(Coding::Other), _) => Framing::UntilClose,
            (None, _) if fields.length_unusable => return Err(ParseError::Length),
            (None, Some(length)) => Framing::Length(length),
            (None, None) => Framing::UntilClose,
        },
    };
    let persistent = if version == 0 { fields.keep_alive } else { !fields.close };
    let keep_alive = persistent && !fields.close && !matches!(framing, Framing::UntilClose);
    Ok(Some((length, Head { status, version, keep_alive }, framing)))
}

enum Coding {
    Chunked,
    Other,
}

/// What the header lines say about the end of the body and of the connection.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    /// No number, or several that differ. Of no account where a coding rules.
    length_unusable: bool,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Fields {
        let mut fields = Fields::default();
        for header in headers {
            // The lengths of the three names tell them from almost every other header.
            match header.name.len() {
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    for word in words(header.value) {
                        fields.close |= word.eq_ignore_ascii_case(b"close");
                        fields.keep_alive |= word.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    for word in words(header.value) {
                        let length = number(word);
                        fields.length_unusable |=
                            length.is_none() || fields.length.is_some_and(|known| Some(known) != length);
                        fields.length = length;
                    }
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    let chunked = words(header.value).last().is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
                    fields.coding = Some(if chunked { Coding::Chunked } else { Coding::Other });
                }
                _ => {}
            }
        }
        fields
    }
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}
