//! What the recorder waits for: commands, and samples that should not wait.
//!
//! Each wake-up runs on a CPU of the load's and delays answers and requests under way, so that the server pays for it
//! too: 50 a second cost it 1.7 % of its CPU per request, more than the sampling itself. So the kernel side tells when
//! there is something that can't wait, and everything else is read once a second.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// Samples are taken out of the ring at least this often. Its 32 MB hold some seconds of them, and tell when they fill.
const LAZY: Duration = Duration::from_secs(1);
/// The shortest time between two readings, however often the kernel side asks.
const NAP: Duration = Duration::from_millis(20);

/// Why the wait ended.
pub enum Event {
    /// A line of standard input.
    Command(String),
    /// Time to read the ring.
    Samples,
    /// Standard input has ended.
    End,
}

/// Commands and the ring, waited for together.
pub struct Inbox {
    commands: Receiver<String>,
    /// Readable when there may be a command, or no more of them.
    bell: UnixStream,
    poll: OwnedFd,
    /// The ring that is waited for; it stays so until the process ends.
    ring: Option<RawFd>,
    nap: bool,
}

impl Inbox {
    /// Read commands from standard input, in a thread: any kind of input will do.
    pub fn open() -> io::Result<Self> {
        let (sender, commands) = mpsc::channel();
        let (bell, mut rope) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        std::thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() || rope.write_all(&[0]).is_err() {
                    break;
                }
            }
            drop(sender); // before the rope, which tells that there is something to see
        });
        // SAFETY: a plain system call.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just gave this descriptor to us.
        let poll = unsafe { OwnedFd::from_raw_fd(fd) };
        let inbox = Self { commands, bell, poll, ring: None, nap: false };
        inbox.watch(inbox.bell.as_raw_fd(), libc::EPOLLIN)?;
        Ok(inbox)
    }

    /// Wait for a command, or, where a ring is given, until it should be read.
    pub fn wait(&mut self, ring: Option<RawFd>) -> io::Result<Event> {
        let Some(ring) = ring else {
            return Ok(self.commands.recv().map_or(Event::End, Event::Command));
        };
        if self.ring != Some(ring) {
            // Edge-triggered: it is readable whenever anything lies in it, and only a wake-up says that it matters.
            self.watch(ring, libc::EPOLLIN | libc::EPOLLET)?;
            self.ring = Some(ring);
        }
        if std::mem::take(&mut self.nap) {
            match self.commands.recv_timeout(NAP) {
                Ok(line) => return Ok(Event::Command(line)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Event::End),
            }
        }
        loop {
            match self.commands.try_recv() {
                Ok(line) => return Ok(Event::Command(line)),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Ok(Event::End),
            }
            match self.sleep()? {
                Some(fd) if fd == self.bell.as_raw_fd() => self.silence(),
                woken => {
                    self.nap = woken.is_some();
                    return Ok(Event::Samples);
                }
            }
        }
    }

    fn watch(&self, fd: RawFd, events: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events.cast_unsigned(), u64: u64::from(fd.cast_unsigned()) };
        // SAFETY: both descriptors are open, and the kernel only reads the event.
        let done = unsafe { libc::epoll_ctl(self.poll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// The descriptor that became readable, or none after `LAZY`.
    fn sleep(&self) -> io::Result<Option<RawFd>> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let longest = i32::try_from(LAZY.as_millis()).unwrap_or(i32::MAX);
        loop {
            // SAFETY: there is room for the one event asked for.
            match unsafe { libc::epoll_wait(self.poll.as_raw_fd(), &raw mut event, 1, longest) } {
                0 => return Ok(None),
                1.. => return Ok(RawFd::try_from(event.u64).ok()),
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Forget the commands that the bell rang for: they are in the channel.
    fn silence(&self) {
        let mut rung = [0; 64];
        while (&self.bell).read(&mut rung).is_ok_and(|bytes| bytes == rung.len()) {}
    }
}
