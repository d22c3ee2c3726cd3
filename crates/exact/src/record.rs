//! What the BPF program puts into the ring; mirrors `bpf/record.h`.

use profiler_unwind::Registers;

use crate::waits::{Wait, WaitKind};

/// What became of the walk over the CPython frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Walk {
    /// The thread holds the GIL.
    Attached,
    /// The thread has a Python state and has released the GIL.
    Detached,
    /// A native thread without Python.
    NoState,
    /// The process holds no interpreter.
    NoPython,
    /// A read faulted.
    Fault,
    /// More frames than are read.
    TooDeep,
    /// A child the recorder has not described yet.
    Unknown,
}

/// One Python frame as the interpreter's own structures give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PythonFrame {
    pub code: u64,
    pub owner: u8,
    /// Of the running instruction from the code object.
    pub offset: u32,
    /// Of the code object, see `code::identify`; 0 where it can't be told.
    pub identity: u32,
}

/// One sample without its native stack.
#[derive(Clone, Debug)]
pub struct Sample {
    pub time_ns: u64,
    pub pid: u32,
    pub tid: u32,
    pub registers: Registers,
    pub sp: u64,
    /// The interpreter of the thread's state, 0 where there is none.
    pub interpreter: u64,
    pub space: u64,
    /// Bytes from the stack pointer to the stack's end, 0 where that can't be told.
    pub stack_size: u64,
    pub walk: Walk,
    pub in_kernel: bool,
    /// Nanoseconds the program took.
    pub cost_ns: u32,
    pub thread_name: String,
    /// Leaf first.
    pub frames: Vec<PythonFrame>,
}

/// A record of the ring. Those of one sample carry the same CPU and sequence, the sample last.
#[derive(Debug)]
pub enum Record<'a> {
    Sample(Box<Sample>),
    Stack(&'a [u8]),
    /// Kernel addresses, leaf first.
    Kernel(Vec<u64>),
    /// What the sample stands for, where waits are sampled.
    Wait(Wait),
}

const HEAD: usize = 16;
const STACK_HEAD: usize = 32;
const SAMPLE_HEAD: usize = 184;
/// BX BP SP IP R8 to R15, by perf's numbers.
const REGISTER_MASK: u64 = 1 << 1 | 1 << 6 | 1 << 7 | 1 << 8 | 0xff << 16;

/// CPU, sequence and content of a record. None where it is damaged.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<(u32, u64, Record<'_>)> {
    let (cpu, sequence) = (u32_at(bytes, 4)?, u64_at(bytes, 8)?);
    let record = match u32_at(bytes, 0)? {
        1 => Record::Sample(Box::new(parse_sample(bytes)?)),
        2 => {
            let length = usize::try_from(u64_at(bytes, HEAD)?).ok()?;
            Record::Stack(bytes.get(STACK_HEAD..STACK_HEAD + length)?)
        }
        3 => Record::Kernel(words(&bytes[HEAD..]).filter(|address| *address != 0).collect()),
        4 => Record::Wait(parse_wait(bytes)?),
        _ => return None,
    };
    Some((cpu, sequence, record))
}

fn parse_wait(bytes: &[u8]) -> Option<Wait> {
    let kind = match u32_at(bytes, 32)? {
        1 => WaitKind::Blocked,
        2 => WaitKind::Runnable,
        4 => WaitKind::Kernel,
        _ => WaitKind::Fault,
    };
    Some(Wait { from_ns: u64_at(bytes, 16)?, to_ns: u64_at(bytes, 24)?, kind, thread: u32_at(bytes, 36)? })
}

fn parse_sample(bytes: &[u8]) -> Option<Sample> {
    let count = u32_at(bytes, 156)? as usize;
    let frames = bytes.get(SAMPLE_HEAD..SAMPLE_HEAD + 16 * count)?;
    let name = &bytes[168..SAMPLE_HEAD];
    let name = &name[..name.iter().position(|byte| *byte == 0).unwrap_or(name.len())];
    Some(Sample {
        time_ns: u64_at(bytes, 16)?,
        pid: u32_at(bytes, 24)?,
        tid: u32_at(bytes, 28)?,
        registers: Registers::from_mask(REGISTER_MASK, words(bytes.get(32..128)?))?,
        sp: u64_at(bytes, 48)?,
        interpreter: u64_at(bytes, 128)?,
        space: u64_at(bytes, 136)?,
        stack_size: u64_at(bytes, 144)?,
        walk: match u32_at(bytes, 152)? {
            0 => Walk::Attached,
            1 => Walk::Detached,
            2 => Walk::NoState,
            3 => Walk::NoPython,
            4 => Walk::Fault,
            5 => Walk::TooDeep,
            _ => Walk::Unknown,
        },
        in_kernel: u32_at(bytes, 160)? != 0,
        cost_ns: u32_at(bytes, 164)?,
        thread_name: String::from_utf8_lossy(name).into_owned(),
        frames: frames.chunks_exact(16).map(parse_frame).collect(),
    })
}

fn parse_frame(bytes: &[u8]) -> PythonFrame {
    let both = u64_at(bytes, 0).unwrap_or(0);
    let half = |at| u32_at(bytes, at).unwrap_or(0);
    // The low bits of a code pointer are tags in CPython 3.14 and later, and zero before.
    let code = both & 0x00ff_ffff_ffff_fff8;
    PythonFrame { code, owner: (both >> 56) as u8, offset: half(8), identity: half(12) }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
