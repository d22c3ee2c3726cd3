//! Each distinct location to its functions, inlined ones included.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::Arc;

use profiler_symbols::{frames_at, Image, Inlines, KernelSymbols, SourceLanguage};

use crate::capture::{Frame, Kind, Language};
use crate::interning::Location;

/// Frames of every location, outermost first.
pub(crate) fn name_all(locations: &[Location], kernel: Option<&KernelSymbols>, threads: usize) -> Vec<Vec<Frame>> {
    // Neighbouring addresses share debug information: sort by file and address, then cut into equal parts.
    let mut order: Vec<usize> = (0..locations.len()).collect();
    order.sort_by_key(|index| locations[*index].key());
    let share = order.len().div_ceil(threads.max(1)).max(1);
    let mut named: Vec<Vec<Frame>> = vec![Vec::new(); locations.len()];
    std::thread::scope(|scope| {
        let workers: Vec<_> = order
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().copied().zip(name_part(locations, part, kernel)).collect()))
            .collect();
        for worker in workers {
            let part: Vec<(usize, Vec<Frame>)> = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            part.into_iter().for_each(|(index, frames)| named[index] = frames);
        }
    });
    named
}

fn name_part(locations: &[Location], part: &[usize], kernel: Option<&KernelSymbols>) -> Vec<Vec<Frame>> {
    let mut inlines: HashMap<*const Image, Option<Inlines<'_>>> = HashMap::new();
    part.iter()
        .map(|index| match &locations[*index] {
            Location::Image { image, address } => {
                let inlines = inlines.entry(Arc::as_ptr(image)).or_insert_with(|| Inlines::of(image));
                in_image(image, *address, inlines.as_ref())
            }
            Location::Unreadable { path, address } => {
                vec![Frame { module: path.to_string(), address: *address, ..Frame::of(Kind::Native) }]
            }
            Location::Generated { map, address } => {
                let (start, name) = map.find(*address).unwrap_or((*address, ""));
                vec![generated(start, name)]
            }
            Location::Kernel { address } => vec![in_kernel(*address, kernel)],
            Location::Unknown { address } => vec![Frame { address: *address, ..Frame::of(Kind::Native) }],
        })
        .collect()
}

fn in_image(image: &Image, address: u64, inlines: Option<&Inlines<'_>>) -> Vec<Frame> {
    let module = image.path().to_string_lossy().into_owned();
    let named = frames_at(image, address, inlines).into_iter().map(|found| Frame {
        name: found.name,
        module: module.clone(),
        file: found.file,
        line: found.line,
        inlined: found.inlined,
        address: found.address,
        language: found.language.map(language),
        ..Frame::of(Kind::Native)
    });
    named.collect()
}

fn language(found: SourceLanguage) -> Language {
    match found {
        SourceLanguage::Rust => Language::Rust,
        SourceLanguage::C => Language::C,
    }
}

/// CPython's trampolines are named `py::function:file`; other run-time code keeps its name.
fn generated(start: u64, name: &str) -> Frame {
    match name.strip_prefix("py::").and_then(|rest| rest.split_once(':')) {
        Some((function, file)) => {
            let (name, file) = (function.to_owned(), file.to_owned());
            Frame { name, module: file.clone(), file, ..Frame::of(Kind::Python) }
        }
        None => Frame { name: name.to_owned(), module: "[jit]".to_owned(), address: start, ..Frame::of(Kind::Native) },
    }
}

fn in_kernel(address: u64, kernel: Option<&KernelSymbols>) -> Frame {
    match kernel.and_then(|symbols| symbols.find(address)) {
        Some(symbol) => {
            Frame { name: symbol.name.to_owned(), module: symbol.module.to_owned(), ..Frame::of(Kind::Kernel) }
        }
        None => Frame { address, ..Frame::of(Kind::Kernel) },
    }
}
