//! The outside of a perf.data file: header, event descriptions, data section.

use std::collections::HashMap;
use std::ops::Range;

/// Why a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PerfDataError {
    #[error("{0}: {1}")]
    Read(String, std::io::Error),
    #[error("not a perf.data file: {0}")]
    NotPerfData(String),
    #[error("damaged perf.data file: {0}")]
    Damaged(String),
    #[error("{0}")]
    Unsupported(String),
}

fn damaged(what: &str) -> PerfDataError {
    PerfDataError::Damaged(what.to_owned())
}

/// Reads little-endian numbers and refuses to leave the bytes.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Text up to a zero byte, or all that is left.
    pub(crate) fn text(&mut self) -> String {
        let end = self.rest.iter().position(|byte| *byte == 0).unwrap_or(self.rest.len());
        String::from_utf8_lossy(&self.rest[..end]).into_owned()
    }
}

/// What the file's samples hold and mean: the fields of `perf_event_attr` that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventAttributes {
    pub kind: u32,
    pub config: u64,
    /// Samples per second where `by_frequency`, else events per sample.
    pub period_or_frequency: u64,
    pub by_frequency: bool,
    pub sample_type: u64,
    pub read_format: u64,
    pub branch_sample_type: u64,
    pub registers: u64,
    pub clock: Option<u32>,
    pub sample_id_all: bool,
}

/// Whole file, taken apart.
pub(crate) struct PerfData<'a> {
    pub attributes: Vec<EventAttributes>,
    /// Event index by sample id.
    pub ids: HashMap<u64, usize>,
    pub records: &'a [u8],
    /// True where the recording was broken off before its header was finished.
    pub unfinished: bool,
}

const MAGIC: &[u8] = b"PERFILE2";
const MAGIC_SWAPPED: &[u8] = b"2ELIFREP";
const FILE_HEADER: u64 = 104;
const PIPE_HEADER: u64 = 16;
const MOST_EVENTS: u64 = 4096;

impl<'a> PerfData<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, PerfDataError> {
        if bytes.starts_with(MAGIC_SWAPPED) {
            return Err(PerfDataError::Unsupported("perf.data of a big-endian machine can't be read here".into()));
        }
        if !bytes.starts_with(MAGIC) {
            return Err(PerfDataError::NotPerfData(match bytes.len() {
                0 => "it is empty".into(),
                _ => "it does not begin with PERFILE2".into(),
            }));
        }
        let mut cursor = Cursor::new(&bytes[MAGIC.len()..]);
        match cursor.u64() {
            Some(PIPE_HEADER) => Self::parse_pipe(bytes),
            Some(FILE_HEADER) => Self::parse_file(bytes, cursor).ok_or_else(|| damaged("its header is cut off"))?,
            Some(size) => Err(damaged(&format!("its header claims {size} bytes"))),
            None => Err(damaged("it ends inside its header")),
        }
    }

    fn parse_file(bytes: &'a [u8], mut cursor: Cursor<'a>) -> Option<Result<Self, PerfDataError>> {
        let entry_size = cursor.u64()?;
        let (attributes_at, data_at) = (section(&mut cursor)?, section(&mut cursor)?);
        let _event_types = section(&mut cursor)?;
        let Some(table) = part(bytes, &attributes_at) else {
            return Some(Err(damaged("its event descriptions lie outside the file")));
        };
        let mut found = Self {
            attributes: Vec::new(),
            ids: HashMap::new(),
            records: &[],
            unfinished: data_at.end == data_at.start,
        };
        let entry_size = usize::try_from(entry_size).ok().filter(|size| *size >= 64 + 16);
        for entry in entry_size.map(|size| table.chunks_exact(size)).into_iter().flatten().take(MOST_EVENTS as usize) {
            let Some(ids) = section(&mut Cursor::new(&entry[entry.len() - 16..])) else { continue };
            found.add_event(entry, part(bytes, &ids).unwrap_or_default());
        }
        // A recording that was killed has no size of its data: everything behind the header is.
        let from = usize::try_from(data_at.start).ok()?;
        let to = if found.unfinished { bytes.len() } else { usize::try_from(data_at.end).ok()?.min(bytes.len()) };
        found.unfinished |= data_at.end > bytes.len() as u64;
        found.records = bytes.get(from..to).unwrap_or_default();
        if found.attributes.is_empty() {
            return Some(Err(damaged("it describes no event")));
        }
        Some(Ok(found))
    }

    /// What `perf record -o -` writes: event descriptions are records among the others.
    fn parse_pipe(bytes: &'a [u8]) -> Result<Self, PerfDataError> {
        const HEADER_ATTR: u32 = 64;
        let records = &bytes[PIPE_HEADER as usize..];
        let mut found = Self { attributes: Vec::new(), ids: HashMap::new(), records, unfinished: false };
        for record in crate::record::Records::new(records) {
            if record.kind == HEADER_ATTR {
                let size = record.body.get(4..8).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes);
                if let Some((entry, ids)) = record.body.split_at_checked(size as usize) {
                    found.add_event(entry, ids);
                }
            }
        }
        if found.attributes.is_empty() {
            return Err(damaged("it describes no event"));
        }
        Ok(found)
    }

    fn add_event(&mut self, entry: &[u8], ids: &[u8]) {
        if let Some(attributes) = EventAttributes::parse(entry) {
            let index = self.attributes.len();
            self.attributes.push(attributes);
            self.ids
                .extend(ids.chunks_exact(8).filter_map(|id| Some((u64::from_le_bytes(id.try_into().ok()?), index))));
        }
    }
}

impl EventAttributes {
    /// From the bytes of a `perf_event_attr` of any version.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let (kind, size) = (cursor.u32()?, cursor.u32()? as usize);
        let (config, period_or_frequency, sample_type) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
        let (read_format, flags) = (cursor.u64()?, cursor.u64()?);
        // Behind the wake-up and breakpoint fields; fields that an older size lacks are zero.
        let later = |offset: usize| {
            let field = (offset + 8 <= size).then(|| bytes.get(offset..offset + 8)).flatten();
            field.and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        Some(Self {
            kind,
            config,
            period_or_frequency,
            by_frequency: flags & (1 << 10) != 0,
            sample_type,
            read_format,
            branch_sample_type: later(72),
            registers: later(80),
            clock: (flags & (1 << 25) != 0).then_some((later(88) >> 32) as u32),
            sample_id_all: flags & (1 << 18) != 0,
        })
    }
}

fn section(cursor: &mut Cursor<'_>) -> Option<Range<u64>> {
    let (offset, size) = (cursor.u64()?, cursor.u64()?);
    Some(offset..offset.saturating_add(size))
}

fn part<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}
