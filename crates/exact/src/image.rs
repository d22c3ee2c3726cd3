//! What the sampler needs of an ELF file: unwind tables, and the address ranges of a few functions.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use framehop::ExplicitModuleSectionInfo;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol};

const PAGE: u64 = 4096;

/// Bytes of a section, shared between the processes that map the file.
pub type Bytes = Arc<[u8]>;

/// Sorted, possibly empty ranges in a file's own addresses.
#[derive(Clone, Debug, Default)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Whether an address lies in one of them.
    pub fn contain(&self, address: u64) -> bool {
        let after = self.0.partition_point(|range| range.start <= address);
        after > 0 && self.0[after - 1].contains(&address)
    }
}

/// An ELF file as the sampler sees it.
#[derive(Debug)]
pub struct Image {
    /// As the process sees it.
    pub path: String,
    /// Where this process can read it, as long as a process maps it.
    pub readable: String,
    /// The evaluation function of CPython, its cold part included.
    pub eval: Ranges,
    /// Opcode handlers of a tail-calling interpreter; each runs on top of the evaluation function's own frame.
    pub handlers: Ranges,
    /// Waiting for the GIL, where the symbol is there.
    pub take_gil: Ranges,
    /// Waiting for a condition variable.
    pub wait: Ranges,
    sections: ExplicitModuleSectionInfo<Bytes>,
    segments: Vec<Segment>,
}

#[derive(Debug)]
struct Segment {
    offset: u64,
    size: u64,
    address: u64,
}

impl Image {
    /// Read a file. None where it is no ELF file or can't be read.
    pub fn open(path: &str, readable: &Path) -> Option<Self> {
        let data = fs::read(readable).ok()?;
        Self::parse(path, &readable.to_string_lossy(), &data)
    }

    /// The same from bytes already at hand.
    pub fn parse(path: &str, readable: &str, data: &[u8]) -> Option<Self> {
        let file = object::File::parse(data).ok()?;
        Some(Self {
            path: path.to_owned(),
            readable: readable.to_owned(),
            eval: functions(&file, |name| name.starts_with("_PyEval_EvalFrameDefault")),
            handlers: functions(&file, |name| name.starts_with("_TAIL_CALL_")),
            take_gil: functions(&file, |name| name == "take_gil" || name.starts_with("take_gil.")),
            wait: functions(&file, |name| {
                matches!(name, "pthread_cond_timedwait" | "pthread_cond_clockwait" | "pthread_cond_wait")
            }),
            sections: sections(&file),
            segments: segments(&file),
        })
    }

    /// Unwind tables for framehop.
    pub fn sections(&self) -> ExplicitModuleSectionInfo<Bytes> {
        self.sections.clone()
    }

    /// What to add to the file's addresses where it is mapped at `start` from `offset` on.
    pub fn bias(&self, start: u64, offset: u64) -> Option<u64> {
        bias_of(&self.segments, start, offset)
    }
}

/// What to add to a file's own addresses where it is mapped at `start` from `offset` on.
pub fn load_bias(file: &object::File<'_>, start: u64, offset: u64) -> Option<u64> {
    bias_of(&segments(file), start, offset)
}

fn bias_of(segments: &[Segment], start: u64, offset: u64) -> Option<u64> {
    segments.iter().find_map(|segment| {
        let first = segment.offset / PAGE * PAGE;
        let inside = offset >= first && offset < segment.offset + segment.size.max(1);
        inside.then(|| start.wrapping_sub((segment.address - (segment.offset - first)) + (offset - first)))
    })
}

fn segments(file: &object::File<'_>) -> Vec<Segment> {
    file.segments()
        .map(|segment| {
            let (offset, size) = segment.file_range();
            Segment { offset, size, address: segment.address() }
        })
        .collect()
}

fn functions(file: &object::File<'_>, wanted: impl Fn(&str) -> bool) -> Ranges {
    let mut ranges: Vec<Range<u64>> = file
        .symbols()
        .chain(file.dynamic_symbols())
        .filter(|symbol| symbol.is_definition() && symbol.size() > 0 && symbol.name().is_ok_and(&wanted))
        .map(|symbol| symbol.address()..symbol.address() + symbol.size())
        .collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup();
    Ranges(ranges)
}

fn sections(file: &object::File<'_>) -> ExplicitModuleSectionInfo<Bytes> {
    let range = |name: &str| {
        let section = file.section_by_name(name)?;
        Some(section.address()..section.address() + section.size())
    };
    let data = |name: &str| -> Option<Bytes> { Some(file.section_by_name(name)?.uncompressed_data().ok()?.into()) };
    ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: data(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: data(".eh_frame_hdr"),
        debug_frame: if file.section_by_name(".eh_frame").is_none() { data(".debug_frame") } else { None },
        ..ExplicitModuleSectionInfo::default()
    }
}
