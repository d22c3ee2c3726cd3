//! A generator's whole life between two pipes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{fcntl_getfl, fcntl_setfl, OFlags};

use crate::engine;
use crate::order::Order;
use crate::report::{Event, Reporter};

/// An order holds every rendered request, so it may be long.
const LONGEST_ORDER: usize = 256 << 20;

/// Read an order from `input`, carry it out, report on `output`. Returns whether it was carried out.
pub fn serve(input: OwnedFd, output: OwnedFd) -> io::Result<bool> {
    let mut input = File::from(input);
    let output = File::from(output);
    let (order, rest) = match read_order(&mut input)? {
        Some(Ok(read)) => read,
        Some(Err(message)) => return fail(output, message),
        None => return Ok(false),
    };
    set_nonblocking(&input)?;
    set_nonblocking(&output)?;
    let copy = output.try_clone()?;
    match engine::run(order, input, rest, copy) {
        Ok(()) => Ok(true),
        Err(error) => fail(output, error.to_string()),
    }
}

fn fail(output: File, message: String) -> io::Result<bool> {
    Reporter::new(output).send(&Event::Fatal { message });
    Ok(false)
}

type ReadOrder = Result<(Order, Vec<u8>), String>;

/// The order and what came after it; None where the input ended first.
fn read_order(input: &mut File) -> io::Result<Option<ReadOrder>> {
    let mut taken = Vec::new();
    let mut chunk = vec![0; 1 << 16];
    let end = loop {
        let count = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            return Ok(None);
        }
        let before = taken.len();
        taken.extend_from_slice(&chunk[..count]);
        if let Some(position) = memchr::memchr(b'\n', &taken[before..]) {
            break before + position;
        }
        if taken.len() > LONGEST_ORDER {
            return Ok(Some(Err("the order is too long".to_owned())));
        }
    };
    let rest = taken.split_off(end + 1);
    let order = serde_json::from_slice::<Order>(&taken).map_err(|error| format!("not an order: {error}"));
    Ok(Some(order.and_then(|order| order.check().map(|()| (order, rest)))))
}

fn set_nonblocking(file: &File) -> io::Result<()> {
    let flags = fcntl_getfl(file.as_fd())?;
    fcntl_setfl(file.as_fd(), flags | OFlags::NONBLOCK)?;
    Ok(())
}
