//! From registers and a stack copy to addresses.

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64};
use framehop::{Error, FrameAddress, Unwinder as _};

use crate::address_space::AddressSpace;
use crate::registers::Registers;

/// framehop's rule cache has 509 places. A server's hot code has several thousand addresses, so there are many.
const CACHES: usize = 64;

/// Deeper stacks are cut; CPython's own recursion limit gives some thousands of native frames.
const MOST_FRAMES: usize = 8_192;

/// The part of the user stack that was copied, from the stack pointer upward.
#[derive(Debug, Clone, Copy)]
pub struct StackCopy<'a> {
    pub bytes: &'a [u8],
    /// Address of the first byte: the stack pointer.
    pub start: u64,
    /// True where the stack may go on behind the copy: it is as long as it was asked to be.
    pub full: bool,
}

impl StackCopy<'_> {
    #[inline]
    fn word(&self, address: u64) -> Result<u64, ()> {
        let offset = usize::try_from(address.wrapping_sub(self.start)).map_err(|_| ())?;
        let end = offset.checked_add(8).ok_or(())?;
        let bytes = self.bytes.get(offset..end).and_then(|part| part.try_into().ok()).ok_or(())?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// How a stack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The thread's first function was reached.
    Root,
    /// The copy was too short; the rest may have come from frame pointers that the kernel followed.
    Truncated,
    /// The unwind information did not lead on.
    Broken,
}

/// Caches of one thread's unwinding.
pub struct Unwinder {
    caches: Vec<CacheX86_64>,
}

impl Default for Unwinder {
    fn default() -> Self {
        Self::new()
    }
}

impl Unwinder {
    pub fn new() -> Self {
        Self { caches: (0..CACHES).map(|_| CacheX86_64::new()).collect() }
    }

    /// Appends code addresses to `addresses`, leaf first. Every address but the first is that of the call itself
    /// (return address less one), ready to be looked up. `kernel_chain` holds the user part of the kernel's own call
    /// chain (return addresses, leaf first), empty where none was taken: it continues a truncated stack.
    pub fn unwind(
        &mut self,
        space: &AddressSpace,
        registers: &Registers,
        stack: StackCopy<'_>,
        kernel_chain: &[u64],
        addresses: &mut Vec<u64>,
    ) -> Outcome {
        let first = addresses.len();
        let outcome = self.walk(space, registers, stack, addresses);
        if outcome != Outcome::Root {
            continue_by_chain(kernel_chain, &mut addresses.split_off(first), addresses);
        }
        outcome
    }

    fn walk(
        &mut self,
        space: &AddressSpace,
        registers: &Registers,
        stack: StackCopy<'_>,
        addresses: &mut Vec<u64>,
    ) -> Outcome {
        let mut state = registers.for_unwinding();
        let mut at = FrameAddress::from_instruction_pointer(registers.ip());
        addresses.push(registers.ip());
        for _ in 0..MOST_FRAMES {
            let before = state.sp();
            let next = match self.step(space, at, &mut state, stack) {
                Ok(Some(address)) => address,
                Ok(None) | Err(Error::ReturnAddressIsNull) => return Outcome::Root,
                Err(Error::CouldNotReadStack(address)) if stack.full && beyond(stack, address) => {
                    return Outcome::Truncated
                }
                Err(_) => return Outcome::Broken,
            };
            // A caller lies higher on the stack; only the leaf may not have moved it.
            if state.sp() < before {
                return Outcome::Broken;
            }
            let Some(caller) = FrameAddress::from_return_address(next) else { return Outcome::Root };
            if !space.holds(next - 1) && space.generated(next - 1).is_none() {
                return if stack.full && beyond(stack, state.sp()) { Outcome::Truncated } else { Outcome::Broken };
            }
            addresses.push(next - 1);
            at = caller;
        }
        Outcome::Truncated
    }

    fn step(
        &mut self,
        space: &AddressSpace,
        at: FrameAddress,
        state: &mut UnwindRegsX86_64,
        stack: StackCopy<'_>,
    ) -> Result<Option<u64>, Error> {
        let lookup = at.address_for_lookup();
        if let Some((start, name)) = space.generated(lookup) {
            if name.starts_with(TRAMPOLINE) {
                return leave_trampoline(lookup - start, state, stack).map(Some);
            }
        }
        let cache = &mut self.caches[((lookup ^ (lookup >> 7) ^ (lookup >> 14)) as usize) % CACHES];
        space.frames().unwind_frame(at, state, cache, &mut |address| stack.word(address))
    }
}

fn beyond(stack: StackCopy<'_>, address: u64) -> bool {
    address.wrapping_sub(stack.start).saturating_add(8) > stack.bytes.len() as u64 && address >= stack.start
}

/// Name of the code that CPython makes for each Python function under `-X perf`.
const TRAMPOLINE: &str = "py::";

/// CPython's trampoline has no unwind information. It moves the stack by one word (by a subtraction, or by saving the
/// frame pointer) around its only call, so its caller's address lies one word above.
fn leave_trampoline(offset: u64, state: &mut UnwindRegsX86_64, stack: StackCopy<'_>) -> Result<u64, Error> {
    let read = |address: u64| stack.word(address).map_err(|()| Error::CouldNotReadStack(address));
    let sp = state.sp();
    // At its first instruction nothing has been moved yet.
    if offset == 0 {
        state.set_sp(sp.wrapping_add(8));
        return read(sp);
    }
    if state.bp() == sp {
        state.set_bp(read(sp)?);
    }
    let caller = read(sp.wrapping_add(8))?;
    state.set_sp(sp.wrapping_add(16));
    Ok(caller)
}

/// Puts the unwound part back and appends what the kernel's frame-pointer chain has behind its last address. Without
/// a common address nothing is appended: a gap would look like a call.
fn continue_by_chain(chain: &[u64], unwound: &mut Vec<u64>, addresses: &mut Vec<u64>) {
    // The chain holds return addresses, the unwound part (but for its leaf) the call's own.
    let call = |address: u64| address.wrapping_sub(1);
    let joint = unwound.iter().enumerate().rev().find_map(|(index, address)| {
        let at = chain.iter().position(|link| call(*link) == *address)?;
        Some((index, at))
    });
    match joint {
        Some((index, at)) => {
            addresses.extend(&unwound[..=index]);
            addresses.extend(chain[at + 1..].iter().map(|link| call(*link)));
        }
        None => addresses.append(unwound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_continues_only_behind_a_common_address() {
        let mut out = Vec::new();
        continue_by_chain(&[11, 31, 41, 51], &mut vec![5, 10, 20, 30], &mut out);
        assert_eq!(out, [5, 10, 20, 30, 40, 50]);
        let mut out = Vec::new();
        continue_by_chain(&[91], &mut vec![5, 10], &mut out);
        assert_eq!(out, [5, 10]);
    }

    #[test]
    fn reading_outside_the_copy_is_refused() {
        let stack = StackCopy { bytes: &[0; 16], start: 1000, full: true };
        assert_eq!(stack.word(1008), Ok(0));
        assert!(stack.word(1009).is_err());
        assert!(stack.word(999).is_err());
        assert!(stack.word(u64::MAX).is_err());
        assert!(beyond(stack, 1016));
        assert!(!beyond(stack, 999));
    }
}
