//! The cheapest HTTP responder that generators can be measured against: one thread, one read and one write for each
//! request, nothing parsed but the end of the head. Not a server: a body would be taken for a request.
//!
//! Prints its port, serves on loopback, ends with its standard input.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world!";
const END: &[u8] = b"\r\n\r\n";
const INPUT: Token = Token(usize::MAX - 1);
const LISTENER: Token = Token(usize::MAX - 2);

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    let mut poll = Poll::new()?;
    let readable = Interest::READABLE;
    poll.registry().register(&mut SourceFd(&0), INPUT, readable)?;
    poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), LISTENER, readable)?;
    let mut connections: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                INPUT => return Ok(()),
                LISTENER => accept(&listener, &poll, &mut connections)?,
                Token(index) => {
                    if let Some(stream) = &mut connections[index] {
                        if !answer(stream) {
                            connections[index] = None;
                        }
                    }
                }
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, connections: &mut Vec<Option<TcpStream>>) -> io::Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let index = connections.iter().position(Option::is_none).unwrap_or(connections.len());
        poll.registry().register(&mut SourceFd(&stream.as_raw_fd()), Token(index), Interest::READABLE)?;
        if index == connections.len() {
            connections.push(None);
        }
        connections[index] = Some(stream);
    }
    Ok(())
}

/// Answer what has come; false where the connection is over. Requests are small and wait for their answer, so one read
/// has all of them, whole, and one write takes the answers: anything else ends the connection, which is then seen.
fn answer(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 16384];
    let count = match stream.read(&mut buffer) {
        Ok(0) => return false,
        Ok(count) => count,
        Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
    };
    if !buffer[..count].ends_with(END) {
        return false;
    }
    let requests = memchr::memmem::find_iter(&buffer[..count], END).count();
    if requests == 1 {
        return matches!(stream.write(ANSWER), Ok(written) if written == ANSWER.len());
    }
    stream.write_all(&ANSWER.repeat(requests)).is_ok()
}
