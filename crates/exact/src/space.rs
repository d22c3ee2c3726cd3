//! The address spaces of the target's processes, and what the files in them are to this sampler.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use profiler_symbols::{Image, ImageStore, PerfMap};
use profiler_unwind::{AddressSpace, AddressSpaces, Mapping, Outcome, Place, Registers, StackCopy, Unwinder};

use crate::process;

/// A process's mappings are read again at most this often because of an unknown address, in nanoseconds. Where nothing
/// had changed, the time until the next look doubles.
const RESCAN_NS: u64 = 200_000_000;
const RAREST_RESCAN_NS: u64 = 10_000_000_000;

/// What a native function means for the join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Plain,
    /// CPython's evaluation function: an activation of the interpreter.
    Eval,
    /// An opcode handler of a tail-calling interpreter: runs on top of the evaluation function's own frame.
    Handler,
    /// CPython's own wait for the GIL.
    TakeGil,
    /// A wait for a condition variable.
    ConditionWait,
}

/// An unwound native stack.
#[derive(Debug, Default)]
pub struct NativeStack {
    /// Leaf first. All but the first are the addresses of calls.
    pub addresses: Vec<u64>,
    /// The thread's first function was reached.
    pub root_reached: bool,
}

/// The last look at a process's mappings.
struct Scan {
    at_ns: u64,
    wait_ns: u64,
    mappings: Vec<process::Mapping>,
}

/// Every process's files, and the unwinder.
pub struct Spaces {
    spaces: AddressSpaces,
    unwinder: Unwinder,
    scans: HashMap<u32, Scan>,
    /// By image and address; images live as long as the store.
    roles: HashMap<(usize, u64), Role>,
}

impl Default for Spaces {
    fn default() -> Self {
        Self {
            spaces: AddressSpaces::new(Arc::new(ImageStore::new())),
            unwinder: Unwinder::new(),
            scans: HashMap::new(),
            roles: HashMap::new(),
        }
    }
}

impl Spaces {
    /// Read a process's mappings. False where it is gone.
    pub fn read(&mut self, pid: u32, now_ns: u64) -> bool {
        let Ok(mappings) = process::read_mappings(pid) else {
            return false;
        };
        if mappings.is_empty() {
            return false; // it is ending
        }
        if let Some(scan) = self.scans.get_mut(&pid).filter(|scan| scan.mappings == mappings) {
            scan.at_ns = now_ns;
            scan.wait_ns = (2 * scan.wait_ns).min(RAREST_RESCAN_NS);
            return true;
        }
        let root = foreign_root(pid);
        let key = pid.cast_signed();
        self.scans.insert(pid, Scan { at_ns: now_ns, wait_ns: RESCAN_NS, mappings: mappings.clone() });
        self.spaces.exec(key);
        for mapping in mappings.into_iter().filter(|mapping| mapping.executable) {
            let path = if mapping.path.starts_with('/') { format!("{root}{}", mapping.path) } else { mapping.path };
            let (start, end, page_offset) = (mapping.start, mapping.end, mapping.offset);
            self.spaces.mmap(key, &Mapping { start, end, page_offset, path, build_id: String::new() });
        }
        let generated = PerfMap::of_process(key);
        if !generated.is_empty() {
            self.spaces.set_generated(key, Arc::new(generated));
        }
        true
    }

    /// A child that ended before it was looked at: a fork has its parent's files.
    pub fn inherit(&mut self, parent: u32, child: u32) {
        self.spaces.fork(parent.cast_signed(), child.cast_signed());
    }

    /// Unwind a stack copied from the stack pointer on. Where that breaks in code that was mapped since the mappings
    /// were read, they are read again.
    pub fn unwind(&mut self, pid: u32, registers: &Registers, stack: StackCopy<'_>, now_ns: u64) -> NativeStack {
        let (native, outcome) = self.unwind_once(pid, registers, stack);
        let due = self.scans.get(&pid).is_none_or(|scan| now_ns > scan.at_ns + scan.wait_ns);
        if outcome == Outcome::Broken && due && self.read(pid, now_ns) {
            return self.unwind_once(pid, registers, stack).0;
        }
        native
    }

    fn unwind_once(&mut self, pid: u32, registers: &Registers, stack: StackCopy<'_>) -> (NativeStack, Outcome) {
        let mut native = NativeStack::default();
        let empty = AddressSpace::default();
        let space = self.spaces.get(pid.cast_signed()).unwrap_or(&empty);
        let outcome = self.unwinder.unwind(space, registers, stack, &[], &mut native.addresses);
        native.root_reached = outcome == Outcome::Root;
        (native, outcome)
    }

    /// Where an address of a process belongs.
    pub fn place(&self, pid: u32, address: u64) -> Place {
        self.spaces.get(pid.cast_signed()).map_or(Place::Unknown, |space| space.place(address))
    }

    /// What the function at a place means for the join.
    pub fn role(&mut self, place: &Place) -> Role {
        let Place::Image { image, address } = place else {
            return Role::Plain;
        };
        let key = (Arc::as_ptr(image) as usize, *address);
        *self.roles.entry(key).or_insert_with(|| role_of(image, *address))
    }

    /// Why files could not be used.
    pub fn problems(&self) -> impl Iterator<Item = &String> {
        self.spaces.problems().values()
    }
}

fn role_of(image: &Image, address: u64) -> Role {
    match image.symbol(address).map(|symbol| symbol.name) {
        Some(name) if name.starts_with("_PyEval_EvalFrameDefault") => Role::Eval,
        Some(name) if name.starts_with("_TAIL_CALL_") => Role::Handler,
        Some(name) if name == "take_gil" || name.starts_with("take_gil.") => Role::TakeGil,
        Some(name) if name.starts_with("pthread_cond_") && name.contains("wait") => Role::ConditionWait,
        _ => Role::Plain,
    }
}

/// Prefix under which another mount namespace's files are found; empty for this one's.
fn foreign_root(pid: u32) -> String {
    let own = fs::read_link("/proc/self/ns/mnt").ok();
    let other = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    if own == other || other.is_none() {
        return String::new();
    }
    format!("/proc/{pid}/root")
}
