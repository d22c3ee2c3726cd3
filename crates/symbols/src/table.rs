//! The symbol table: functions by address.

use object::elf::{STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolFlags};

/// A symbol that covers an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol<'a> {
    pub name: &'a str,
    /// Start in the file's own addresses.
    pub start: u64,
}

struct Entry {
    start: u64,
    end: u64,
    /// Where the name lies in the file: no copy of a hundred thousand names.
    name: (u64, u32),
}

#[derive(Default)]
pub(crate) struct SymbolTable {
    entries: Vec<Entry>,
    /// Jump tables of calls into other files: they have no symbols.
    jumps: Vec<(u64, u64)>,
}

/// Name of a jump on its way into another file.
const JUMP: &str = "[plt]";

struct Candidate {
    entry: Entry,
    preference: (bool, bool, bool, std::cmp::Reverse<usize>, usize),
}

impl SymbolTable {
    pub(crate) fn read(data: &[u8]) -> Self {
        let Ok(file) = object::File::parse(data) else {
            return Self::default();
        };
        let code: Vec<(u64, u64)> = file
            .sections()
            .filter(|section| section.kind() == SectionKind::Text)
            .map(|section| (section.address(), section.address().saturating_add(section.size())))
            .collect();
        let mut candidates: Vec<Candidate> =
            file.symbols().chain(file.dynamic_symbols()).filter_map(|symbol| candidate(data, &code, &symbol)).collect();
        // Of several names at one address the best comes first; then the whole order is the same in every run.
        candidates.sort_by(|a, b| a.entry.start.cmp(&b.entry.start).then(b.preference.cmp(&a.preference)));
        candidates.dedup_by(|later, first| later.entry.start == first.entry.start);
        let mut entries: Vec<Entry> = candidates.into_iter().map(|candidate| candidate.entry).collect();
        for index in 0..entries.len() {
            let next = entries.get(index + 1).map_or(u64::MAX, |entry| entry.start);
            let entry = &mut entries[index];
            if entry.end == entry.start {
                // Hand-written assembly gives no size: up to the next symbol of the same section.
                let limit =
                    code.iter().find(|part| part.0 <= entry.start && entry.start < part.1).map_or(next, |p| p.1);
                entry.end = next.min(limit);
            }
        }
        let jumps = file
            .sections()
            .filter(|section| section.name_bytes().is_ok_and(|name| name.starts_with(b".plt")))
            .map(|section| (section.address(), section.address().saturating_add(section.size())))
            .collect();
        Self { entries, jumps }
    }

    pub(crate) fn find<'a>(&self, data: &'a [u8], address: u64) -> Option<Symbol<'a>> {
        if let Some(jump) = self.jumps.iter().find(|part| part.0 <= address && address < part.1) {
            return Some(Symbol { name: JUMP, start: jump.0 });
        }
        let after = self.entries.partition_point(|entry| entry.start <= address);
        // A nested label may end before the address while the function around it goes on.
        let found = self.entries[..after].iter().rev().take(4).find(|entry| address < entry.end)?;
        let start = usize::try_from(found.name.0).ok()?;
        let name = data.get(start..start.checked_add(found.name.1 as usize)?)?;
        Some(Symbol { name: std::str::from_utf8(name).ok()?, start: found.start })
    }
}

fn candidate<'data, S: ObjectSymbol<'data>>(data: &[u8], code: &[(u64, u64)], symbol: &S) -> Option<Candidate> {
    let SymbolFlags::Elf { st_info, .. } = symbol.flags() else {
        return None;
    };
    let kind = st_info & 0xf;
    let start = symbol.address();
    let in_code = || code.iter().any(|part| part.0 <= start && start < part.1);
    let function = kind == STT_FUNC || kind == STT_GNU_IFUNC;
    if symbol.is_undefined() || !(function || (kind == STT_NOTYPE && in_code())) {
        return None;
    }
    let name = symbol.name_bytes().ok().filter(|name| !name.is_empty() && !name.starts_with(b"$"))?;
    let place = (name.as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
    let underscores = name.iter().take_while(|byte| **byte == b'_').count();
    let preference =
        (symbol.size() > 0, !symbol.is_weak(), symbol.is_global(), std::cmp::Reverse(underscores), name.len());
    let name = (place as u64, u32::try_from(name.len()).ok()?);
    Some(Candidate { entry: Entry { start, end: start.saturating_add(symbol.size()), name }, preference })
}
