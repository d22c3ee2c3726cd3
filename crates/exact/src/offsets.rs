//! Where the fields of CPython's structures lie, by version. 3.11 and 3.12 from their headers, 3.13 and later from the
//! table the interpreter itself publishes at the start of its runtime. Whatever the source, it is checked against the
//! running threads.

use crate::error::{Error, Result};
use crate::process;

/// The table's first bytes.
const COOKIE: &[u8; 8] = b"xdebugpy";
const TABLE_WORDS: usize = 128;
const MOST_INTERPRETERS: usize = 1000;
const MOST_STATES: usize = 100_000;

/// Offsets in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    pub interpreters_head: u64,
    pub interpreter_next: u64,
    pub threads_head: u64,
    pub state_next: u64,
    pub state_interpreter: u64,
    pub state_thread: u64,
    /// Offset in the runtime of the pointer to the state that holds the GIL, 0 where there is none.
    pub holder: u64,
    /// Offset of the pointer to the cframe, 0 where the thread state holds the frame itself.
    pub cframe: u32,
    pub cframe_previous: u32,
    pub current_frame: u32,
    pub frame_previous: u32,
    pub frame_code: u32,
    pub frame_instruction: u32,
    /// The byte that tells entry frames.
    pub frame_owner: u32,
    /// 3.11 marks the last function of a segment instead of closing it with a frame of its own.
    pub entry_is_flag: bool,
    pub code: CodeOffsets,
}

/// Offsets inside a code object and the strings it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeOffsets {
    pub filename: usize,
    pub qualname: usize,
    pub line_table: usize,
    pub first_line: usize,
    pub instructions: usize,
    /// Bytes before the characters of an ASCII string, and of any other.
    pub ascii_head: u64,
    pub compact_head: u64,
}

impl CodeOffsets {
    /// Where the words begin that tell a code object from another one in its place: name, file, lines, version, sizes.
    pub fn described(&self) -> usize {
        self.filename.min(self.qualname).min(self.line_table).min(self.first_line) & !7
    }
}

/// A thread state in the interpreter's list.
#[derive(Clone, Copy, Debug)]
pub struct ThreadState {
    pub address: u64,
    /// The thread's control block on glibc.
    pub thread: u64,
}

impl Offsets {
    /// The offsets of the interpreter with this runtime, by its version as `PY_VERSION_HEX`.
    pub fn find(pid: u32, runtime: u64, version: u32) -> Result<Self> {
        let offsets = match version >> 16 {
            0x030b => Self::of_3_11(),
            0x030c => Self::of_3_12(),
            0x030d.. if version >> 24 == 3 => Self::published(pid, runtime, version)?,
            _ => return Err(unknown(version, "this version is not known")),
        };
        if offsets.thread_states(pid, runtime)?.is_empty() {
            return Err(unknown(version, "its thread states are not where this version keeps them"));
        }
        Ok(offsets)
    }

    fn of_3_11() -> Self {
        Self {
            interpreters_head: 40,
            interpreter_next: 0,
            threads_head: 16,
            state_next: 8,
            state_interpreter: 16,
            state_thread: 152,
            holder: 576,
            cframe: 56,
            cframe_previous: 16,
            current_frame: 8,
            frame_previous: 48,
            frame_code: 32,
            frame_instruction: 56,
            frame_owner: 68,
            entry_is_flag: true,
            code: CodeOffsets {
                filename: 112,
                qualname: 128,
                line_table: 136,
                first_line: 72,
                instructions: 184,
                ascii_head: 48,
                compact_head: 72,
            },
        }
    }

    fn of_3_12() -> Self {
        Self {
            threads_head: 72,
            state_thread: 136,
            holder: 0,
            cframe_previous: 8,
            current_frame: 0,
            frame_previous: 8,
            frame_code: 0,
            frame_owner: 70,
            entry_is_flag: false,
            code: CodeOffsets {
                first_line: 68,
                instructions: 192,
                ascii_head: 40,
                compact_head: 56,
                ..Self::of_3_11().code
            },
            ..Self::of_3_11()
        }
    }

    /// From the table at the start of the runtime, CPython 3.13 and later.
    fn published(pid: u32, runtime: u64, version: u32) -> Result<Self> {
        let bytes = process::read_bytes(pid, runtime, TABLE_WORDS * 8)
            .ok_or_else(|| unknown(version, "its runtime can't be read"))?;
        let words: Vec<u64> =
            bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).collect();
        if &bytes[..8] != COOKIE || words[1] >> 16 != u64::from(version >> 16) {
            return Err(unknown(version, "it publishes no table of offsets"));
        }
        if words[2] != 0 {
            return Err(unknown(version, "it is a free-threaded build"));
        }
        let tables: &[Table] = if version >> 16 == 0x030d { &[TABLE_3_13] } else { &[TABLE_3_14, TABLE_3_14_EARLY] };
        tables
            .iter()
            .map(|table| Self::from_table(&words, *table))
            .find(|offsets| {
                offsets.plausible() && offsets.thread_states(pid, runtime).is_ok_and(|states| !states.is_empty())
            })
            .ok_or_else(|| unknown(version, "its table of offsets is laid out in an unknown way"))
    }

    fn from_table(words: &[u64], table: Table) -> Self {
        let at = |index: usize| words[index];
        let small = |index: usize| u32::try_from(words[index]).unwrap_or(u32::MAX);
        let size = |index: usize| usize::try_from(words[index]).unwrap_or(usize::MAX);
        let (state, frame, code, unicode) = (table.state, table.frame, table.code, table.unicode);
        Self {
            interpreters_head: at(5),
            interpreter_next: at(8),
            threads_head: at(9),
            state_next: at(state + 2),
            state_interpreter: at(state + 3),
            state_thread: at(state + 5),
            holder: 0,
            cframe: 0,
            cframe_previous: 0,
            current_frame: small(state + 4),
            frame_previous: small(frame + 1),
            frame_code: small(frame + 2),
            frame_instruction: small(frame + 3),
            frame_owner: small(frame + 5),
            entry_is_flag: false,
            code: CodeOffsets {
                filename: size(code + 1),
                qualname: size(code + 3),
                line_table: size(code + 4),
                first_line: size(code + 5),
                instructions: size(code + 9),
                ascii_head: at(unicode + 3),
                // A string that is not ASCII keeps its UTF-8 form's length and pointer in between.
                compact_head: at(unicode + 3) + 16,
            },
        }
    }

    /// Everything that is read in one piece lies within that piece.
    fn plausible(&self) -> bool {
        let frame = [self.frame_previous, self.frame_code, self.frame_instruction, self.frame_owner];
        let code = [self.code.filename, self.code.qualname, self.code.line_table, self.code.first_line];
        frame.iter().all(|offset| *offset <= 88)
            && code.iter().all(|offset| *offset < 512)
            && self.current_frame < 4096
            && self.code.ascii_head == 40
            && (64..1024).contains(&self.code.instructions)
    }

    /// Address of the main interpreter's state: new interpreters go to the head of the list, so it is the last.
    pub fn main_interpreter(&self, pid: u32, runtime: u64) -> u64 {
        let read = |address| process::read_word(pid, address).unwrap_or(0);
        let mut interpreter = read(runtime + self.interpreters_head);
        for _ in 0..MOST_INTERPRETERS {
            match read(interpreter + self.interpreter_next) {
                0 => break,
                next => interpreter = next,
            }
        }
        interpreter
    }

    /// The thread states of every interpreter of the process. Only those that point back to their interpreter count.
    pub fn thread_states(&self, pid: u32, runtime: u64) -> Result<Vec<ThreadState>> {
        let read = |address| process::read_word(pid, address);
        let gone = || Error::Target(format!("the memory of process {pid} can't be read"));
        let mut interpreter = read(runtime + self.interpreters_head).ok_or_else(gone)?;
        let mut states = Vec::new();
        for _ in 0..MOST_INTERPRETERS {
            let Some(mut address) = read(interpreter + self.threads_head) else {
                break;
            };
            while address != 0 && states.len() < MOST_STATES {
                if read(address + self.state_interpreter) != Some(interpreter) {
                    break;
                }
                let Some(thread) = read(address + self.state_thread) else {
                    break;
                };
                states.push(ThreadState { address, thread });
                address = read(address + self.state_next).unwrap_or(0);
            }
            interpreter = read(interpreter + self.interpreter_next).unwrap_or(0);
            if interpreter == 0 {
                break;
            }
        }
        Ok(states)
    }
}

/// Positions, in words, of the groups of the published table that are used.
#[derive(Clone, Copy)]
struct Table {
    state: usize,
    frame: usize,
    code: usize,
    unicode: usize,
}

impl Table {
    /// By how many fields each group has: the groups follow one another.
    const fn with(interpreter: usize, state: usize, frame: usize, code: usize, between: usize) -> Self {
        const BEFORE_INTERPRETER: usize = 6;
        let state_at = BEFORE_INTERPRETER + interpreter;
        let frame_at = state_at + state;
        let code_at = frame_at + frame;
        Self { state: state_at, frame: frame_at, code: code_at, unicode: code_at + code + between }
    }
}

/// Fields of the groups between code objects and strings: object, type, tuple, list, dict, float, int, bytes.
const BETWEEN: usize = 2 + 4 + 3 + 3 + 3 + 2 + 3 + 3;
const TABLE_3_13: Table = Table::with(13, 9, 6, 10, BETWEEN);
/// 3.14 adds three fields to interpreters, two to frames, one to code objects, and the set group.
const TABLE_3_14: Table = Table::with(16, 9, 8, 11, BETWEEN + 4);
const TABLE_3_14_EARLY: Table = Table::with(14, 9, 7, 10, BETWEEN + 4);

fn unknown(version: u32, why: &str) -> Error {
    Error::Target(format!("CPython {}.{} can't be walked: {why}", version >> 24, version >> 16 & 0xff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_3_13_has_its_groups_where_they_were_measured() {
        assert_eq!((TABLE_3_13.state + 4, TABLE_3_13.frame + 1, TABLE_3_13.code + 3), (23, 29, 37));
        assert_eq!(TABLE_3_13.unicode + 2, 69);
    }
}
