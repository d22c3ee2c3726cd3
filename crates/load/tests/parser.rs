//! The parser of responses: every framing, every way to cut the bytes, and damage without end.

mod shared;

use profiler_load::response::{Ended, ParseError, Parser, Response, Sample, MAX_HEAD};
use proptest::prelude::*;
use shared::{damage, response, Random};

fn sample() -> Sample {
    Sample { on: true, bytes: Vec::new(), limit: 1 << 20 }
}

/// Everything that comes of these pieces: responses, then how it ended.
fn parse<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Response>, Result<Ended, ParseError>) {
    let mut parser = Parser::default();
    let mut found = Vec::new();
    for piece in pieces {
        let mut taken = 0;
        while taken < piece.len() {
            match parser.feed(&piece[taken..], false, &mut sample()) {
                Ok((0, None)) => panic!("no progress"),
                Ok((used, response)) => {
                    taken += used;
                    found.extend(response);
                }
                Err(error) => return (found, Err(error)),
            }
        }
    }
    let ended = parser.end();
    if let Ended::Complete(response) = ended {
        found.push(response);
    }
    (found, Ok(ended))
}

fn whole(bytes: &[u8]) -> (Vec<Response>, Result<Ended, ParseError>) {
    parse(std::iter::once(bytes))
}

fn error(text: &str) -> ParseError {
    whole(text.as_bytes()).1.expect_err(text)
}

fn first(text: &str) -> Response {
    let (found, ended) = whole(text.as_bytes());
    *found.first().unwrap_or_else(|| panic!("{text:?}: {ended:?}"))
}

#[test]
fn keep_alive_follows_version_and_header() {
    let with =
        |version, header| first(&format!("HTTP/{version} 200 OK\r\n{header}Content-Length: 0\r\n\r\n")).keep_alive;
    assert!(with("1.1", ""));
    assert!(!with("1.1", "Connection: close\r\n"));
    assert!(!with("1.1", "Connection: x, CLOSE\r\n"));
    assert!(!with("1.0", ""));
    assert!(with("1.0", "connection: keep-alive\r\n"));
    assert!(!first("HTTP/1.1 200 OK\r\n\r\nbody").keep_alive);
}

#[test]
fn lengths_that_are_none_are_refused() {
    for length in ["-1", "+5", "5x", "", "18446744073709551616", "5\r\nContent-Length: 6", "5, 6"] {
        assert_eq!(error(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello")), ParseError::Length);
    }
    assert_eq!(first("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello").body, 5);
    // With a coding the length is of no account.
    assert_eq!(
        first("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").body,
        1
    );
}

#[test]
fn chunks_that_are_none_are_refused() {
    for chunks in ["x\r\n", "1\r\nab\r\n", "-1\r\n", "fffffffffffffffff\r\n", "1\r\na\rx", "0\r\nno colon\r\n\r\n"] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(error(&text), ParseError::Chunk, "{chunks:?}");
    }
}

#[test]
fn interim_responses_are_passed_over_and_upgrades_refused() {
    let response = first("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!((response.status, response.body), (201, 2));
    assert_eq!(error("HTTP/1.1 101 Switching Protocols\r\n\r\n"), ParseError::Upgrade);
}

#[test]
fn a_response_to_head_has_no_body() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let (taken, response) = Parser::default().feed(bytes, true, &mut sample()).expect("a response");
    assert_eq!((taken, response.map(|response| response.body)), (bytes.len(), Some(0)));
}

#[test]
fn what_is_not_http_is_refused() {
    for text in [
        "\x15\x03\x01\x00\x02\x02\x46",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "{\"a\": 1}\r\n",
    ] {
        assert_eq!(error(text), ParseError::Head, "{text:?}");
    }
}

#[test]
fn an_endless_head_is_refused_and_not_kept() {
    let mut parser = Parser::default();
    let mut fed = parser.feed(b"HTTP/1.1 200 OK\r\nX: ", false, &mut sample()).map(drop);
    let mut bytes = 0;
    while fed.is_ok() && bytes < 2 * MAX_HEAD {
        fed = parser.feed(&[b'a'; 100], false, &mut sample()).map(drop);
        bytes += 100;
    }
    assert_eq!(fed, Err(ParseError::HeadTooLong));
    let mut long = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    long.resize(MAX_HEAD + 10, b'a');
    assert_eq!(whole(&long).1, Err(ParseError::HeadTooLong));
}

#[test]
fn a_gigabyte_is_counted_and_not_kept() {
    let mut parser = Parser::default();
    let mut kept = Sample { on: true, bytes: Vec::new(), limit: 1000 };
    let length = 1u64 << 30;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    assert_eq!(parser.feed(head.as_bytes(), false, &mut kept), Ok((head.len(), None)));
    let piece = vec![b'x'; 1 << 20];
    let mut done = None;
    for _ in 0..1024 {
        done = parser.feed(&piece, false, &mut kept).expect("body").1;
    }
    assert_eq!(done.map(|response| response.body), Some(length));
    assert!(kept.bytes.len() <= 1000 && kept.bytes.capacity() < 4096);
}

proptest! {
    /// Pipelined responses give the same whatever way their bytes are cut.
    #[test]
    fn cuts_make_no_difference(seed: u64, cuts in prop::collection::vec(1usize..400, 1..40)) {
        let mut random = Random::new(seed);
        let mut bytes = Vec::new();
        let mut lengths = Vec::new();
        for _ in 0..1 + random.below(4) {
            let (one, body, until_close) = response(&mut random);
            bytes.extend_from_slice(&one);
            lengths.push(body as u64);
            if until_close { break; }
        }
        let (found, ended) = whole(&bytes);
        prop_assert!(ended.is_ok() && ended != Ok(Ended::Inside));
        prop_assert_eq!(found.iter().map(|response| response.body).collect::<Vec<_>>(), lengths);
        let mut rest = bytes.as_slice();
        let pieces: Vec<&[u8]> = cuts.iter().cycle().map_while(|cut| {
            if rest.is_empty() { return None; }
            let (piece, others) = rest.split_at((*cut).min(rest.len()));
            rest = others;
            Some(piece)
        }).collect();
        prop_assert_eq!(parse(pieces.into_iter()), (found.clone(), ended));
        prop_assert_eq!(parse(bytes.chunks(1)), (found, ended));
    }

    /// The start of a response is never a whole one, unless the end of the connection ends it.
    #[test]
    fn a_cut_off_response_is_none(seed: u64, share in 0.0f64..1.0) {
        let (bytes, _, until_close) = response(&mut Random::new(seed));
        let cut = (bytes.len() as f64 * share) as usize;
        let (found, ended) = whole(&bytes[..cut]);
        if !until_close {
            prop_assert!(found.is_empty(), "{:?}", found);
            let between = cut == 0 || bytes[..cut].ends_with(b"\r\n\r\n");
            prop_assert!(ended == Ok(Ended::Inside) || (between && ended == Ok(Ended::Before)), "{:?}", ended);
        }
    }
}

/// Damaged responses, cut at random: no panic, no endless loop, and the same result as in one piece.
#[test]
fn damage_does_no_harm() {
    let count = std::env::var("PROFILER_FUZZ_COUNT").ok().and_then(|text| text.parse().ok()).unwrap_or(200_000u64);
    let mut outcomes = [0u64; 3];
    for seed in 0..count {
        let mut random = Random::new(seed);
        let mut bytes = response(&mut random).0;
        damage(&mut random, &mut bytes);
        let (found, ended) = whole(&bytes);
        outcomes[usize::from(ended.is_err()) + usize::from(found.is_empty())] += 1;
        let cut = 1 + random.below(64);
        assert_eq!(
            parse(bytes.chunks(cut)),
            (found, ended),
            "seed {seed}, cut {cut}: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    assert!(outcomes.iter().all(|outcome| *outcome > count / 100), "damage that damages nothing: {outcomes:?}");
}
