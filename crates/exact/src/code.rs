//! Names and lines of the code objects that were on a stack, read from the target while it runs.
//!
//! A code object may be freed and its place used again. So what was read is used for a moment only; then the object's
//! head is read again, and where it changed, everything is.

use std::collections::HashMap;
use std::rc::Rc;

use crate::line_table::line_at;
use crate::offsets::Offsets;
use crate::process::{read_bytes, read_memory, read_word};

/// How long a code object is taken to be the same without looking, in nanoseconds.
const FRESH_NS: u64 = 50_000_000;
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
    lines: HashMap<u64, u32>,
    head: Vec<u8>,
    checked_ns: u64,
}

/// All functions seen, and the code objects they were last seen at.
#[derive(Default)]
pub struct CodeBook {
    functions: Vec<Function>,
    numbers: HashMap<Function, u32>,
    codes: HashMap<(u32, u64), Option<Code>>,
}

impl CodeBook {
    /// Function and running line of a frame. None where the address holds no code object.
    pub fn resolve(
        &mut self,
        pid: u32,
        place: Place<'_>,
        code: u64,
        instruction: u64,
        now_ns: u64,
    ) -> Option<(u32, u32)> {
        let fresh = match self.codes.get_mut(&(pid, code)) {
            Some(Some(known)) if now_ns.saturating_sub(known.checked_ns) < FRESH_NS => true,
            Some(Some(known)) => {
                known.checked_ns = now_ns;
                let mut head = vec![0; known.head.len()];
                read_memory(pid, code, &mut head) && place.same_object(&head, &known.head)
            }
            _ => false,
        };
        if !fresh {
            // A child that has ended can't be read any more; what it was forked from holds the same code objects.
            let readers = [Some(pid), place.relative];
            let read = readers.into_iter().flatten().find_map(|reader| self.read(reader, place, code, now_ns));
            self.codes.insert((pid, code), read);
        }
        let known = self.codes.get_mut(&(pid, code))?.as_mut()?;
        let offset = instruction.wrapping_sub(code + place.offsets.code.instructions as u64);
        let first_line = self.functions[known.function as usize].first_line;
        let line = *known.lines.entry(offset).or_insert_with(|| {
            let line = line_at(&known.table, i64::from(first_line), offset);
            line.and_then(|line| u32::try_from(line).ok()).unwrap_or(first_line)
        });
        Some((known.function, line))
    }

    /// Every function seen, by number.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    fn read(&mut self, pid: u32, place: Place<'_>, code: u64, now_ns: u64) -> Option<Code> {
        let offsets = &place.offsets.code;
        let head = read_bytes(pid, code, offsets.instructions)?;
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
        Some(Code { function: number, table: table.into(), lines: HashMap::new(), head, checked_ns: now_ns })
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

impl Place<'_> {
    fn same_object(&self, new: &[u8], old: &[u8]) -> bool {
        let code = &self.offsets.code;
        let words = [TYPE, code.filename, code.qualname, code.line_table];
        words.iter().all(|at| new[*at..at + 8] == old[*at..at + 8])
            && new[code.first_line..code.first_line + 4] == old[code.first_line..code.first_line + 4]
    }
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
