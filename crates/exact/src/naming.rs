//! From places to named frames, once per distinct place and after sampling: inlined functions, symbols, kernel symbols.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use profiler_symbols::{frames_at, Image, Inlines, KernelSymbols, SourceLanguage};
use serde::Serialize;

use crate::code::Function;
use crate::stacks::{Mark, Place, Stacks};

const MOST_THREADS: usize = 8;

/// A frame as the Python side's `RawFrame` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Frame {
    pub kind: &'static str,
    pub name: String,
    pub module: String,
    pub file: String,
    pub line: u32,
    pub inlined: bool,
    /// Where there is no name: start of the function's range, else the address itself.
    pub address: u64,
    /// What the debug information says the function is written in.
    pub language: Option<&'static str>,
}

/// What a file says of itself, as the Python side's `ModuleTraits` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traits {
    pub language: &'static str,
    pub build_id: String,
    pub stripped: bool,
}

/// Stacks of named frames.
pub struct Named {
    pub frames: Vec<Frame>,
    /// Root first, by the same numbers as the stacks of places.
    pub stacks: Vec<Vec<u32>>,
    pub modules: BTreeMap<String, Traits>,
    /// Native places that no symbol names.
    pub unknown: Vec<bool>,
}

/// Name everything that was sampled. `interpreter` is the file that remarks are put under.
pub fn name_stacks(stacks: &Stacks, functions: &[Function], interpreter: &str, kernel: &KernelSymbols) -> Named {
    let mut native = name_native(stacks);
    let mut table = FrameTable::default();
    let mut unknown = Vec::with_capacity(stacks.places().len());
    let expanded: Vec<Vec<u32>> = stacks
        .places()
        .iter()
        .zip(&mut native)
        .map(|(place, native)| {
            let frames = match place {
                Place::Kernel(address) => vec![kernel_frame(kernel, *address)],
                Place::Native(..) => std::mem::take(native),
                Place::Nowhere(address) => vec![Frame { kind: "native", address: *address, ..Frame::default() }],
                Place::Python(function, line) => {
                    vec![python_frame(&functions[*function as usize], *line)]
                }
                Place::Generated(number) => vec![Frame {
                    kind: "native",
                    name: stacks.generated_names()[*number as usize].clone(),
                    ..Frame::default()
                }],
                Place::Mark(mark) => vec![mark_frame(*mark, interpreter)],
            };
            unknown.push(frames.last().is_some_and(|frame| frame.name.is_empty()));
            frames.into_iter().map(|frame| table.number(frame)).collect()
        })
        .collect();
    let numbered = stacks
        .stacks()
        .iter()
        .map(|places| places.iter().flat_map(|place| expanded[*place as usize].iter().copied()).collect())
        .collect();
    let modules = stacks.images().iter().map(|image| (shown_path(image.path()), traits(image))).collect();
    Named { frames: table.frames, stacks: numbered, modules, unknown }
}

/// Frames of each native place, outermost first; nothing for other places. On all CPUs: debug information is slow to
/// read, and the user waits for it.
fn name_native(stacks: &Stacks) -> Vec<Vec<Frame>> {
    let mut order: Vec<(u32, u64, usize)> = stacks
        .places()
        .iter()
        .enumerate()
        .filter_map(|(index, place)| match place {
            Place::Native(image, address) => Some((*image, *address, index)),
            _ => None,
        })
        .collect();
    // Neighbouring addresses share debug information.
    order.sort_unstable();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = order.len().div_ceil(threads).max(1);
    let mut named = vec![Vec::new(); stacks.places().len()];
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            order.chunks(share).map(|part| scope.spawn(|| name_part(stacks.images(), part))).collect();
        for (worker, part) in workers.into_iter().zip(order.chunks(share)) {
            let frames = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            part.iter().zip(frames).for_each(|((_, _, index), frames)| named[*index] = frames);
        }
    });
    named
}

fn name_part(images: &[Arc<Image>], part: &[(u32, u64, usize)]) -> Vec<Vec<Frame>> {
    let mut opened: HashMap<u32, NamedImage<'_>> = HashMap::new();
    part.iter()
        .map(|(image, address, _)| {
            opened.entry(*image).or_insert_with(|| NamedImage::new(&images[*image as usize])).frames(*address)
        })
        .collect()
}

#[derive(Default)]
struct FrameTable {
    frames: Vec<Frame>,
    numbers: HashMap<Frame, u32>,
}

impl FrameTable {
    fn number(&mut self, frame: Frame) -> u32 {
        let number = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(frame).or_insert_with_key(|frame| {
            self.frames.push(frame.clone());
            number
        })
    }
}

/// An image with its debug information opened.
struct NamedImage<'a> {
    image: &'a Image,
    path: String,
    inlines: Option<Inlines<'a>>,
}

impl<'a> NamedImage<'a> {
    fn new(image: &'a Arc<Image>) -> Self {
        Self { image, path: shown_path(image.path()), inlines: Inlines::of(image) }
    }

    /// The functions at an address, outermost first.
    fn frames(&self, address: u64) -> Vec<Frame> {
        let named = frames_at(self.image, address, self.inlines.as_ref()).into_iter().map(|found| Frame {
            kind: "native",
            name: found.name,
            module: self.path.clone(),
            file: found.file,
            line: found.line,
            inlined: found.inlined,
            address: found.address,
            language: found.language.map(|language| match language {
                SourceLanguage::Rust => "rust",
                SourceLanguage::C => "c",
            }),
        });
        named.collect()
    }
}

fn kernel_frame(symbols: &KernelSymbols, address: u64) -> Frame {
    match symbols.find(address) {
        Some(found) => {
            Frame { kind: "kernel", name: found.name.to_owned(), module: found.module.to_owned(), ..Frame::default() }
        }
        None => Frame { kind: "kernel", address, ..Frame::default() },
    }
}

fn python_frame(function: &Function, line: u32) -> Frame {
    Frame {
        kind: "python",
        name: function.name.clone(),
        module: function.file.clone(),
        file: function.file.clone(),
        line,
        ..Frame::default()
    }
}

fn mark_frame(mark: Mark, interpreter: &str) -> Frame {
    let (name, module) = match mark {
        Mark::Gap => ("[native frames missing]", ""),
        Mark::Unspliced => ("[unspliced]", ""),
        Mark::CpuWait => ("[waiting for a CPU]", ""),
        Mark::PageWait => ("[waiting for a page of memory]", ""),
        Mark::GilWait => ("[waiting for the GIL]", interpreter),
    };
    Frame { kind: "native", name: name.to_owned(), module: module.to_owned(), ..Frame::default() }
}

fn traits(image: &Image) -> Traits {
    let marks = image.marks();
    let language = match (marks.cpython, marks.rust) {
        (true, _) => "cpython",
        (false, true) => "rust",
        (false, false) => "c",
    };
    Traits { language, build_id: image.build_id().to_owned(), stripped: marks.stripped }
}

/// A file's path as the process sees it, without the way into its root folder.
fn shown_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let inside = text.strip_prefix("/proc/").and_then(|rest| rest.split_once("/root/"));
    inside.map_or_else(|| text.clone().into_owned(), |(_, rest)| format!("/{rest}"))
}
