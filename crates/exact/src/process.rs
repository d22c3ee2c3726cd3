//! A process seen from outside: its memory, its mappings, its place in the process tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::clock::parse_cpus;
use crate::error::{Error, Result};

/// One line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    pub offset: u64,
    pub executable: bool,
    /// As the process sees it; empty for anonymous memory, `[vdso]` and the like in brackets.
    pub path: String,
}

/// Read the whole of `into` from the memory of a process. False where it can't be read.
pub fn read_memory(pid: u32, address: u64, into: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: `local` describes `into`, which outlives the call; the kernel checks the remote side.
    let read = unsafe { libc::process_vm_readv(pid.cast_signed(), &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(read).is_ok_and(|read| read == into.len())
}

/// A 64-bit word of a process's memory.
pub fn read_word(pid: u32, address: u64) -> Option<u64> {
    let mut word = [0; 8];
    read_memory(pid, address, &mut word).then(|| u64::from_le_bytes(word))
}

/// `length` bytes of a process's memory.
pub fn read_bytes(pid: u32, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    read_memory(pid, address, &mut bytes).then_some(bytes)
}

/// The mappings of a process, by address.
pub fn read_mappings(pid: u32) -> Result<Vec<Mapping>> {
    let path = format!("/proc/{pid}/maps");
    let text = fs::read_to_string(&path).map_err(|error| Error::io(format!("reading {path}"), error))?;
    Ok(text.lines().filter_map(parse_mapping).collect())
}

fn parse_mapping(line: &str) -> Option<Mapping> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let path = fields.nth(2).unwrap_or("").trim_start();
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        executable: permissions.as_bytes().get(2) == Some(&b'x'),
        path: path.to_owned(),
    })
}

/// Where this process can open a file that another process has mapped, whatever its root is and even if it was deleted.
pub fn mapped_file(pid: u32, mapping: &Mapping) -> PathBuf {
    let plain = PathBuf::from(format!("/proc/{pid}/root{}", mapping.path));
    if plain.exists() {
        return plain;
    }
    PathBuf::from(format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end))
}

/// What `/proc/PID/stat` says that this sampler uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub parent: u32,
    /// Start of the initial stack. A fork keeps it, exec draws a new one: the identity of the address space.
    pub space: u64,
}

/// Parent and address space of a process; None when it is gone or may not be read.
pub fn read_status(pid: u32) -> Option<Status> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold parentheses and spaces.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    Some(Status { parent: fields.get(1)?.parse().ok()?, space: fields.get(25)?.parse().ok()? })
}

/// The CPUs that any thread of a process may run on; none where it is gone.
pub fn allowed_cpus(pid: u32) -> BTreeSet<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        parse_cpus(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?)
    });
    lists.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_keep_spaces_in_names() {
        let line = "7f00-7f10 r-xp 00001000 fe:00 12   /opt/my app/lib.so (deleted)";
        let expected = Mapping {
            start: 0x7f00,
            end: 0x7f10,
            offset: 0x1000,
            executable: true,
            path: "/opt/my app/lib.so (deleted)".to_owned(),
        };
        assert_eq!(parse_mapping(line), Some(expected));
        assert_eq!(parse_mapping("7f00-7f10 rw-p 00000000 00:00 0").expect("anonymous").path, "");
    }

    #[test]
    fn own_status_and_memory_can_be_read() {
        let pid = std::process::id();
        let status = read_status(pid).expect("own status");
        assert!(status.space > 0x1000);
        let value = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(read_word(pid, (&raw const value) as u64), Some(value));
        assert_eq!(read_word(pid, 8), None);
        assert!(!allowed_cpus(pid).is_empty());
        assert!(allowed_cpus(u32::MAX >> 1).is_empty());
    }
}
