//! Shared by the parser's tests: responses as they come from servers, and what damage does to them.
#![allow(dead_code)]

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

pub struct Random(Pcg64Mcg);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(Pcg64Mcg::seed_from_u64(seed))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A valid response: its bytes, the length of its body, and whether the end of the connection ends it.
pub fn response(random: &mut Random) -> (Vec<u8>, usize, bool) {
    let status =
        *random.pick(&["200 OK", "201 Created", "404 Not Found", "500 X", "302 ", "999 Odd", "204 N", "304 N"]);
    let version = *random.pick(&["1.1", "1.1", "1.1", "1.0"]);
    let bodyless = status.starts_with("204") || status.starts_with("304");
    let mut bytes = Vec::new();
    if random.below(8) == 0 {
        bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n");
    }
    bytes.extend_from_slice(format!("HTTP/{version} {status}\r\n").as_bytes());
    for _ in 0..random.below(4) {
        let line = format!("X-Header-{}: some value {}\r\n", random.below(99), random.below(99999));
        bytes.extend_from_slice(line.as_bytes());
    }
    if random.below(4) == 0 {
        bytes.extend_from_slice(random.pick(&["Connection: close\r\n", "connection: Keep-Alive\r\n"]).as_bytes());
    }
    if bodyless {
        bytes.extend_from_slice(b"\r\n");
        return (bytes, 0, false);
    }
    let length = *random.pick(&[0, 1, 2, 27, 300, 5000]);
    let content: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
    // HTTP/1.0 knows no chunks.
    let framing = if version == "1.0" { 2 * random.below(2) } else { random.below(3) };
    match framing {
        0 => {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", content.len()).as_bytes());
            bytes.extend_from_slice(&content);
        }
        1 => chunks(random, &content, &mut bytes),
        _ => {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&content);
        }
    }
    (bytes, content.len(), framing == 2)
}

fn chunks(random: &mut Random, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    let mut rest = content;
    while !rest.is_empty() {
        let (part, others) = rest.split_at(1 + random.below(rest.len()));
        let extension = random.pick(&["", "", ";a=b", "  "]);
        bytes.extend_from_slice(format!("{:x}{extension}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
        rest = others;
    }
    bytes.extend_from_slice(random.pick(&["0\r\n\r\n", "0\r\nX-Sum: 1\r\n\r\n"]).as_bytes());
}

/// Pieces that matter to a parser.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"HTTP/1.1 ",
    b"ffff",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"transfer-encoding: chunked\r\n",
    b"0\r\n\r\n",
    b"HTTP/1.1 100 C\r\n\r\n",
    b"\xff",
    b"fffffffffffffffff\r\n",
];

/// Change, remove, repeat or insert some bytes.
pub fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        // The head is where damage does most: half of it goes there.
        let reach = if random.below(2) == 0 { bytes.len().min(120) } else { bytes.len() };
        let at = random.below(reach);
        match random.below(5) {
            0 => bytes[at] = random.below(256) as u8,
            1 => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => {
                let piece = random.pick(PIECES);
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let end = at + 1 + random.below((bytes.len() - at).min(40));
                let repeated = bytes[at..end].to_vec();
                bytes.splice(at..at, repeated);
            }
        }
    }
}
