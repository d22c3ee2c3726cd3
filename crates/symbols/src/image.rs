//! An ELF file: segments, sections, build id, and what it says of its language.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gimli::DwarfSections;
use object::{Object, ObjectSection, ObjectSegment, SegmentFlags};

use crate::bytes::SharedBytes;
use crate::inlines;
use crate::marks::Marks;
use crate::ranges::FunctionRanges;
use crate::split;
use crate::table::{Symbol, SymbolTable};

/// Why a file can't be read as an ELF image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("{path}: {source}", path = .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: not a readable ELF file ({reason})", path = .path.display())]
    Format { path: PathBuf, reason: String },
}

/// A loaded part of the file.
#[derive(Debug, Clone)]
pub struct Segment {
    pub file: Range<u64>,
    /// Address in the file's own address space.
    pub address: u64,
    pub executable: bool,
}

/// An opened ELF file. Tables are read when first asked for.
pub struct Image {
    path: PathBuf,
    data: SharedBytes,
    segments: Vec<Segment>,
    build_id: String,
    marks: Marks,
    table: OnceLock<SymbolTable>,
    ranges: OnceLock<FunctionRanges>,
    split: OnceLock<Option<Range<u64>>>,
    debug: OnceLock<Option<Box<Image>>>,
    dwarf: OnceLock<DwarfSections<SharedBytes>>,
}

impl Image {
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let fail = |source| ImageError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        if !file.metadata().map_err(fail)?.is_file() {
            return Err(ImageError::Format { path: path.to_owned(), reason: "not a regular file".into() });
        }
        // SAFETY: the mapping is private and read-only. Someone who shortens a library while it is read could kill
        // this process with SIGBUS; package managers replace files by rename, which leaves the mapping whole.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
        Self::parse(path.to_owned(), SharedBytes::new(map))
    }

    /// An image from memory: the vDSO, a test.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, ImageError> {
        Self::parse(path.to_owned(), SharedBytes::new(bytes))
    }

    fn parse(path: PathBuf, data: SharedBytes) -> Result<Self, ImageError> {
        let file = object::File::parse(&*data)
            .map_err(|error| ImageError::Format { path: path.clone(), reason: error.to_string() })?;
        let segments = file
            .segments()
            .map(|segment| {
                let (offset, size) = segment.file_range();
                Segment {
                    file: offset..offset.saturating_add(size),
                    address: segment.address(),
                    executable: matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & 1 != 0),
                }
            })
            .collect();
        let build_id = file.build_id().ok().flatten().map(hexadecimal).unwrap_or_default();
        let marks = Marks::of(&file);
        let (table, ranges, split) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let (debug, dwarf) = (OnceLock::new(), OnceLock::new());
        Ok(Self { path, segments, build_id, marks, table, ranges, split, debug, dwarf, data })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn build_id(&self) -> &str {
        &self.build_id
    }

    /// What the file says of its language, and whether its symbols were removed.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What to add to the file's own addresses where a mapping of `page_offset` starts at `start`.
    pub fn bias(&self, start: u64, page_offset: u64) -> Option<u64> {
        let holds = |segment: &&Segment| {
            // A mapping begins at the page that holds the segment's first byte.
            let first = segment.file.start & !0xfff;
            page_offset >= first && page_offset < segment.file.end
        };
        let executable = self.segments.iter().filter(|segment| segment.executable).find(holds);
        let segment = executable.or_else(|| self.segments.iter().find(holds))?;
        Some(start.wrapping_sub(page_offset).wrapping_add(segment.file.start).wrapping_sub(segment.address))
    }

    /// A section's own address and its bytes where they lie uncompressed in the file.
    pub fn section(&self, name: &str) -> Option<(u64, SharedBytes)> {
        let file = object::File::parse(&*self.data).ok()?;
        let section = file.section_by_name(name)?;
        let (offset, size) = section.file_range()?;
        Some((section.address(), self.data.part(offset, size)?))
    }

    /// A section's bytes, decompressed where needed. Empty where there is none.
    pub(crate) fn section_plain(&self, name: &str) -> SharedBytes {
        let empty = SharedBytes::default;
        let Ok(file) = object::File::parse(&*self.data) else {
            return empty();
        };
        let Some(section) = file.section_by_name(name) else {
            return empty();
        };
        match section.compressed_file_range() {
            Ok(range) if range.format == object::CompressionFormat::None => {
                self.data.part(range.offset, range.uncompressed_size).unwrap_or_else(empty)
            }
            // A damaged header could claim any size: 64 times the compressed bytes is more than DWARF ever gives.
            Ok(range) if range.uncompressed_size / 64 <= range.compressed_size => {
                section.uncompressed_data().map_or_else(|_| empty(), |bytes| SharedBytes::new(bytes.into_owned()))
            }
            _ => empty(),
        }
    }

    /// The symbol that covers an address, from this file or its separate debug file.
    pub fn symbol(&self, address: u64) -> Option<Symbol<'_>> {
        let own = self.table.get_or_init(|| SymbolTable::read(&self.data));
        let debug = || {
            let debug = self.debug_file()?;
            let table = debug.table.get_or_init(|| SymbolTable::read(&debug.data));
            table.find(&debug.data, address)
        };
        own.find(&self.data, address).or_else(debug).or_else(|| {
            let part = self.split.get_or_init(|| split::find(self)).as_ref()?;
            part.contains(&address).then_some(Symbol { name: split::PART, start: part.start })
        })
    }

    /// The file's bytes at its own addresses.
    pub(crate) fn code(&self, range: &Range<u64>) -> Option<SharedBytes> {
        let holds = |segment: &&Segment| {
            let size = segment.file.end - segment.file.start;
            segment.executable && segment.address <= range.start && range.end - segment.address <= size
        };
        let segment = self.segments.iter().find(holds)?;
        self.data.part(segment.file.start + (range.start - segment.address), range.end - range.start)
    }

    /// Whether the range of the unwind tables around an address is no function of its own.
    pub(crate) fn begins_inside(&self, address: u64) -> bool {
        self.ranges.get_or_init(|| FunctionRanges::read(self)).begins_inside(address)
    }

    /// The function's address range by the unwind tables, for files without symbols.
    pub fn function_range(&self, address: u64) -> Option<Range<u64>> {
        self.ranges.get_or_init(|| FunctionRanges::read(self)).find(address)
    }

    /// The separate debug file of the same build id, where one is installed.
    pub fn debug_file(&self) -> Option<&Image> {
        self.debug.get_or_init(|| crate::debug_file::find(self).map(Box::new)).as_deref()
    }

    pub(crate) fn dwarf(&self) -> &DwarfSections<SharedBytes> {
        self.dwarf.get_or_init(|| inlines::load(self))
    }

    pub(crate) fn data(&self) -> &SharedBytes {
        &self.data
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
