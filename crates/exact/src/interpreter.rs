//! Finds the CPython interpreter in a process and how to walk it: which version, where the thread state is, where the
//! fields of its structures lie. Everything is read from outside and checked against the running threads, so that an
//! interpreter that is laid out in an unknown way is refused instead of walked wrongly.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use object::{Object, ObjectSymbol};

use crate::error::{Error, Result};
use crate::offsets::Offsets;
use crate::process::{self, Mapping};
use crate::program::{Layout, TLS_DYNAMIC, TLS_NONE, TLS_STATIC};
use crate::tls::{find_slot, find_variable, Variable};

/// How far into the evaluation function the newest cframe of 3.11 and 3.12 may not be filled in yet.
const CFRAME_LINKED_WITHIN: u64 = 256;

/// The list of thread states is read while the process runs: where a thread ends in that instant the rest of the list is
/// lost, so a reading that makes no sense is repeated.
const READINGS: usize = 20;
const BETWEEN_READINGS: Duration = Duration::from_millis(1);

/// An interpreter found in a process.
#[derive(Clone, Debug)]
pub struct Interpreter {
    /// `(major, minor, micro)`.
    pub version: (u8, u8, u8),
    /// The file that holds the interpreter, as the process sees it.
    pub path: String,
    /// Address of the type of code objects: what is walked must be one.
    pub code_type: u64,
    pub offsets: Offsets,
    pub layout: Layout,
    /// Address of the main interpreter's state: the last of the list.
    pub main: u64,
    /// Whether attached and released threads can be told apart.
    pub knows_gil: bool,
}

/// What the interpreter's file and memory say before anything is checked.
struct Image {
    path: String,
    runtime: u64,
    code_type: u64,
    version_word: u64,
    getter: u64,
    eval: u64,
}

/// The interpreter of a process, or None where it holds none.
pub fn find_interpreter(pid: u32) -> Result<Option<Interpreter>> {
    let mappings = process::read_mappings(pid)?;
    let Some(image) = find_image(pid, &mappings) else {
        return Ok(None);
    };
    let hex = u32::try_from(image.version_word & 0xffff_ffff).unwrap_or(0);
    let version = ((hex >> 24) as u8, (hex >> 16) as u8, (hex >> 8) as u8);
    let (offsets, key) = read_settled(|| {
        let offsets = Offsets::find(pid, image.runtime, hex)?;
        let key = find_slot(pid, &offsets.thread_states(pid, image.runtime)?).ok_or_else(|| {
            Error::Target(format!(
                "cannot tell which thread-specific slot of process {pid} holds the Python thread state"
            ))
        })?;
        Ok((offsets, key))
    })?;
    let variable = if version >= (3, 12, 0) { find_variable(pid, image.getter) } else { None };
    let (tls_rule, tls_module, tls_offset) = match variable {
        Some(Variable::Dynamic { module, offset }) => (TLS_DYNAMIC, module, offset),
        Some(Variable::Static { offset }) => (TLS_STATIC, 0, offset.cast_unsigned()),
        None => (TLS_NONE, 0, 0),
    };
    let layout = Layout {
        tls_module,
        tls_offset,
        eval_start: image.eval,
        eval_linked: image.eval + CFRAME_LINKED_WITHIN,
        holder: if offsets.holder == 0 { 0 } else { image.runtime + offsets.holder },
        python: 1,
        tls_rule,
        key,
        cframe: offsets.cframe,
        cframe_previous: offsets.cframe_previous,
        current_frame: offsets.current_frame,
        previous: offsets.frame_previous,
        code: offsets.frame_code,
        instruction: offsets.frame_instruction,
        owner: offsets.frame_owner,
        state_interpreter: u32::try_from(offsets.state_interpreter).unwrap_or(0),
        described: u32::try_from(offsets.code.described()).unwrap_or(0),
    };
    Ok(Some(Interpreter {
        version,
        main: offsets.main_interpreter(pid, image.runtime),
        path: image.path,
        code_type: image.code_type,
        offsets,
        layout,
        knows_gil: tls_rule != TLS_NONE || layout.holder != 0,
    }))
}

/// The first reading that makes sense, else the last one's error.
fn read_settled<T>(read: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 1..READINGS {
        if let Ok(found) = read() {
            return Ok(found);
        }
        sleep(BETWEEN_READINGS);
    }
    read()
}

/// The first mapped file that defines the runtime: a shared libpython, else the executable.
fn find_image(pid: u32, mappings: &[Mapping]) -> Option<Image> {
    let mut seen = Vec::new();
    // Only what is executable is loaded: a process may also have mapped a library as data.
    let mut named: Vec<&Mapping> =
        mappings.iter().filter(|mapping| mapping.executable && mapping.path.starts_with('/')).collect();
    named.sort_by_key(|mapping| !mapping.path.contains("libpython"));
    let executable = fs::read_link(format!("/proc/{pid}/exe")).ok();
    for mapping in named {
        if seen.contains(&mapping.path.as_str()) {
            continue;
        }
        seen.push(&mapping.path);
        let is_executable = executable.as_ref().is_some_and(|path| path.as_os_str() == mapping.path.as_str());
        if !is_executable && !mapping.path.contains("python") {
            continue;
        }
        if let Some(image) = read_image(pid, mapping) {
            return Some(image);
        }
    }
    None
}

fn read_image(pid: u32, mapping: &Mapping) -> Option<Image> {
    let readable = process::mapped_file(pid, mapping);
    let own = profiler_symbols::Image::open(&readable).ok()?;
    let data = fs::read(&readable).ok()?;
    let file = object::File::parse(&*data).ok()?;
    let bias = own.bias(mapping.start, mapping.offset)?;
    let address = |name: &str| {
        let symbol =
            file.dynamic_symbols().chain(file.symbols()).find(|it| it.is_definition() && it.name() == Ok(name));
        symbol.map(|symbol| symbol.address().wrapping_add(bias))
    };
    let runtime = address("_PyRuntime")?;
    Some(Image {
        path: mapping.path.clone(),
        runtime,
        code_type: address("PyCode_Type")?,
        version_word: process::read_word(pid, address("Py_Version")?)?,
        getter: address("PyThreadState_GetUnchecked").or_else(|| address("_PyThreadState_UncheckedGet")).unwrap_or(0),
        eval: address("_PyEval_EvalFrameDefault")?,
    })
}
