//! The address space of one process: which file is where, and how its stacks unwind.

use std::collections::HashMap;
use std::rc::Rc;

use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{Module, Unwinder};

use crate::image::{Bytes, Image};
use crate::process::{self, Mapping};

/// A stack deeper than this is taken to be torn.
const DEEPEST: usize = 2048;
/// A process's mappings are read again at most this often because of an unknown address, in nanoseconds.
const RESCAN_NS: u64 = 200_000_000;

/// Files by path, shared between processes.
#[derive(Default)]
pub struct Images {
    by_path: HashMap<(String, u64), Option<Rc<Image>>>,
}

impl Images {
    fn open(&mut self, pid: u32, mapping: &Mapping) -> Option<Rc<Image>> {
        let readable = process::mapped_file(pid, mapping);
        let identity = std::fs::metadata(&readable).map_or(0, |data| std::os::unix::fs::MetadataExt::ino(&data));
        let key = (mapping.path.clone(), identity);
        self.by_path
            .entry(key)
            .or_insert_with(|| {
                if mapping.path == "[vdso]" {
                    let length = usize::try_from(mapping.end - mapping.start).ok()?;
                    let data = process::read_bytes(pid, mapping.start, length)?;
                    return Image::parse(&mapping.path, "", &data).map(Rc::new);
                }
                Image::open(&mapping.path, &readable).map(Rc::new)
            })
            .clone()
    }
}

/// A file in an address space.
#[derive(Clone)]
pub struct Loaded {
    pub start: u64,
    pub end: u64,
    /// What to subtract from an address to get the file's own.
    pub bias: u64,
    pub image: Rc<Image>,
}

/// Registers of the interrupted thread in user mode.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    pub ip: u64,
    pub sp: u64,
    pub bp: u64,
}

/// An unwound native stack.
#[derive(Debug, Default)]
pub struct NativeStack {
    /// Leaf first. All but the first are the addresses of calls, one byte before where they return to.
    pub addresses: Vec<u64>,
    /// The thread's first function was reached.
    pub root_reached: bool,
    /// An address lies in no known file.
    pub strange: bool,
}

/// One process's files and unwinder.
pub struct Space {
    pid: u32,
    files: Vec<Loaded>,
    unwinder: UnwinderX86_64<Bytes>,
    scanned_ns: u64,
}

impl Space {
    /// Read a process's mappings. A process that is gone has none.
    pub fn read(pid: u32, images: &mut Images, now_ns: u64) -> Self {
        let mut space = Self { pid, files: Vec::new(), unwinder: UnwinderX86_64::new(), scanned_ns: 0 };
        space.scan(images, now_ns);
        space
    }

    /// Whether there is anything known of it.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file that holds an address.
    pub fn find(&self, address: u64) -> Option<&Loaded> {
        let after = self.files.partition_point(|file| file.start <= address);
        self.files[..after].last().filter(|file| address < file.end)
    }

    /// Read the mappings again, unless that was just done. True where something new was found.
    pub fn rescan(&mut self, images: &mut Images, now_ns: u64) -> bool {
        if now_ns < self.scanned_ns + RESCAN_NS {
            return false;
        }
        let before = self.files.len();
        self.scan(images, now_ns);
        self.files.len() != before
    }

    fn scan(&mut self, images: &mut Images, now_ns: u64) {
        self.scanned_ns = now_ns;
        let Ok(mappings) = process::read_mappings(self.pid) else { return };
        let mut files: Vec<Loaded> = Vec::new();
        for mapping in mappings.iter().filter(|mapping| mapping.executable) {
            if !mapping.path.starts_with('/') && mapping.path != "[vdso]" {
                continue;
            }
            let Some(image) = images.open(self.pid, mapping) else { continue };
            let Some(bias) = image.bias(mapping.start, mapping.offset) else { continue };
            files.push(Loaded { start: mapping.start, end: mapping.end, bias, image });
        }
        if files.is_empty() {
            return;
        }
        let mut unwinder = UnwinderX86_64::new();
        for file in &files {
            unwinder.add_module(Module::new(
                file.image.path.clone(),
                file.start..file.end,
                file.bias,
                file.image.sections(),
            ));
        }
        self.unwinder = unwinder;
        self.files = files;
    }

    /// Unwind a stack copied from `registers.sp` on.
    pub fn unwind(&self, cache: &mut CacheX86_64, registers: Registers, stack: &[u8]) -> NativeStack {
        let mut read = |address: u64| {
            let at = usize::try_from(address.checked_sub(registers.sp).ok_or(())?).map_err(|_| ())?;
            let word = stack.get(at..at + 8).ok_or(())?;
            Ok(u64::from_le_bytes(word.try_into().map_err(|_| ())?))
        };
        let start = UnwindRegsX86_64::new(registers.ip, registers.sp, registers.bp);
        let mut frames = self.unwinder.iter_frames(registers.ip, start, cache, &mut read);
        let mut native = NativeStack::default();
        while native.addresses.len() < DEEPEST {
            match frames.next() {
                Ok(Some(frame)) => native.addresses.push(frame.address_for_lookup()),
                Ok(None) => {
                    native.root_reached = true;
                    break;
                }
                Err(_) => break,
            }
        }
        native.strange = native.addresses.iter().any(|address| self.find(*address).is_none());
        native
    }
}
