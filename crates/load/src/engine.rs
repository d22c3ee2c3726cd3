//! The loop of the generator: one thread, one epoll instance, commands in, reports out.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::clock::{monotonic_ns, thread_cpu_ns};
use crate::order::{Command, Order};
use crate::report::{Event, Reporter, Summary};
use crate::schedule::Schedule;
use crate::traffic::{Ready, Traffic};
use crate::warmup::{WarmUp, Warmth};

const TICK_NS: u64 = 200_000_000;
/// Small, so that arrivals of an open loop never wait for a long batch of answers.
const EVENTS: usize = 128;
/// Of arrivals that are due at once, as many as are issued before answers are looked at again.
const ARRIVALS_AT_ONCE: usize = 64;
const CONTROL: Token = Token(usize::MAX - 1);
const TIMER: Token = Token(usize::MAX - 2);
const LONGEST_LINE: usize = 1 << 20;

/// Carry out the order that the first line of `input` holds, until told to stop, the input's end, or the deadline.
///
/// Both ends must be pipes or sockets in non-blocking mode. Errors are those of the operating system at the start;
/// whatever happens to connections later is counted, not returned.
pub fn run(order: Order, input: File, rest: Vec<u8>, output: File) -> io::Result<()> {
    Engine::new(order, input, rest, output)?.run()
}

#[derive(Debug)]
struct Engine {
    poll: Poll,
    traffic: Traffic,
    input: File,
    line: Vec<u8>,
    reporter: Reporter,
    timer: OwnedFd,
    armed: u64,
    schedule: Option<Schedule>,
    warm_up: Option<WarmUp>,
    next_tick: u64,
    tick_completed: u64,
    tick_since: u64,
    deadline: u64,
    drained_by: u64,
    reason: &'static str,
    orphaned: bool,
}

impl Engine {
    fn new(order: Order, input: File, rest: Vec<u8>, output: File) -> io::Result<Engine> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&input.as_raw_fd()), CONTROL, Interest::READABLE)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let now = monotonic_ns();
        let schedule = order.rate.map(|rate| Schedule::new(now, rate, order.arrivals, order.seed));
        Ok(Engine {
            schedule,
            warm_up: Some(WarmUp::new(now, order.warm_up_s, order.warm_up_limit_s)),
            deadline: now + (order.deadline_s * 1e9) as u64,
            traffic: Traffic::new(order, registry.try_clone()?),
            poll,
            input,
            line: rest,
            reporter: Reporter::new(output),
            timer,
            armed: u64::MAX,
            next_tick: now + TICK_NS,
            tick_completed: 0,
            tick_since: now,
            drained_by: u64::MAX,
            reason: "",
            orphaned: false,
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        self.obey();
        loop {
            let now = monotonic_ns();
            let more = self.do_due(now);
            if self.orphaned || (self.traffic.stopping && (self.traffic.in_flight() == 0 || now >= self.drained_by)) {
                break;
            }
            let wait = if more { Some(std::time::Duration::ZERO) } else { None };
            if !more {
                self.arm()?;
            }
            match self.poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.traffic.polled_ns = monotonic_ns();
            for event in &events {
                match event.token() {
                    CONTROL => self.listen(),
                    TIMER => self.armed = u64::MAX,
                    Token(token) => self.traffic.ready(
                        token & 0xffff_ffff,
                        (token >> 32) as u32,
                        Ready {
                            readable: event.is_readable(),
                            writable: event.is_writable(),
                            ending: event.is_read_closed() || event.is_error(),
                        },
                    ),
                }
            }
        }
        self.finish();
        Ok(())
    }

    /// Everything that time has brought; true where arrivals are left that are due already.
    fn do_due(&mut self, now: u64) -> bool {
        let more = self.offer(now);
        if now >= self.traffic.recorder.next_edge() || now >= self.next_tick {
            self.traffic.expire(now);
        }
        while let Some(window) = self.traffic.recorder.take_finished() {
            self.reporter.send(&window);
        }
        self.traffic.open_more(now);
        if let Some(warm_up) = &mut self.warm_up {
            if let Some(warmth) =
                warm_up.update(now, self.traffic.recorder.total_completed, self.traffic.recorder.total_opened)
            {
                let seconds = (now - warm_up.start_ns()) as f64 / 1e9;
                let requests = self.traffic.recorder.total_completed;
                self.warm_up = None;
                let errors = self.traffic.recorder.total_errors;
                let steady = warmth == Warmth::Steady;
                self.reporter.send(&Event::Warm { steady, seconds, requests, errors });
            }
        }
        if now >= self.next_tick {
            self.tick(now);
        }
        if now >= self.deadline && !self.traffic.stopping {
            self.stop(now, 0.0, "deadline");
        }
        more
    }

    /// Issue the arrivals that are due.
    fn offer(&mut self, now: u64) -> bool {
        let Some(schedule) = &mut self.schedule else {
            return false;
        };
        for _ in 0..ARRIVALS_AT_ONCE {
            let intended = schedule.next_ns();
            let now = if intended > now {
                return false;
            } else {
                monotonic_ns()
            };
            schedule.advance();
            self.traffic.arrive(intended, now);
        }
        schedule.next_ns() <= now
    }

    fn tick(&mut self, now: u64) {
        let recorder = &mut self.traffic.recorder;
        let completed = recorder.total_completed;
        let elapsed = (now - self.tick_since) as f64 / 1e9;
        let phase = match (&self.warm_up, recorder.in_window()) {
            (Some(_), _) => "warm-up",
            (None, true) => "window",
            (None, false) => "gap",
        };
        let event = Event::Tick {
            phase,
            rps: (completed - self.tick_completed) as f64 / elapsed,
            errors: recorder.total_errors.total(),
            p99_ms: recorder.take_recent_p99_ms(),
        };
        self.reporter.send(&event);
        self.tick_completed = completed;
        self.tick_since = now;
        self.next_tick = now + TICK_NS;
    }

    /// Set the timer to the next instant at which there is something to do.
    fn arm(&mut self) -> io::Result<()> {
        let arrival = self.schedule.as_ref().map_or(u64::MAX, Schedule::next_ns);
        let warm_up = self.warm_up.as_ref().map_or(u64::MAX, WarmUp::next_ns);
        let next =
            [self.traffic.recorder.next_edge(), self.traffic.next_opening(), self.deadline, self.drained_by, warm_up]
                .into_iter()
                .fold(arrival.min(self.next_tick), u64::min);
        if next != self.armed {
            self.armed = next;
            let value = Timespec { tv_sec: (next / 1_000_000_000) as i64, tv_nsec: (next % 1_000_000_000) as i64 };
            let once = Itimerspec { it_interval: Timespec::default(), it_value: value };
            rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        }
        Ok(())
    }

    /// Take the commands that have come; the end of the input means that nobody wants the load any more.
    fn listen(&mut self) {
        let mut chunk = [0; 4096];
        loop {
            match self.input.read(&mut chunk) {
                Ok(0) => {
                    self.orphaned = true;
                    return;
                }
                Ok(count) => self.line.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.orphaned = true;
                    return;
                }
            }
        }
        self.obey();
    }

    fn obey(&mut self) {
        while let Some(end) = memchr::memchr(b'\n', &self.line) {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let now = monotonic_ns();
            match serde_json::from_slice::<Command>(&line) {
                Ok(Command::Window(window)) if window.block_ns > 0 => self.traffic.recorder.announce(window, now),
                Ok(Command::Stop { drain_s }) => self.stop(now, drain_s, "stopped"),
                Ok(Command::Window(_)) => self.reject("a window's blocks have no length"),
                Err(error) => self.reject(&error.to_string()),
            }
        }
        if self.line.len() > LONGEST_LINE {
            self.reject("a command without end");
        }
    }

    fn reject(&mut self, message: &str) {
        self.reporter.send(&Event::Fatal { message: format!("not a command: {message}") });
        self.line.clear();
        self.orphaned = true;
    }

    /// Offer nothing more; what is in flight may be answered for `drain_s` seconds.
    fn stop(&mut self, now: u64, drain_s: f64, reason: &'static str) {
        if !self.traffic.stopping {
            self.reason = reason;
            self.traffic.stopping = true;
            self.schedule = None;
            self.deadline = u64::MAX;
            self.drained_by = now + (drain_s.clamp(0.0, 60.0) * 1e9) as u64;
        }
    }

    fn finish(&mut self) {
        let recorder = &self.traffic.recorder;
        let seen = &self.traffic.seen;
        let http = [(seen.http_10, "1.0"), (seen.http_11, "1.1")];
        let summary = Summary {
            offered: recorder.total_offered,
            completed: recorder.total_completed,
            errors: recorder.total_errors,
            in_flight: self.traffic.in_flight(),
            opened: recorder.total_opened,
            connect_failures: seen.connect_failures,
            closed_idle: seen.closed_idle,
            surplus: seen.surplus,
            http: http.into_iter().filter(|(seen, _)| *seen).map(|(_, name)| name).collect(),
            cpu_ns: thread_cpu_ns(),
            descriptor_limit: seen.descriptor_limit,
            address_limit: seen.address_limit,
            reason: self.reason,
        };
        self.reporter.send(&Event::Done(Box::new(summary)));
        let patience = monotonic_ns() + 2_000_000_000;
        while !self.reporter.is_empty() && monotonic_ns() < patience {
            std::thread::sleep(std::time::Duration::from_millis(1));
            self.reporter.flush();
        }
    }
}
