//! Source lines and inlined functions from DWARF.

use addr2line::Context;
use gimli::{DwLang, DwarfSections, EndianSlice, LittleEndian};

use crate::bytes::SharedBytes;
use crate::image::Image;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// A function at an address, as the debug information tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFrame {
    /// Linkage name where there is one, else the plain name; empty where only the line is known.
    pub name: String,
    pub file: String,
    pub line: u32,
    pub language: Option<SourceLanguage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceLanguage {
    Rust,
    /// C, C++ or assembly.
    C,
}

/// Looks addresses up in one image. Not shared between threads: each makes its own.
pub struct Inlines<'a> {
    context: Context<Slice<'a>>,
}

pub(crate) fn load(image: &Image) -> DwarfSections<SharedBytes> {
    let section = |id: gimli::SectionId| Ok::<_, ()>(image.section_plain(id.name()));
    DwarfSections::load(section).unwrap_or_else(|()| unreachable!("the loader above gives no error"))
}

impl<'a> Inlines<'a> {
    /// `None` where neither the file nor its debug file has debug information.
    pub fn of(image: &'a Image) -> Option<Self> {
        let source = if image.marks().has_debug_info { image } else { image.debug_file()? };
        if !source.marks().has_debug_info {
            return None;
        }
        let dwarf = source.dwarf().borrow(|section| EndianSlice::new(section, LittleEndian));
        Some(Self { context: Context::from_dwarf(dwarf).ok()? })
    }

    /// Functions at an address, outermost first; all but the first are inlined into the one before.
    pub fn find(&self, address: u64) -> Vec<SourceFrame> {
        let Ok(mut found) = self.context.find_frames(address).skip_all_loads() else {
            return Vec::new();
        };
        let mut frames = Vec::new();
        while let Ok(Some(frame)) = found.next() {
            let function = frame.function.as_ref();
            let location = frame.location.as_ref();
            frames.push(SourceFrame {
                name: function.and_then(|name| name.raw_name().ok()).map_or_else(String::new, |name| name.into_owned()),
                file: location.and_then(|place| place.file).unwrap_or_default().to_owned(),
                line: location.and_then(|place| place.line).unwrap_or(0),
                language: function.and_then(|name| name.language).and_then(language),
            });
            if frames.len() == MOST_INLINED {
                break;
            }
        }
        frames.reverse();
        frames
    }
}

/// Deeper nesting than any compiler makes: damaged debug information.
const MOST_INLINED: usize = 512;

fn language(found: DwLang) -> Option<SourceLanguage> {
    match found {
        gimli::DW_LANG_Rust => Some(SourceLanguage::Rust),
        gimli::DW_LANG_C
        | gimli::DW_LANG_C89
        | gimli::DW_LANG_C99
        | gimli::DW_LANG_C11
        | gimli::DW_LANG_C17
        | gimli::DW_LANG_C_plus_plus
        | gimli::DW_LANG_C_plus_plus_03
        | gimli::DW_LANG_C_plus_plus_11
        | gimli::DW_LANG_C_plus_plus_14
        | gimli::DW_LANG_C_plus_plus_17
        | gimli::DW_LANG_C_plus_plus_20
        | gimli::DW_LANG_Mips_Assembler => Some(SourceLanguage::C),
        _ => None,
    }
}
