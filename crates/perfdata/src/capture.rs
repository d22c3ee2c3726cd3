//! The whole way: file to frames, stacks and samples.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use profiler_symbols::{ImageStore, KernelSymbols, PerfMap};

use crate::file::{PerfData, PerfDataError};
use crate::interning::{Location, QuickMap, Stacks};
use crate::naming;
use crate::order::{self, Happening, Timeline};
use crate::record::{Layout, ProcessEvent};
use crate::samples::{self, Recording, Resolved};
use crate::weights;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Python,
    Native,
    Kernel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Rust,
    C,
    Cpython,
    Unknown,
}

/// A function at a place, as found: nothing is demangled or shortened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    pub kind: Kind,
    pub name: String,
    pub module: String,
    pub file: String,
    pub line: u32,
    pub inlined: bool,
    /// Without a name: start of the function's range, else the address.
    pub address: u64,
    /// What the debug information says, where there is any.
    pub language: Option<Language>,
}

impl Frame {
    pub(crate) fn of(kind: Kind) -> Self {
        let (name, module, file) = (String::new(), String::new(), String::new());
        Self { kind, name, module, file, line: 0, inlined: false, address: 0, language: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleInfo {
    pub language: Language,
    pub build_id: String,
    pub stripped: bool,
}

/// Shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// Of samples: the user stack went on behind its copy.
    pub truncated: f64,
    /// Of samples: the unwind information did not lead to the thread's first function.
    pub broken: f64,
    /// Of samples' leaf frames: no name was found.
    pub unknown_symbols: f64,
    /// Of samples: the record was damaged.
    pub unreadable: f64,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Read `/proc/kallsyms` to name kernel frames.
    pub kallsyms: bool,
    /// Read `/tmp/perf-PID.map` for code made at run time.
    pub perf_maps: bool,
    pub threads: usize,
}

/// What a file held. Columns have one entry per sample, in time order.
pub struct Capture {
    pub frames: Vec<Frame>,
    /// Frame numbers of all stacks, root first, and where each stack ends.
    pub stack_frames: Vec<u32>,
    pub stack_ends: Vec<u64>,
    pub time_ns: Vec<i64>,
    pub pid: Vec<i64>,
    pub tid: Vec<i64>,
    pub weight_ns: Vec<i64>,
    pub stack: Vec<i64>,
    pub modules: BTreeMap<String, ModuleInfo>,
    pub threads: BTreeMap<(i32, i32), String>,
    pub lost: u64,
    pub quality: Quality,
    pub warnings: Vec<String>,
    /// Samples per second that were asked for; `None` where a fixed period was.
    pub frequency: Option<u64>,
    /// True where times are `CLOCK_MONOTONIC`.
    pub monotonic: bool,
}

/// Reads, unwinds and names a perf.data file.
pub fn read(path: &Path, options: Options) -> Result<Capture, PerfDataError> {
    let fail = |error| PerfDataError::Read(path.display().to_string(), error);
    let file = File::open(path).map_err(fail)?;
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(PerfDataError::NotPerfData("it is not a regular file".into()));
    }
    if file.metadata().map_err(fail)?.len() == 0 {
        return Err(PerfDataError::NotPerfData("it is empty".into()));
    }
    // SAFETY: a private read-only mapping of a recording that has ended.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
    // The libraries below are hardened against damage, yet a panic of one must not be a traceback of ours.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_bytes(&bytes, options)))
        .unwrap_or_else(|_| Err(PerfDataError::Damaged("its content could not be followed".to_owned())))
}

fn read_bytes(bytes: &[u8], options: Options) -> Result<Capture, PerfDataError> {
    let data = PerfData::parse(bytes)?;
    let layouts: Vec<Layout> = data.attributes.iter().cloned().map(Layout::new).collect();
    let timeline = order::arrange(&data, &layouts)?;
    let images = Arc::new(ImageStore::new());
    let maps = if options.perf_maps { perf_maps(&timeline) } else { HashMap::new() };
    let recording =
        Recording { data: data.records, layouts: &layouts, timeline: &timeline, maps: &maps, images: &images };
    let threads = options.threads.clamp(1, 16);
    // Reading the kernel's symbols takes as long as unwinding some thousand samples: both at once.
    let (kernel, resolved) = std::thread::scope(|scope| {
        let kernel = options.kallsyms.then(|| scope.spawn(KernelSymbols::read));
        let resolved = samples::resolve(&recording, threads);
        (kernel.and_then(|worker| worker.join().ok()).flatten(), resolved)
    });
    let kernel_problem = kernel_problem(&timeline, kernel.as_ref(), options, &resolved);
    let kernel = kernel.filter(|_| kernel_problem.is_none());
    let named = naming::name_all(&resolved.locations.list, kernel.as_ref(), threads);
    let mut capture = assemble(&data, &timeline, resolved, named);
    capture.warnings.extend(kernel_problem);
    Ok(capture)
}

/// Maps of all processes with samples that wrote one.
fn perf_maps(timeline: &Timeline) -> HashMap<i32, Arc<PerfMap>> {
    let mut pids = BTreeSet::new();
    for (_, happening) in &timeline.happenings {
        match happening {
            Happening::Process(ProcessEvent::Comm { pid, .. } | ProcessEvent::Fork { pid, .. }) => pids.insert(*pid),
            _ => false,
        };
    }
    let maps = pids.into_iter().map(|pid| (pid, PerfMap::of_process(pid)));
    maps.filter(|(_, map)| !map.is_empty()).map(|(pid, map)| (pid, Arc::new(map))).collect()
}

/// Why kernel frames have no names, where there are any.
fn kernel_problem(
    timeline: &Timeline,
    kernel: Option<&KernelSymbols>,
    options: Options,
    resolved: &Resolved,
) -> Option<String> {
    let any = resolved.locations.list.iter().any(|location| matches!(location, Location::Kernel { .. }));
    if !any {
        return None;
    }
    let Some(kernel) = kernel else {
        let why = if options.kallsyms { "addresses in /proc/kallsyms are hidden or missing" } else { "not asked for" };
        return Some(format!("kernel frames have no names: {why}"));
    };
    let moved = timeline.happenings.iter().any(|(_, happening)| match happening {
        Happening::Process(ProcessEvent::Kernel { address, symbol }) if !symbol.is_empty() => {
            kernel.address_of(symbol).is_some_and(|here| here != *address)
        }
        _ => false,
    });
    moved.then(|| "kernel frames have no names: the file was recorded on another kernel or before a reboot".to_owned())
}

fn assemble(data: &PerfData<'_>, timeline: &Timeline, resolved: Resolved, named: Vec<Vec<Frame>>) -> Capture {
    let (weight_ns, mut warnings) = weights::weigh(&resolved.rows, &data.attributes);
    let monotonic = data.attributes.iter().all(|event| event.clock == Some(1));
    warnings.extend(notes(data, timeline, &resolved, monotonic));
    let modules = modules(&resolved.locations.list);
    let nameless: Vec<bool> =
        named.iter().map(|frames| frames.last().is_none_or(|frame| frame.name.is_empty())).collect();
    let unknown = leaf_share(&resolved, &nameless);
    let (frames, numbers) = number_frames(named);
    let mut stacks = Stacks::default();
    let mut spread = Vec::new();
    let numbers: Vec<u32> = (0..resolved.stacks.len() as u32)
        .map(|stack| {
            spread.clear();
            spread.extend(resolved.stacks.get(stack).iter().flat_map(|location| &numbers[*location as usize]));
            stacks.intern(&spread)
        })
        .collect();
    let rows = &resolved.rows;
    let column = |field: fn(&samples::Row) -> i64| rows.iter().map(field).collect::<Vec<i64>>();
    let share = |count: usize| count as f64 / timeline.samples.max(1) as f64;
    let endings = resolved.endings;
    Capture {
        frames,
        stack_ends: stacks.ends.iter().map(|end| *end as u64).collect(),
        stack_frames: stacks.frames,
        time_ns: column(|row| row.time as i64),
        pid: column(|row| i64::from(row.pid)),
        tid: column(|row| i64::from(row.tid)),
        weight_ns,
        stack: rows.iter().map(|row| i64::from(numbers[row.stack as usize])).collect(),
        modules,
        threads: thread_names(timeline),
        lost: timeline.lost,
        quality: Quality {
            truncated: share(endings.truncated),
            broken: share(endings.broken),
            unknown_symbols: unknown,
            unreadable: share(endings.unreadable),
        },
        warnings,
        frequency: data.attributes.first().filter(|e| e.by_frequency).map(|e| e.period_or_frequency),
        monotonic,
    }
}

fn notes(data: &PerfData<'_>, timeline: &Timeline, resolved: &Resolved, monotonic: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if data.unfinished {
        notes.push("the recording was broken off; what was written until then is read".to_owned());
    } else if timeline.unread > 0 {
        notes.push(format!("{} bytes at the end of the data are no records", timeline.unread));
    }
    if !monotonic {
        notes.push("times are not CLOCK_MONOTONIC; record with `-k CLOCK_MONOTONIC`".to_owned());
    }
    let endings = resolved.endings;
    if endings.by_frame_pointer > 0 {
        notes.push("user stacks come from frame pointers alone; record with `--call-graph dwarf,65528`".to_owned());
    }
    if endings.foreign > 0 {
        notes.push(format!("{} samples of programs that are not 64-bit were not unwound", endings.foreign));
    }
    notes.extend(resolved.problems.iter().cloned());
    notes
}

fn modules(locations: &[Location]) -> BTreeMap<String, ModuleInfo> {
    let mut modules = BTreeMap::new();
    for location in locations {
        match location {
            Location::Image { image, .. } => {
                let marks = image.marks();
                let language = match (marks.cpython, marks.rust) {
                    (true, _) => Language::Cpython,
                    (false, true) => Language::Rust,
                    (false, false) => Language::C,
                };
                let (build_id, stripped) = (image.build_id().to_owned(), marks.stripped);
                modules.entry(image.path().to_string_lossy().into_owned()).or_insert(ModuleInfo {
                    language,
                    build_id,
                    stripped,
                });
            }
            Location::Unreadable { path, .. } => {
                let unknown = ModuleInfo { language: Language::Unknown, build_id: String::new(), stripped: false };
                modules.entry(path.to_string()).or_insert(unknown);
            }
            _ => {}
        }
    }
    modules
}

fn leaf_share(resolved: &Resolved, nameless: &[bool]) -> f64 {
    let leaf = |row: &&samples::Row| resolved.stacks.get(row.stack).last().is_none_or(|leaf| nameless[*leaf as usize]);
    resolved.rows.iter().filter(leaf).count() as f64 / resolved.rows.len().max(1) as f64
}

/// Equal frames of different addresses become one.
fn number_frames(named: Vec<Vec<Frame>>) -> (Vec<Frame>, Vec<Vec<u32>>) {
    let mut known: HashMap<Frame, u32> = HashMap::new();
    let numbers = named
        .into_iter()
        .map(|frames| {
            let number = |frame| {
                let next = known.len() as u32;
                *known.entry(frame).or_insert(next)
            };
            frames.into_iter().map(number).collect()
        })
        .collect();
    let mut frames: Vec<(u32, Frame)> = known.into_iter().map(|(frame, number)| (number, frame)).collect();
    frames.sort_by_key(|(number, _)| *number);
    (frames.into_iter().map(|(_, frame)| frame).collect(), numbers)
}

/// Last name of each thread; a thread that was never renamed has its parent's.
fn thread_names(timeline: &Timeline) -> BTreeMap<(i32, i32), String> {
    let mut names: QuickMap<(u32, u32), String> = QuickMap::default();
    let key = |pid: i32, tid: i32| (pid as u32, tid as u32);
    for (_, happening) in &timeline.happenings {
        match happening {
            Happening::Process(ProcessEvent::Comm { pid, tid, name, .. }) => {
                names.insert(key(*pid, *tid), name.clone());
            }
            Happening::Process(ProcessEvent::Fork { pid, parent, tid, parent_tid, .. }) => {
                if let Some(name) = names.get(&key(*parent, *parent_tid)).cloned() {
                    names.entry(key(*pid, *tid)).or_insert(name);
                }
            }
            _ => {}
        }
    }
    names.into_iter().map(|((pid, tid), name)| ((pid as i32, tid as i32), name)).collect()
}
