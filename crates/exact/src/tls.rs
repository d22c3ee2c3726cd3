//! Where a thread's Python state is found from its control block: the interpreter's own thread-local variable, and the
//! thread-specific slot of the GIL-state functions. x86-64 glibc.

use crate::offsets::ThreadState;
use crate::process;

/// Distance of the first thread-specific slots from the control block; 32 of 16 bytes, the value in the second half.
const SLOTS: u64 = 0x310;
const SLOT_COUNT: usize = 32;

/// How the interpreter reaches its thread-local variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Through the dynamic thread vector: number of the module, offset in its block.
    Dynamic { module: u64, offset: u64 },
    /// At a fixed distance from the control block.
    Static { offset: i64 },
}

/// The variable that the function at `getter` returns, by that function's own code.
pub fn find_variable(pid: u32, getter: u64) -> Option<Variable> {
    if getter == 0 {
        return None;
    }
    let code = process::read_bytes(pid, getter, 64)?;
    match decode_getter(&code)? {
        Access::Pair { displacement } => {
            let pair = getter.wrapping_add_signed(displacement);
            let (module, offset) = (process::read_word(pid, pair)?, process::read_word(pid, pair + 8)?);
            (module > 0 && module < 4096).then_some(Variable::Dynamic { module, offset })
        }
        Access::Entry { displacement } => {
            let offset = process::read_word(pid, getter.wrapping_add_signed(displacement))?.cast_signed();
            (-0x10_0000..0).contains(&offset).then_some(Variable::Static { offset })
        }
        Access::Constant { offset } => Some(Variable::Static { offset }),
    }
}

/// What the first instructions of the getter use. Displacements count from the getter's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// A pair of words in the global offset table, given to `__tls_get_addr`.
    Pair {
        displacement: i64,
    },
    /// One word there: the distance from the control block.
    Entry {
        displacement: i64,
    },
    Constant {
        offset: i64,
    },
}

fn decode_getter(code: &[u8]) -> Option<Access> {
    let word = |at: usize| code.get(at..at + 4).map(|b| i64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])));
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        let after = |length: usize| i64::try_from(at + length).unwrap_or(0);
        if rest.starts_with(&[0x66, 0x48, 0x8d, 0x3d]) {
            return Some(Access::Pair { displacement: word(at + 4)? + after(8) });
            // lea rdi, [rip + …]
        }
        if rest.starts_with(&[0x64, 0x48, 0x8b, 0x04, 0x25]) && word(at + 5)? != 0 {
            return Some(Access::Constant { offset: word(at + 5)? }); // mov rax, fs:[…]
        }
        if rest.starts_with(&[0x48, 0xc7, 0xc0]) && contains_fs_load(rest) {
            return Some(Access::Constant { offset: word(at + 3)? }); // mov rax, …; mov rax, fs:[rax]
        }
        if rest.starts_with(&[0x48, 0x8b, 0x05]) && contains_fs_load(rest) {
            return Some(Access::Entry { displacement: word(at + 3)? + after(7) });
            // mov rax, [rip + …]; mov rax, fs:[rax]
        }
        if rest[0] == 0xc3 {
            return None; // ret
        }
        at += 1;
    }
    None
}

fn contains_fs_load(code: &[u8]) -> bool {
    code.windows(4).take(12).any(|window| window == [0x64, 0x48, 0x8b, 0x00])
}

/// Number of the slot that holds the thread state: the one most threads agree on.
pub fn find_slot(pid: u32, states: &[ThreadState]) -> Option<u32> {
    let mut votes = [0_usize; SLOT_COUNT];
    for state in states {
        let Some(slots) = process::read_bytes(pid, state.thread + SLOTS, SLOT_COUNT * 16) else {
            continue;
        };
        for (vote, slot) in votes.iter_mut().zip(slots.chunks_exact(16)) {
            *vote += usize::from(slot[8..] == state.address.to_le_bytes());
        }
    }
    let most = *votes.iter().max()?;
    let mut best = votes.iter().enumerate().filter(|(_, vote)| **vote == most && most > 0);
    let (slot, _) = best.next()?;
    best.next().is_none().then(|| u32::try_from(slot).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_ways_to_reach_the_variable_are_told_apart() {
        let shared = [0x48, 0x83, 0xec, 0x08, 0x66, 0x48, 0x8d, 0x3d, 0x14, 0x7b, 0x25, 0x00, 0x66, 0x66, 0x48, 0xe8];
        assert_eq!(decode_getter(&shared), Some(Access::Pair { displacement: 0x257b14 + 12 }));
        let local = [0xf3, 0x0f, 0x1e, 0xfa, 0x64, 0x48, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff, 0xc3];
        assert_eq!(decode_getter(&local), Some(Access::Constant { offset: -8 }));
        let initial = [0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x64, 0x48, 0x8b, 0x00, 0xc3];
        assert_eq!(decode_getter(&initial), Some(Access::Entry { displacement: 0x17 }));
        let relaxed = [0x48, 0xc7, 0xc0, 0xf0, 0xff, 0xff, 0xff, 0x64, 0x48, 0x8b, 0x00, 0xc3];
        assert_eq!(decode_getter(&relaxed), Some(Access::Constant { offset: -16 }));
        let plain = [0x48, 0x8b, 0x05, 0x69, 0xe2, 0x1a, 0x00, 0x48, 0x8b, 0x80, 0x40, 0x02, 0, 0, 0xc3];
        assert_eq!(decode_getter(&plain), None);
    }
}
