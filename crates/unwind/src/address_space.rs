//! The executable mappings of each process, kept as events tell them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use framehop::x86_64::UnwinderX86_64;
use framehop::{ExplicitModuleSectionInfo, Module, Unwinder as _};
use profiler_symbols::{Image, ImageStore, PerfMap, SharedBytes};

use crate::mapping::{Mapping, Place};

pub(crate) type Frames = UnwinderX86_64<SharedBytes>;

/// More executable mappings than any process here has; a damaged file must not make inserting ever slower.
const MOST_MAPPINGS: usize = 65_536;

#[derive(Clone)]
struct Mapped {
    end: u64,
    page_offset: u64,
    path: Arc<str>,
    /// The file and what to subtract from an address to get the file's own; `None` where it can't be read.
    image: Option<(Arc<Image>, u64)>,
}

/// One process.
#[derive(Clone, Default)]
pub struct AddressSpace {
    mappings: BTreeMap<u64, Mapped>,
    frames: Frames,
    generated: Option<Arc<PerfMap>>,
    version: u32,
}

impl AddressSpace {
    /// Changes with the mappings; equal versions, also of two processes, resolve an address alike.
    pub fn version(&self) -> u32 {
        self.version
    }

    fn insert(&mut self, mapping: &Mapping, images: &ImageStore) -> Result<(), String> {
        if mapping.start >= mapping.end || self.mappings.len() >= MOST_MAPPINGS {
            return Ok(());
        }
        self.cut(mapping.start..mapping.end);
        let (image, problem) = match open(mapping, images) {
            Ok(image) => (image, None),
            Err(problem) => (None, Some(problem)),
        };
        if let Some((image, bias)) = &image {
            self.frames.add_module(module(image, mapping.start..mapping.end, *bias));
        }
        let (end, page_offset, path) = (mapping.end, mapping.page_offset, Arc::from(mapping.path.as_str()));
        self.mappings.insert(mapping.start, Mapped { end, page_offset, path, image });
        problem.map_or(Ok(()), Err)
    }

    /// Takes away what a new mapping covers. A mapping that is covered in part keeps its other part.
    fn cut(&mut self, range: Range<u64>) {
        let overlapping: Vec<u64> = self
            .mappings
            .range(..range.end)
            .rev()
            .take_while(|(_, mapped)| mapped.end > range.start)
            .map(|(start, _)| *start)
            .collect();
        for start in overlapping {
            let Some(old) = self.mappings.remove(&start) else { continue };
            self.frames.remove_module(start);
            let tail = (range.end < old.end).then_some((range.end, old.end));
            for (from, to) in [(start < range.start).then_some((start, range.start)), tail].into_iter().flatten() {
                if let Some((image, bias)) = &old.image {
                    self.frames.add_module(module(image, from..to, *bias));
                }
                let page_offset = old.page_offset.wrapping_add(from - start);
                self.mappings.insert(from, Mapped { end: to, page_offset, ..old.clone() });
            }
        }
    }

    /// Whether an address lies in an executable mapping.
    pub fn holds(&self, address: u64) -> bool {
        self.mapped(address).is_some()
    }

    fn mapped(&self, address: u64) -> Option<(u64, &Mapped)> {
        let (start, mapped) = self.mappings.range(..=address).next_back()?;
        (address < mapped.end).then_some((*start, mapped))
    }

    /// What an address is.
    pub fn place(&self, address: u64) -> Place {
        match self.mapped(address) {
            Some((_, Mapped { image: Some((image, bias)), .. })) => {
                Place::Image { image: Arc::clone(image), address: address.wrapping_sub(*bias) }
            }
            other => {
                if let Some(map) = self.generated.as_ref().filter(|map| map.find(address).is_some()) {
                    return Place::Generated { map: Arc::clone(map), address };
                }
                other.filter(|(_, mapped)| names_file(&mapped.path)).map_or(Place::Unknown, |(start, mapped)| {
                    let address = (address - start).wrapping_add(mapped.page_offset);
                    Place::Unreadable { path: Arc::clone(&mapped.path), address }
                })
            }
        }
    }

    /// Start and name of code made at run time.
    pub(crate) fn generated(&self, address: u64) -> Option<(u64, &str)> {
        self.generated.as_ref()?.find(address)
    }

    pub(crate) fn frames(&self) -> &Frames {
        &self.frames
    }
}

fn names_file(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/memfd:") || path == "[vdso]"
}

/// The image behind a mapping, `None` for memory without a file; an error says why a file can't be used.
fn open(mapping: &Mapping, images: &ImageStore) -> Result<Option<(Arc<Image>, u64)>, String> {
    if !names_file(&mapping.path) {
        return Ok(None);
    }
    let image = images.open(&mapping.path)?;
    if !mapping.build_id.is_empty() && !image.build_id().is_empty() && mapping.build_id != image.build_id() {
        return Err(format!("{}: not the file that was recorded (its build id differs)", mapping.path));
    }
    let bias = if mapping.path == "[vdso]" {
        mapping.start.wrapping_sub(image.segments().first().map_or(0, |segment| segment.address))
    } else {
        let bias = image.bias(mapping.start, mapping.page_offset);
        bias.ok_or_else(|| format!("{}: the file changed since it was recorded", mapping.path))?
    };
    Ok(Some((image, bias)))
}

fn module(image: &Image, range: Range<u64>, bias: u64) -> Module<SharedBytes> {
    let base = image.segments().iter().map(|segment| segment.address).min().unwrap_or(0);
    let section = |name: &str| match image.section(name) {
        Some((address, bytes)) => {
            let end = address.saturating_add(bytes.len() as u64);
            (Some(address..end), Some(bytes))
        }
        None => (None, None),
    };
    let (eh_frame_svma, eh_frame) = section(".eh_frame");
    let (eh_frame_hdr_svma, eh_frame_hdr) = section(".eh_frame_hdr");
    let info = ExplicitModuleSectionInfo {
        base_svma: base,
        text_svma: section(".text").0,
        got_svma: section(".got").0,
        eh_frame_svma,
        eh_frame,
        eh_frame_hdr_svma,
        eh_frame_hdr,
        debug_frame: section(".debug_frame").1,
        ..ExplicitModuleSectionInfo::default()
    };
    Module::new(String::new(), range, base.wrapping_add(bias), info)
}

/// Every process of a recording.
pub struct AddressSpaces {
    images: Arc<ImageStore>,
    spaces: HashMap<i32, AddressSpace>,
    /// Why files could not be used, by path.
    problems: BTreeMap<String, String>,
    versions: u32,
}

impl AddressSpaces {
    pub fn new(images: Arc<ImageStore>) -> Self {
        Self { images, spaces: HashMap::new(), problems: BTreeMap::new(), versions: 0 }
    }

    /// An executable mapping was made. Others need not be told.
    pub fn mmap(&mut self, pid: i32, mapping: &Mapping) {
        let version = self.next_version();
        let space = self.spaces.entry(pid).or_default();
        space.version = version;
        if let Err(problem) = space.insert(mapping, &self.images) {
            self.problems.insert(mapping.path.clone(), problem);
        }
    }

    fn next_version(&mut self) -> u32 {
        self.versions = self.versions.wrapping_add(1);
        self.versions
    }

    /// A process was forked: the child starts with the parent's mappings.
    pub fn fork(&mut self, parent: i32, child: i32) {
        if parent != child {
            if let Some(space) = self.spaces.get(&parent).cloned() {
                let version = if space.generated.is_some() { self.next_version() } else { space.version };
                self.spaces.insert(child, AddressSpace { generated: None, version, ..space });
            }
        }
    }

    /// A process called exec: everything it had mapped is gone.
    pub fn exec(&mut self, pid: i32) {
        self.spaces.remove(&pid);
    }

    /// Names of code that the process makes at run time; may be told again when the map has grown.
    pub fn set_generated(&mut self, pid: i32, map: Arc<PerfMap>) {
        let version = self.next_version();
        let space = self.spaces.entry(pid).or_default();
        (space.generated, space.version) = (Some(map), version);
    }

    /// The mappings a process has now, from the text of `/proc/PID/maps`.
    pub fn read_maps(&mut self, pid: i32, text: &str) {
        for mapping in text.lines().filter_map(maps_line) {
            self.mmap(pid, &mapping);
        }
    }

    pub fn get(&self, pid: i32) -> Option<&AddressSpace> {
        self.spaces.get(&pid)
    }

    /// Why files could not be used, by path.
    pub fn problems(&self) -> &BTreeMap<String, String> {
        &self.problems
    }
}

fn maps_line(line: &str) -> Option<Mapping> {
    let mut parts = line.splitn(6, ' ');
    let (start, end) = parts.next()?.split_once('-')?;
    let permissions = parts.next()?;
    let page_offset = u64::from_str_radix(parts.next()?, 16).ok()?;
    let path = parts.nth(2).unwrap_or("").trim().to_owned();
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    permissions.contains('x').then(|| Mapping { start, end, page_offset, path, build_id: String::new() })
}
