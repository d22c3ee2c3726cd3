//! From places to named frames, once per distinct place and after sampling: inlined functions, symbols, kernel symbols.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use profiler_symbols::{frames_at, Image, Inlines, KernelSymbols, SourceLanguage};
use serde::Serialize;

use crate::code::Function;
use crate::stacks::{Mark, Place, Stacks};

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
pub fn name_stacks(stacks: &Stacks, functions: &[Function], interpreter: &str) -> Named {
    let kernel = if stacks.places().iter().any(|place| matches!(place, Place::Kernel(_))) {
        KernelSymbols::read().unwrap_or_default()
    } else {
        KernelSymbols::default()
    };
    let images: Vec<NamedImage<'_>> = stacks.images().iter().map(NamedImage::new).collect();
    let mut table = FrameTable::default();
    let mut unknown = Vec::with_capacity(stacks.places().len());
    let expanded: Vec<Vec<u32>> = stacks
        .places()
        .iter()
        .map(|place| {
            let frames = match place {
                Place::Kernel(address) => vec![kernel_frame(&kernel, *address)],
                Place::Native(image, address) => images[*image as usize].frames(*address),
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
