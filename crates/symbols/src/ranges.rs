//! Function ranges from `.eh_frame`: what is left to tell functions apart in a stripped file.

use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameHdr, EndianSlice, FrameDescriptionEntry, LittleEndian, Pointer,
    UnwindContext, UnwindSection, X86_64,
};

use crate::bytes::SharedBytes;
use crate::image::Image;

/// The files a server loads have well under a million functions; a damaged file must not fill memory.
const MOST_RANGES: usize = 4_000_000;

pub(crate) enum FunctionRanges {
    /// The sorted table that the linker made.
    Table { header: SharedBytes, frames: SharedBytes, bases: BaseAddresses },
    /// Read once from the frames where there is no table.
    List(Vec<Range<u64>>),
}

impl FunctionRanges {
    pub(crate) fn read(image: &Image) -> Self {
        let Some((frame_address, frames)) = image.section(".eh_frame") else {
            return Self::List(Vec::new());
        };
        let mut bases = BaseAddresses::default().set_eh_frame(frame_address);
        if let Some((address, _)) = image.section(".text") {
            bases = bases.set_text(address);
        }
        if let Some((address, header)) = image.section(".eh_frame_hdr") {
            bases = bases.set_eh_frame_hdr(address);
            if EhFrameHdr::new(&header, LittleEndian).parse(&bases, 8).is_ok_and(|parsed| parsed.table().is_some()) {
                return Self::Table { header, frames, bases };
            }
        }
        Self::List(walk(&frames, &bases))
    }

    pub(crate) fn find(&self, address: u64) -> Option<Range<u64>> {
        match self {
            Self::Table { header, frames, bases } => {
                let entry = entry_of(header, &EhFrame::new(frames, LittleEndian), bases, address)?;
                let range = entry.initial_address()..entry.initial_address().saturating_add(entry.len());
                range.contains(&address).then_some(range)
            }
            Self::List(ranges) => {
                let after = ranges.partition_point(|range| range.start <= address);
                ranges[..after].last().filter(|range| range.contains(&address)).cloned()
            }
        }
    }
}

impl FunctionRanges {
    /// Whether the range around an address begins with a frame already made: compilers put a function's unlikely part
    /// elsewhere, and jump there from the middle of the function.
    pub(crate) fn begins_inside(&self, address: u64) -> bool {
        let Self::Table { header, frames, bases } = self else {
            return false;
        };
        let section = EhFrame::new(frames, LittleEndian);
        let Some(entry) = entry_of(header, &section, bases, address) else {
            return false;
        };
        let mut context = UnwindContext::new();
        let Ok(mut rows) = entry.rows(&section, bases, &mut context) else {
            return false;
        };
        // At a function's first instruction there is nothing on the stack but the return address.
        matches!(rows.next_row(), Ok(Some(row)) if !matches!(
            row.cfa(), CfaRule::RegisterAndOffset { register: X86_64::RSP, offset: 8 }
        ))
    }
}

type Frames<'a> = EndianSlice<'a, LittleEndian>;

fn entry_of<'a>(
    header: &[u8],
    section: &EhFrame<Frames<'a>>,
    bases: &BaseAddresses,
    address: u64,
) -> Option<FrameDescriptionEntry<Frames<'a>>> {
    let parsed = EhFrameHdr::new(header, LittleEndian).parse(bases, 8).ok()?;
    // Step by step, because the way in one step subtracts without looking when the table is damaged.
    let Pointer::Direct(place) = parsed.table()?.lookup(address, bases).ok()? else {
        return None;
    };
    let offset = usize::try_from(place.checked_sub(bases.eh_frame.section?)?).ok()?;
    section.fde_from_offset(bases, offset.into(), EhFrame::cie_from_offset).ok()
}

fn walk(frames: &[u8], bases: &BaseAddresses) -> Vec<Range<u64>> {
    let section: EhFrame<EndianSlice<'_, LittleEndian>> = EhFrame::new(frames, LittleEndian);
    let mut entries = section.entries(bases);
    let mut ranges = Vec::new();
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else {
            continue;
        };
        ranges.push(fde.initial_address()..fde.initial_address().saturating_add(fde.len()));
        if ranges.len() == MOST_RANGES {
            break;
        }
    }
    ranges.sort_by_key(|range| range.start);
    ranges
}
