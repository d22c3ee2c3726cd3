//! The access log off the Python path: the same lines as Python's logging writes, formatted and written here.
//!
//! Lines are gathered and written together, at most `CHUNK` bytes at once: whole lines in one write of that size stay
//! whole on a pipe that several processes share. Somebody flushes every `FLUSH_AFTER`, so that a quiet server's
//! lines do not wait.

use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// POSIX guarantees this much to be written to a pipe at once.
const CHUNK: usize = 4096;
pub const FLUSH_AFTER: Duration = Duration::from_millis(50);

pub struct AccessLog {
    // Not owned: the descriptor is the process's standard error, or a file that Python opened.
    file: ManuallyDrop<File>,
    slow: Duration,
    pending: Vec<u8>,
    /// The second that `prefix` was made for; a date is computed once a second.
    second: u64,
    prefix: String,
    pub lines: u64,
}

impl AccessLog {
    pub fn new(fd: RawFd, slow: Duration) -> Self {
        // SAFETY: the caller keeps the descriptor open as long as the log lives; it is never closed here.
        let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        Self { file, slow, pending: Vec::with_capacity(CHUNK), second: u64::MAX, prefix: String::new(), lines: 0 }
    }

    /// One answered request. A success quicker than the threshold leaves no line.
    #[inline(never)]
    pub fn record_request(&mut self, method: &str, path: &str, status: u16, took: Duration) {
        if status < 400 && took < self.slow {
            return;
        }
        // A clock before 1970 writes the first line of the epoch instead of failing a request.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Room is made before and not after, so that a chunk holds whole lines only.
        if self.pending.len() + method.len() + path.len() + 64 > CHUNK {
            self.flush();
        }
        self.date(now.as_secs());
        let level = match status {
            500.. => "ERROR",
            400.. => "WARNING",
            _ => "INFO",
        };
        let milliseconds = took.as_secs_f64() * 1000.0;
        let written = writeln!(
            self.pending,
            "{},{:03} {level} {method} {path} {status} {milliseconds:.2}ms",
            self.prefix,
            now.subsec_millis()
        );
        // Writing to a vector does not fail.
        debug_assert!(written.is_ok());
        self.lines += 1;
    }

    pub fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes what was gathered. A log that cannot be written to is no reason to stop serving.
    pub fn flush(&mut self) {
        let outcome: io::Result<()> = self.file.write_all(&self.pending);
        self.pending.clear();
        drop(outcome);
    }

    fn date(&mut self, second: u64) {
        if self.second == second {
            return;
        }
        self.second = second;
        let seconds = i64::try_from(second).unwrap_or(0);
        let Ok(date) = time::OffsetDateTime::from_unix_timestamp(seconds) else {
            return;
        };
        self.prefix = format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            date.hour(),
            date.minute(),
            date.second()
        );
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}
