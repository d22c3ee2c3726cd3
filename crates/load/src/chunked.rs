//! The chunked transfer coding, incrementally: size lines and trailer by `httparse`, data passed on, nothing kept.

use crate::response::ParseError;

/// Longest size line (with its extensions) and longest trailer that are accepted.
const MAX_LINE: usize = 16 * 1024;
const MAX_TRAILERS: usize = 64;
/// Up to this length an unfinished line is parsed again with every piece; a longer one when a line has ended.
const EAGER: usize = 1024;

#[derive(Debug, Default)]
enum State {
    #[default]
    Size,
    Data(u64),
    /// Position in the line end after a chunk's data.
    DataEnd(usize),
    Trailer,
}

/// Decoder of one body.
#[derive(Debug, Default)]
pub struct Chunked {
    state: State,
    /// Bytes of a size line or trailer that is not whole yet.
    pending: Vec<u8>,
}

impl Chunked {
    /// Take bytes up to the end of the body at most; `on_data` gets the content. Returns (bytes taken, body has ended).
    pub fn feed(&mut self, data: &[u8], mut on_data: impl FnMut(&[u8])) -> Result<(usize, bool), ParseError> {
        let mut taken = 0;
        while taken < data.len() {
            let rest = &data[taken..];
            match &mut self.state {
                State::Size => {
                    let Some((used, size)) = self.gather(rest, size_line)? else {
                        return Ok((data.len(), false));
                    };
                    taken += used;
                    self.state = if size == 0 { State::Trailer } else { State::Data(size) };
                }
                State::Data(left) => {
                    let used = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    on_data(&rest[..used]);
                    taken += used;
                    *left -= used as u64;
                    if *left == 0 {
                        self.state = State::DataEnd(0);
                    }
                }
                State::DataEnd(position) => {
                    if rest[0] != b"\r\n"[*position] {
                        return Err(ParseError::Chunk);
                    }
                    taken += 1;
                    self.state = if *position == 0 { State::DataEnd(1) } else { State::Size };
                }
                State::Trailer => {
                    let Some((used, ())) = self.gather(rest, trailer)? else {
                        return Ok((data.len(), false));
                    };
                    return Ok((taken + used, true));
                }
            }
        }
        Ok((taken, false))
    }

    /// Parse from what is pending plus `data`; None where it goes on, else (bytes taken of `data`, value).
    fn gather<T>(&mut self, data: &[u8], parse: fn(&[u8]) -> Parsed<T>) -> Result<Option<(usize, T)>, ParseError> {
        let before = self.pending.len();
        let parsed = if before == 0 {
            parse(data)?
        } else {
            self.pending.extend_from_slice(&data[..data.len().min(MAX_LINE + 1 - before)]);
            if before < EAGER || memchr::memchr(b'\n', &self.pending[before..]).is_some() {
                parse(&self.pending)?
            } else {
                None
            }
        };
        let Some((length, value)) = parsed else {
            if before == 0 {
                self.pending.extend_from_slice(&data[..data.len().min(MAX_LINE + 1)]);
            }
            return if self.pending.len() > MAX_LINE { Err(ParseError::Chunk) } else { Ok(None) };
        };
        self.pending.clear();
        // A whole line that ends before the pending part did cannot be: that part was parsed already.
        Ok(Some((length.checked_sub(before).ok_or(ParseError::Chunk)?, value)))
    }
}

type Parsed<T> = Result<Option<(usize, T)>, ParseError>;

fn size_line(data: &[u8]) -> Parsed<u64> {
    // The parser takes no digit at all for zero.
    if data.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
        return Err(ParseError::Chunk);
    }
    match httparse::parse_chunk_size(data) {
        Ok(httparse::Status::Complete((length, size))) => Ok(Some((length, size))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(ParseError::Chunk),
    }
}

fn trailer(data: &[u8]) -> Parsed<()> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    match httparse::parse_headers(data, &mut headers) {
        Ok(httparse::Status::Complete((length, _))) if ends_lines_whole(&data[..length]) => Ok(Some((length, ()))),
        Ok(httparse::Status::Partial) => Ok(None),
        _ => Err(ParseError::Chunk),
    }
}

/// No line feed without its carriage return: in a trailer it would move the end of the body.
fn ends_lines_whole(data: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', data).all(|at| at > 0 && data[at - 1] == b'\r')
}
