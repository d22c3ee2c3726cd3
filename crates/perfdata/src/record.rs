//! Records and their fields, by the layout of `perf_event_open(2)`.

use profiler_unwind::{Mapping, Registers};

use crate::file::{Cursor, EventAttributes};

pub(crate) const MMAP: u32 = 1;
pub(crate) const LOST: u32 = 2;
pub(crate) const COMM: u32 = 3;
pub(crate) const FORK: u32 = 7;
pub(crate) const SAMPLE: u32 = 9;
pub(crate) const MMAP2: u32 = 10;
pub(crate) const LOST_SAMPLES: u32 = 13;
pub(crate) const COMPRESSED: u32 = 81;
pub(crate) const COMPRESSED2: u32 = 83;
const FIRST_USER_TYPE: u32 = 64;
const AUXTRACE: u32 = 71;

const MISC_MMAP_DATA: u16 = 1 << 13;
const MISC_COMM_EXEC: u16 = 1 << 13;
const MISC_FORK_EXEC: u16 = 1 << 13;
const MISC_MMAP_BUILD_ID: u16 = 1 << 14;
const MISC_CPU_MODE: u16 = 7;
const MISC_KERNEL: u16 = 1;
const PROTECTION_EXEC: u32 = 4;

/// A record: type, flags, and its body in the file.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    pub kind: u32,
    pub misc: u16,
    pub body: &'a [u8],
    /// Offset of the record in the data.
    pub offset: usize,
}

/// Record by record; ends at the first that does not fit.
pub(crate) struct Records<'a> {
    data: &'a [u8],
    offset: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, offset: 0 }
    }

    /// Where reading ended.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn at(data: &'a [u8], offset: usize) -> Option<Record<'a>> {
        let mut header = Cursor::new(data.get(offset..)?);
        let (kind, misc, size) = (header.u32()?, header.u16()?, usize::from(header.u16()?));
        let body = header.take(size.checked_sub(8)?)?;
        Some(Record { kind, misc, body, offset })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let record = Self::at(self.data, self.offset)?;
        self.offset += 8 + record.body.len();
        if record.kind == AUXTRACE {
            // The only record with data behind it, whose size it names first.
            let size = Cursor::new(record.body).u64()?;
            self.offset = self.offset.checked_add(usize::try_from(size).ok()?)?;
        }
        Some(record)
    }
}

impl Record<'_> {
    pub(crate) fn is_of_perf_tool(&self) -> bool {
        self.kind >= FIRST_USER_TYPE
    }

    /// True where the sample was taken in the kernel.
    pub(crate) fn in_kernel(&self) -> bool {
        self.misc & MISC_CPU_MODE == MISC_KERNEL
    }
}

// Bits of `sample_type`.
const IP: u64 = 1;
const TID: u64 = 1 << 1;
const TIME: u64 = 1 << 2;
const ADDR: u64 = 1 << 3;
const READ: u64 = 1 << 4;
const CALLCHAIN: u64 = 1 << 5;
const ID: u64 = 1 << 6;
const CPU: u64 = 1 << 7;
const PERIOD: u64 = 1 << 8;
const STREAM_ID: u64 = 1 << 9;
const RAW: u64 = 1 << 10;
const BRANCH_STACK: u64 = 1 << 11;
const REGS_USER: u64 = 1 << 12;
const STACK_USER: u64 = 1 << 13;
const IDENTIFIER: u64 = 1 << 16;
const BRANCH_HW_INDEX: u64 = 1 << 17;

const ABI_64: u64 = 2;

/// A sample; borrowed parts stay in the file.
pub(crate) struct Sample<'a> {
    pub ip: u64,
    pub pid: i32,
    pub tid: i32,
    pub period: Option<u64>,
    /// Kernel and user addresses, separated by context markers.
    pub chain: &'a [u8],
    /// `None` where the thread has no 64-bit user registers: a kernel thread, a 32-bit program.
    pub registers: Option<Registers>,
    /// Copied bytes and whether the copy is as long as it was asked to be.
    pub stack: Option<(&'a [u8], bool)>,
}

/// Decodes the records of one event.
#[derive(Clone)]
pub(crate) struct Layout {
    attributes: EventAttributes,
}

impl Layout {
    pub(crate) fn new(attributes: EventAttributes) -> Self {
        Self { attributes }
    }

    fn has(&self, bit: u64) -> bool {
        self.attributes.sample_type & bit != 0
    }

    /// Sample id, where the event's samples begin with it.
    pub(crate) fn identifier(&self, body: &[u8]) -> Option<u64> {
        let before = [IP, TID, TIME, ADDR].iter().filter(|bit| self.has(**bit)).count() * 8;
        let offset = match () {
            () if self.has(IDENTIFIER) => 0,
            () if self.has(ID) => before,
            () => return None,
        };
        Cursor::new(body.get(offset..)?).u64()
    }

    /// Time of a sample.
    pub(crate) fn sample_time(&self, body: &[u8]) -> Option<u64> {
        if !self.has(TIME) {
            return None;
        }
        let offset = [IDENTIFIER, IP, TID].iter().filter(|bit| self.has(**bit)).count() * 8;
        Cursor::new(body.get(offset..)?).u64()
    }

    /// Time of any other record, from the identity behind it.
    pub(crate) fn record_time(&self, body: &[u8]) -> Option<u64> {
        if !self.attributes.sample_id_all || !self.has(TIME) {
            return None;
        }
        let behind = [TIME, ID, STREAM_ID, CPU, IDENTIFIER].iter().filter(|bit| self.has(**bit)).count() * 8;
        Cursor::new(body.get(body.len().checked_sub(behind)?..)?).u64()
    }

    pub(crate) fn sample<'a>(&self, body: &'a [u8]) -> Option<Sample<'a>> {
        let mut cursor = Cursor::new(body);
        let field = |bit: u64, cursor: &mut Cursor<'a>| if self.has(bit) { cursor.u64().map(Some) } else { Some(None) };
        field(IDENTIFIER, &mut cursor)?;
        let ip = field(IP, &mut cursor)?.unwrap_or(0);
        let (pid, tid) = if self.has(TID) { (cursor.i32()?, cursor.i32()?) } else { (0, 0) };
        field(TIME, &mut cursor)?;
        field(ADDR, &mut cursor)?;
        field(ID, &mut cursor)?;
        field(STREAM_ID, &mut cursor)?;
        field(CPU, &mut cursor)?;
        let period = field(PERIOD, &mut cursor)?;
        if self.has(READ) {
            self.skip_read(&mut cursor)?;
        }
        let chain = if self.has(CALLCHAIN) { counted(&mut cursor, 8)? } else { &[] };
        if self.has(RAW) {
            let size = cursor.u32()?;
            cursor.take(size as usize)?;
        }
        if self.has(BRANCH_STACK) {
            let count = cursor.u64()?;
            if self.attributes.branch_sample_type & BRANCH_HW_INDEX != 0 {
                cursor.u64()?;
            }
            cursor.take(usize::try_from(count).ok()?.checked_mul(24)?)?;
        }
        let registers = if self.has(REGS_USER) { self.registers(&mut cursor)? } else { None };
        let stack = if self.has(STACK_USER) { stack(&mut cursor)? } else { None };
        Some(Sample { ip, pid, tid, period, chain, registers, stack })
    }

    fn skip_read(&self, cursor: &mut Cursor<'_>) -> Option<()> {
        const TIMES: u64 = 0b11;
        const WITH_ID: u64 = 1 << 2;
        const GROUP: u64 = 1 << 3;
        const WITH_LOST: u64 = 1 << 4;
        let format = self.attributes.read_format;
        let times = (format & TIMES).count_ones() as usize;
        let each = 1 + ((format & (WITH_ID | WITH_LOST)).count_ones() as usize);
        let words = if format & GROUP != 0 {
            let count = usize::try_from(cursor.u64()?).ok()?;
            times.checked_add(count.checked_mul(each)?)?
        } else {
            times + each
        };
        cursor.take(words.checked_mul(8)?).map(|_| ())
    }

    fn registers(&self, cursor: &mut Cursor<'_>) -> Option<Option<Registers>> {
        let abi = cursor.u64()?;
        if abi == 0 {
            return Some(None);
        }
        let mask = self.attributes.registers;
        let bytes = cursor.take(mask.count_ones() as usize * 8)?;
        let values = bytes.chunks_exact(8).filter_map(|part| Some(u64::from_le_bytes(part.try_into().ok()?)));
        Some(Registers::from_mask(mask, values).filter(|_| abi == ABI_64))
    }
}

fn counted<'a>(cursor: &mut Cursor<'a>, size: usize) -> Option<&'a [u8]> {
    let count = usize::try_from(cursor.u64()?).ok()?;
    cursor.take(count.checked_mul(size)?)
}

fn stack<'a>(cursor: &mut Cursor<'a>) -> Option<Option<(&'a [u8], bool)>> {
    let size = usize::try_from(cursor.u64()?).ok()?;
    if size == 0 {
        return Some(None);
    }
    let bytes = cursor.take(size)?;
    let used = usize::try_from(cursor.u64()?).ok()?;
    Some(Some((bytes.get(..used)?, used == size)))
}

/// What records other than samples say about processes.
pub(crate) enum ProcessEvent {
    Mmap {
        pid: i32,
        mapping: Mapping,
    },
    /// Where the kernel's text lay while recording, and the symbol that marks it.
    Kernel {
        address: u64,
        symbol: String,
    },
    Comm {
        pid: i32,
        tid: i32,
        name: String,
        exec: bool,
    },
    Fork {
        pid: i32,
        parent: i32,
        tid: i32,
        parent_tid: i32,
        copies: bool,
    },
}

impl ProcessEvent {
    /// `None` for records that say nothing of executable code or names.
    pub(crate) fn parse(record: &Record<'_>) -> Option<Self> {
        let mut cursor = Cursor::new(record.body);
        match record.kind {
            MMAP | MMAP2 => mmap(record, &mut cursor),
            COMM => {
                let (pid, tid) = (cursor.i32()?, cursor.i32()?);
                Some(Self::Comm { pid, tid, name: cursor.text(), exec: record.misc & MISC_COMM_EXEC != 0 })
            }
            FORK => {
                let (pid, parent, tid, parent_tid) = (cursor.i32()?, cursor.i32()?, cursor.i32()?, cursor.i32()?);
                Some(Self::Fork { pid, parent, tid, parent_tid, copies: record.misc & MISC_FORK_EXEC == 0 })
            }
            _ => None,
        }
    }
}

fn mmap(record: &Record<'_>, cursor: &mut Cursor<'_>) -> Option<ProcessEvent> {
    let (pid, _tid) = (cursor.i32()?, cursor.i32()?);
    let (start, length, page_offset) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
    let mut build_id = String::new();
    let mut executable = record.misc & MISC_MMAP_DATA == 0;
    if record.kind == MMAP2 {
        let identity = cursor.take(24)?;
        if record.misc & MISC_MMAP_BUILD_ID != 0 {
            let size = usize::from(identity[0]);
            build_id = identity.get(4..4 + size)?.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        let (protection, _flags) = (cursor.u32()?, cursor.u32()?);
        executable = executable && protection & PROTECTION_EXEC != 0;
    }
    let path = cursor.text();
    if record.in_kernel() {
        let symbol = path.strip_prefix("[kernel.kallsyms]")?.to_owned();
        return Some(ProcessEvent::Kernel { address: page_offset, symbol });
    }
    let end = start.checked_add(length)?;
    executable.then_some(ProcessEvent::Mmap { pid, mapping: Mapping { start, end, page_offset, path, build_id } })
}
