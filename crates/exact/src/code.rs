//! Names and lines of the code objects that were on a stack, read from the target while it runs.
//!
//! A code object may be freed and its place used again, also between a sample and the moment at which it is read here.
//! So the kernel side describes what it saw by a number, and what is read later only counts if it has the same one.

use std::collections::HashMap;
use std::rc::Rc;

use crate::line_table::line_at;
use crate::offsets::Offsets;
use crate::process::{read_bytes, read_word};
use crate::record::PythonFrame;

/// Words of a code object that tell it from another one; `CODE_WORDS` in `bpf/record.h`.
const WORDS: usize = 10;
/// 2^64 divided by the golden ratio; `MIXER` in `bpf/walk.bpf.c`.
const MIXER: u64 = 0x9e37_79b9_7f4a_7c15;
const LONGEST_STRING: u64 = 4096;
const LONGEST_TABLE: u64 = 1 << 20;
const TYPE: usize = 8;
const STRING_LENGTH: u64 = 16;
const STRING_STATE: u64 = 32;
const BYTES_LENGTH: u64 = 16;
const BYTES_DATA: u64 = 32;

/// A Python function as its code object describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    pub file: String,
    pub name: String,
    pub first_line: u32,
}

/// A function with what is needed to find the running line.
#[derive(Debug)]
struct Code {
    /// Index of the function in the book.
    function: u32,
    table: Rc<[u8]>,
    lines: HashMap<u32, u32>,
}

/// All functions seen, and the code objects they were seen as: by process, address and identity.
#[derive(Default)]
pub struct CodeBook {
    functions: Vec<Function>,
    numbers: HashMap<Function, u32>,
    codes: HashMap<(u32, u64, u32), Option<Code>>,
}

impl CodeBook {
    /// Function and running line of a frame. None where its address holds no code object, or another one by now.
    pub fn resolve(&mut self, pid: u32, place: Place<'_>, frame: &PythonFrame) -> Option<(u32, u32)> {
        let key = (pid, frame.code, frame.identity);
        if !self.codes.contains_key(&key) {
            // A child that has ended can't be read any more; what it was forked from holds the same code objects.
            let readers = [Some(pid), place.relative];
            let read = readers.into_iter().flatten().find_map(|reader| self.read(reader, place, frame));
            self.codes.insert(key, read);
        }
        let known = self.codes.get_mut(&key)?.as_mut()?;
        let first_line = self.functions[known.function as usize].first_line;
        let line = *known.lines.entry(frame.offset).or_insert_with(|| {
            let offset = u64::from(frame.offset).wrapping_sub(place.offsets.code.instructions as u64);
            let line = line_at(&known.table, i64::from(first_line), offset);
            line.and_then(|line| u32::try_from(line).ok()).unwrap_or(first_line)
        });
        Some((known.function, line))
    }

    /// Every function seen, by number.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    fn read(&mut self, pid: u32, place: Place<'_>, frame: &PythonFrame) -> Option<Code> {
        let offsets = &place.offsets.code;
        let head = read_bytes(pid, frame.code, offsets.instructions)?;
        if frame.identity != 0 && identify(frame.code, head.get(offsets.described()..)?) != frame.identity {
            return None;
        }
        let word = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
        if word(TYPE) != place.code_type {
            return None;
        }
        let line = u32::from_le_bytes(head[offsets.first_line..offsets.first_line + 4].try_into().unwrap_or_default());
        let function = Function {
            file: read_string(pid, place.offsets, word(offsets.filename))?,
            name: read_string(pid, place.offsets, word(offsets.qualname))?,
            first_line: line,
        };
        let table = word(offsets.line_table);
        let length = read_word(pid, table + BYTES_LENGTH).filter(|length| *length <= LONGEST_TABLE)?;
        let table = read_bytes(pid, table + BYTES_DATA, usize::try_from(length).ok()?)?;
        let number = u32::try_from(self.functions.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(function).or_insert_with_key(|function| {
            self.functions.push(function.clone());
            number
        });
        Some(Code { function: number, table: table.into(), lines: HashMap::new() })
    }
}

/// The interpreter a code object belongs to.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub offsets: &'a Offsets,
    /// Address of the type of code objects.
    pub code_type: u64,
    /// The process this one was forked from, where it is known.
    pub relative: Option<u32>,
}

/// A number for what lies at an address, from its words: another one, as far as 32 bits can tell, for something else.
fn identify(address: u64, bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(8).take(WORDS).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
    (words.fold(address, |number, word| (number ^ word).wrapping_mul(MIXER)) >> 32) as u32
}

/// A Python string. Its characters follow its head in the narrowest of three widths that fits all of them.
fn read_string(pid: u32, offsets: &Offsets, address: u64) -> Option<String> {
    let head = read_bytes(pid, address, 40)?;
    let word = |at: u64| u64::from_le_bytes(head[at as usize..at as usize + 8].try_into().unwrap_or_default());
    let length = word(STRING_LENGTH);
    let state = u32::try_from(word(STRING_STATE) & 0xffff_ffff).unwrap_or(0);
    // Bit fields: interned (2 bits; 16 with padding after in later versions), kind (3), compact, ascii.
    let (width, compact, ascii) = decode_state(state)?;
    if length > LONGEST_STRING || !compact {
        return None;
    }
    let start = address + if ascii { offsets.code.ascii_head } else { offsets.code.compact_head };
    let bytes = read_bytes(pid, start, usize::try_from(length * width).ok()?)?;
    let points = bytes.chunks_exact(usize::try_from(width).ok()?).map(|unit| {
        let mut wide = [0; 4];
        wide[..unit.len()].copy_from_slice(unit);
        char::from_u32(u32::from_le_bytes(wide)).unwrap_or(char::REPLACEMENT_CHARACTER)
    });
    Some(points.collect())
}

/// Width of a character, whether the characters follow the head, whether they are ASCII.
fn decode_state(state: u32) -> Option<(u64, bool, bool)> {
    let decode = |state: u32| (u64::from(state & 7), state >> 3 & 1 == 1, state >> 4 & 1 == 1);
    // Two bits of interning, then the kind: 3.11 to 3.13. From 3.14 on, interning has a field of 16 bits.
    [decode(state >> 2), decode(state >> 16)]
        .into_iter()
        .find(|(width, compact, ascii)| matches!(width, 1 | 2 | 4) && *compact && (!*ascii || *width == 1))
}

#[cfg(test)]
mod tests {
    use super::decode_state;

    #[test]
    fn string_states_of_both_layouts() {
        let ascii_interned = 1 | 1 << 2 | 1 << 5 | 1 << 6;
        assert_eq!(decode_state(ascii_interned), Some((1, true, true)));
        assert_eq!(decode_state(2 << 2 | 1 << 5), Some((2, true, false)));
        assert_eq!(decode_state(1 | (1 | 1 << 3 | 1 << 4) << 16), Some((1, true, true)));
        assert_eq!(decode_state(0), None);
    }
}
