//! `/tmp/perf-PID.map`: names of code made at run time, as perf's trampolines and JIT compilers write it.

use std::io::Read;
use std::path::Path;

const MOST_BYTES: u64 = 256 << 20;

/// Functions by address; later lines replace earlier ones at the same address.
#[derive(Default)]
pub struct PerfMap {
    entries: Vec<(u64, u64, String)>,
}

impl PerfMap {
    /// The map of a process, from the root folder that it sees or from here. Empty where there is none.
    pub fn of_process(pid: i32) -> Self {
        let inside = format!("/proc/{pid}/root/tmp/perf-{pid}.map");
        let outside = format!("/tmp/perf-{pid}.map");
        [outside, inside].iter().find_map(|path| Self::open(Path::new(path))).unwrap_or_default()
    }

    pub fn open(path: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        std::fs::File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Lines of start and size in hexadecimal, and a name that may hold blanks.
    pub fn parse(text: &str) -> Self {
        let mut entries: Vec<(u64, u64, String)> = text.lines().filter_map(line).collect();
        entries.reverse();
        entries.sort_by_key(|entry| entry.0);
        entries.dedup_by_key(|entry| entry.0);
        Self { entries }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Start and name of the function that covers an address.
    pub fn find(&self, address: u64) -> Option<(u64, &str)> {
        let after = self.entries.partition_point(|entry| entry.0 <= address);
        let (start, size, name) = self.entries[..after].last()?;
        (address - start < *size).then_some((*start, name.as_str()))
    }
}

fn line(text: &str) -> Option<(u64, u64, String)> {
    let mut parts = text.splitn(3, ' ');
    let start = u64::from_str_radix(parts.next()?.trim_start_matches("0x"), 16).ok()?;
    let size = u64::from_str_radix(parts.next()?.trim_start_matches("0x"), 16).ok()?;
    let name = parts.next()?.trim();
    (size > 0 && !name.is_empty()).then(|| (start, size, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_later_lines_win() {
        let map = PerfMap::parse("7f00 10 py::old:/a.py\n7f00 10 py::f:/with blank.py\nbroken\n8000 0 none\n");
        assert_eq!(map.find(0x7f0f), Some((0x7f00, "py::f:/with blank.py")));
        assert_eq!(map.find(0x7f10), None);
        assert_eq!(map.find(0x8000), None);
    }
}
