//! One sample's registers, stack bytes, kernel chain and Python frames become one stack.

use framehop::x86_64::CacheX86_64;
use profiler_splice::{splice, Class, Facts, Link, Piece};

use crate::code::{self, CodeBook};
use crate::interpreter::Interpreter;
use crate::record::{PythonFrame, Sample, Walk};
use crate::space::{Images, NativeStack, Registers, Space};
use crate::stacks::{Mark, Place, Stacks};

/// Owner byte of the frames that close a segment, CPython 3.12 and later.
const FIRST_ENTRY_OWNER: u8 = 3;

/// What joining needs besides the sample.
pub struct Joiner {
    cache: CacheX86_64,
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
    pub fn new() -> Self {
        Self { cache: CacheX86_64::new(), book: CodeBook::default(), stacks: Stacks::default() }
    }

    /// The number of the sample's stack; the tally is brought up to date.
    pub fn join(
        &mut self,
        sample: &Sample,
        bytes: &[u8],
        kernel: &[u64],
        space: &mut Space,
        images: &mut Images,
        interpreter: Option<&Interpreter>,
    ) -> u32 {
        let registers = Registers { ip: sample.ip, sp: sample.sp, bp: sample.bp };
        let mut native = space.unwind(&mut self.cache, registers, bytes);
        if native.strange && space.rescan(images, sample.time_ns) {
            native = space.unwind(&mut self.cache, registers, bytes);
        }
        let chain = interpreter.map_or_else(Chain::default, |found| self.read_chain(sample, found));
        let in_eval = activations(&native, space);
        let facts = Facts {
            root_reached: native.root_reached,
            chain_ended: !matches!(sample.walk, Walk::Fault | Walk::TooDeep),
        };
        let (mut class, mut pieces) = splice(&in_eval.inside, &chain.links, facts);
        if chain.torn && class != Class::NativeOnly {
            class = Class::Unspliced;
            pieces = (0..native.addresses.len()).map(Piece::Native).collect();
        }
        let waits = self.gil_wait(sample, &native, space, interpreter);
        let mut leaf_first: Vec<Place> = kernel.iter().map(|address| Place::Kernel(*address)).collect();
        for piece in pieces {
            match piece {
                Piece::Native(index) if in_eval.handler[index] => {}
                Piece::Native(index) => {
                    leaf_first.push(self.native_place(native.addresses[index], space));
                    if waits == Some(index) {
                        leaf_first.push(Place::Mark(Mark::GilWait));
                    }
                }
                Piece::Python(index) => leaf_first.push(chain.places[index]),
                Piece::Gap => leaf_first.push(Place::Mark(Mark::Gap)),
            }
        }
        match class {
            Class::Unspliced => leaf_first.push(Place::Mark(Mark::Unspliced)),
            _ if !native.root_reached && !leaf_first.contains(&Place::Mark(Mark::Gap)) => {
                leaf_first.push(Place::Mark(Mark::Gap));
            }
            _ => {}
        }
        self.count(sample, bytes, &native, class, waits.is_some());
        leaf_first.reverse();
        self.stacks.stack(&leaf_first)
    }

    fn read_chain(&mut self, sample: &Sample, interpreter: &Interpreter) -> Chain {
        let mut chain = Chain::default();
        let place = code::Place { offsets: &interpreter.offsets, code_type: interpreter.code_type };
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
        let found = self.book.resolve(sample.pid, place, frame.code, frame.instruction, sample.time_ns);
        found.map(|(function, line)| Place::Python(function, line))
    }

    fn native_place(&mut self, address: u64, space: &Space) -> Place {
        match space.find(address) {
            Some(file) => Place::Native(self.stacks.image(&file.image), address.wrapping_sub(file.bias)),
            None => Place::Nowhere(address),
        }
    }

    /// Index of the native frame that waits for the GIL, if one does. Where the interpreter's own function has no
    /// symbol, it is a condition variable waited for by the interpreter itself: everything else it waits for is a
    /// semaphore.
    fn gil_wait(
        &self,
        sample: &Sample,
        native: &NativeStack,
        space: &Space,
        interpreter: Option<&Interpreter>,
    ) -> Option<usize> {
        let interpreter = interpreter?;
        if matches!(sample.walk, Walk::NoPython | Walk::Unknown) {
            return None;
        }
        let files: Vec<_> = native.addresses.iter().map(|address| space.find(*address)).collect();
        let inside = |index: usize, ranges: fn(&crate::image::Image) -> &crate::image::Ranges| {
            files[index].is_some_and(|file| ranges(&file.image).contain(native.addresses[index].wrapping_sub(file.bias)))
        };
        let named = (0..files.len()).find(|index| inside(*index, |image| &image.take_gil));
        named.or_else(|| {
            let wait = (0..files.len()).find(|index| inside(*index, |image| &image.wait))?;
            let caller = wait + 1;
            let path = files.get(caller)?.map(|file| file.image.path.as_str());
            (path == Some(interpreter.path.as_str())).then_some(caller)
        })
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

impl Default for Joiner {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    fn push(&mut self, link: Link, place: Place) {
        self.links.push(link);
        self.places.push(place);
    }
}

/// Which native frames are activations of the interpreter.
struct Activations {
    /// The evaluation function itself.
    inside: Vec<bool>,
    /// An opcode handler on top of it, to be shown as part of it.
    handler: Vec<bool>,
}

fn activations(native: &NativeStack, space: &Space) -> Activations {
    let count = native.addresses.len();
    let mut result = Activations { inside: vec![false; count], handler: vec![false; count] };
    for (index, address) in native.addresses.iter().enumerate() {
        let Some(file) = space.find(*address) else { continue };
        let own = address.wrapping_sub(file.bias);
        result.inside[index] = file.image.eval.contain(own);
        result.handler[index] = file.image.handlers.contain(own);
    }
    result
}
