//! One sample's registers, stack bytes, kernel chain and Python frames become one stack.

use profiler_splice::{splice, Class, Facts, Link, Piece};
use profiler_unwind::{Place as Where, StackCopy};

use crate::code::{self, CodeBook};
use crate::interpreter::Interpreter;
use crate::record::{PythonFrame, Sample, Walk};
use crate::space::{NativeStack, Role, Spaces};
use crate::stacks::{Mark, Place, Stacks};
use crate::waits::WaitKind;

/// Owner byte of the frames that close a segment, CPython 3.12 and later.
const FIRST_ENTRY_OWNER: u8 = 3;

/// What joining needs besides the sample.
#[derive(Default)]
pub struct Joiner {
    pub spaces: Spaces,
    pub book: CodeBook,
    pub stacks: Stacks,
}

/// The Python half of a sample: links as the splice rule wants them, and the place of each function.
#[derive(Default)]
struct Chain {
    links: Vec<Link>,
    places: Vec<Place>,
    /// A frame held something else than a code object.
    torn: bool,
}

impl Joiner {
    /// The number of the sample's stack; the tally is brought up to date. `relative` is the process that the sample's was
    /// forked from.
    pub fn join(
        &mut self,
        sample: &Sample,
        bytes: &[u8],
        kernel: &[u64],
        interpreter: Option<&Interpreter>,
        relative: Option<u32>,
    ) -> u32 {
        let native = self.unwind(sample, bytes);
        let places: Vec<Where> =
            native.addresses.iter().map(|address| self.spaces.place(sample.pid, *address)).collect();
        let roles: Vec<Role> = places.iter().map(|place| self.spaces.role(place)).collect();
        let chain = interpreter.map_or_else(Chain::default, |found| self.read_chain(sample, found, relative));
        let facts = Facts {
            root_reached: native.root_reached,
            chain_ended: !matches!(sample.walk, Walk::Fault | Walk::TooDeep),
            nested: interpreter.is_some_and(|found| sample.interpreter != 0 && sample.interpreter != found.main),
            at_entry: at_entry(&roles, &native, interpreter),
        };
        let in_eval: Vec<bool> = roles.iter().map(|role| *role == Role::Eval).collect();
        let (mut class, mut pieces) = splice(&in_eval, &chain.links, facts);
        if chain.torn && class != Class::NativeOnly {
            class = Class::Unspliced;
            pieces = (0..places.len()).map(Piece::Native).collect();
        }
        let waits = gil_wait(&roles, &places, sample, interpreter);
        let mut leaf_first: Vec<Place> = kernel.iter().map(|address| Place::Kernel(*address)).collect();
        for piece in pieces {
            match piece {
                Piece::Native(index) if roles[index] == Role::Handler || is_trampoline(&places[index]) => {}
                Piece::Native(index) => {
                    leaf_first.push(self.native_place(&places[index], native.addresses[index]));
                    if waits == Some(index) {
                        leaf_first.push(Place::Mark(Mark::GilWait));
                    }
                }
                Piece::Python(index) => leaf_first.push(chain.places[index]),
                Piece::Gap => leaf_first.push(Place::Mark(Mark::Gap)),
            }
        }
        if class == Class::Unspliced {
            leaf_first.push(Place::Mark(Mark::Unspliced));
        } else if !native.root_reached && !leaf_first.contains(&Place::Mark(Mark::Gap)) {
            leaf_first.push(Place::Mark(Mark::Gap));
        }
        self.count(sample, bytes, &native, class, waits.is_some());
        leaf_first.reverse();
        self.stacks.stack(&leaf_first)
    }

    /// The number of the stack of a wait outside system calls, of which the kernel's side at most is known.
    pub fn join_stackless(&mut self, kernel: &[u64], kind: WaitKind) -> u32 {
        let mark = match kind {
            WaitKind::Runnable => Some(Mark::CpuWait),
            WaitKind::Fault => Some(Mark::PageWait),
            WaitKind::Kernel | WaitKind::Blocked => None,
        };
        let kernel = kernel.iter().rev().map(|address| Place::Kernel(*address));
        let places: Vec<Place> = mark.map(Place::Mark).into_iter().chain(kernel).collect();
        self.stacks.stack(&places)
    }

    fn unwind(&mut self, sample: &Sample, bytes: &[u8]) -> NativeStack {
        let whole = sample.stack_size != 0 && bytes.len() as u64 >= sample.stack_size;
        let stack = StackCopy { bytes, start: sample.sp, full: !whole };
        self.spaces.unwind(sample.pid, &sample.registers, stack, sample.time_ns)
    }

    fn read_chain(&mut self, sample: &Sample, interpreter: &Interpreter, relative: Option<u32>) -> Chain {
        let mut chain = Chain::default();
        let place = code::Place { offsets: &interpreter.offsets, code_type: interpreter.code_type, relative };
        for frame in &sample.frames {
            let flagged = interpreter.offsets.entry_is_flag;
            if !flagged && frame.owner >= FIRST_ENTRY_OWNER {
                chain.push(Link::Entry, Place::Nowhere(0));
                continue;
            }
            match self.python_place(sample, place, frame) {
                Some(found) => chain.push(Link::Frame, found),
                None => chain.torn = true,
            }
            if flagged && frame.owner != 0 {
                chain.push(Link::Entry, Place::Nowhere(0));
            }
        }
        chain
    }

    fn python_place(&mut self, sample: &Sample, place: code::Place<'_>, frame: &PythonFrame) -> Option<Place> {
        let found = self.book.resolve(sample.pid, place, frame);
        found.map(|(function, line)| Place::Python(function, line))
    }

    fn native_place(&mut self, place: &Where, address: u64) -> Place {
        match place {
            Where::Image { image, address } => Place::Native(self.stacks.image(image), *address),
            Where::Generated { map, address } => match map.find(*address) {
                Some((start, name)) => self.stacks.generated(start, name),
                None => Place::Nowhere(*address),
            },
            Where::Unreadable { .. } | Where::Unknown => Place::Nowhere(address),
        }
    }

    fn count(&mut self, sample: &Sample, bytes: &[u8], native: &NativeStack, class: Class, waits: bool) {
        let tally = &mut self.stacks.tally;
        *tally.classes.entry(class).or_default() += 1;
        tally.root_reached += u64::from(native.root_reached);
        tally.gil_waited += u64::from(waits);
        tally.gil_held += u64::from(sample.walk == Walk::Attached);
        tally.gil_released += u64::from(sample.walk == Walk::Detached);
        tally.early += u64::from(sample.walk == Walk::Unknown);
        tally.stackless += u64::from(bytes.is_empty());
        tally.cost_ns += u64::from(sample.cost_ns);
        tally.stack_bytes += bytes.len() as u64;
    }
}

impl Chain {
    fn push(&mut self, link: Link, place: Place) {
        self.links.push(link);
        self.places.push(place);
    }
}

/// Whether the innermost activation of the interpreter is at its first instructions, or has called something from there.
fn at_entry(roles: &[Role], native: &NativeStack, interpreter: Option<&Interpreter>) -> bool {
    let innermost = roles.iter().position(|role| *role == Role::Eval);
    interpreter.zip(innermost).is_some_and(|(found, index)| {
        (found.layout.eval_start..found.layout.eval_linked).contains(&native.addresses[index])
    })
}

/// CPython's trampoline for a Python function (`-X perf`): the function itself is on the Python stack.
fn is_trampoline(place: &Where) -> bool {
    let Where::Generated { map, address } = place else {
        return false;
    };
    map.find(*address).is_some_and(|(_, name)| name.starts_with("py::"))
}

/// Index of the native frame that waits for the GIL, if one does. Where the interpreter's own function has no symbol, it
/// is a condition variable waited for by the interpreter itself: everything else it waits for is a semaphore.
fn gil_wait(roles: &[Role], places: &[Where], sample: &Sample, interpreter: Option<&Interpreter>) -> Option<usize> {
    let interpreter = interpreter?;
    if matches!(sample.walk, Walk::NoPython | Walk::Unknown) {
        return None;
    }
    let named = roles.iter().position(|role| *role == Role::TakeGil);
    named.or_else(|| {
        let caller = roles.iter().position(|role| *role == Role::ConditionWait)? + 1;
        let by_interpreter = matches!(
            places.get(caller)?,
            Where::Image { image, .. } if image.path().to_string_lossy().ends_with(&interpreter.path)
        );
        by_interpreter.then_some(caller)
    })
}
