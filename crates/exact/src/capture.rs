//! What is left of a recording on disk: one JSON file of frames, stacks and counts, one file of samples.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use profiler_splice::Class;
use profiler_symbols::KernelSymbols;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::naming::{name_stacks, Frame, Named, Traits};
use crate::recorder::Recorder;
use crate::stacks::Row;

/// Name of the file of frames, stacks and counts.
pub const FRAMES_FILE: &str = "exact.json";
/// Name of the file of samples: four columns of little-endian 64-bit numbers, one after the other.
pub const SAMPLES_FILE: &str = "exact.samples";

/// Files that can't be read are named up to this many.
const MOST_PROBLEMS: usize = 5;

#[derive(Serialize)]
struct Content<'a> {
    frames: &'a [Frame],
    stacks: &'a [Vec<u32>],
    modules: &'a std::collections::BTreeMap<String, Traits>,
    threads: Vec<(u32, u32, &'a str)>,
    samples: usize,
    lost: u64,
    /// Numbers of samples by what they say.
    counts: std::collections::BTreeMap<&'static str, u64>,
    notes: Vec<String>,
    cpu_s: f64,
}

/// Name the samples and write them into a folder.
pub fn write(recorder: &Recorder, kernel: &KernelSymbols, folder: &Path, cpu_s: f64) -> Result<()> {
    let stacks = &recorder.joiner.stacks;
    let interpreter = recorder.interpreters().next().map_or(String::new(), |(_, found)| found.path.clone());
    let named = name_stacks(stacks, recorder.joiner.book.functions(), &interpreter, kernel);
    let content = Content {
        frames: &named.frames,
        stacks: &named.stacks,
        modules: &named.modules,
        threads: stacks.threads.iter().map(|((pid, tid), name)| (*pid, *tid, name.as_str())).collect(),
        samples: stacks.rows.len(),
        lost: recorder.counts().lost + recorder.damaged(),
        counts: counts(recorder, &named),
        notes: recorder.notes.iter().chain(recorder.joiner.spaces.problems().take(MOST_PROBLEMS)).cloned().collect(),
        cpu_s,
    };
    let text = serde_json::to_vec(&content)
        .map_err(|error| Error::Target(format!("the result could not be written as JSON: {error}")))?;
    write_samples(recorder, &folder.join(SAMPLES_FILE))?;
    let path = folder.join(FRAMES_FILE);
    fs::write(&path, text).map_err(|error| Error::io(format!("writing {}", path.display()), error))
}

fn counts(recorder: &Recorder, named: &Named) -> std::collections::BTreeMap<&'static str, u64> {
    let stacks = &recorder.joiner.stacks;
    let tally = &stacks.tally;
    let class = |class: Class| tally.classes.get(&class).copied().unwrap_or(0);
    let leaf_unknown =
        |stack: u32| stacks.stacks()[stack as usize].last().is_some_and(|place| named.unknown[*place as usize]);
    let unknown = stacks.rows.iter().filter(|row| leaf_unknown(row.stack)).count() as u64;
    [
        ("exact", class(Class::Exact)),
        ("prologue", class(Class::Prologue)),
        ("truncated", class(Class::Truncated)),
        ("unspliced", class(Class::Unspliced)),
        ("native_only", class(Class::NativeOnly)),
        ("root_reached", tally.root_reached),
        ("gil_held", tally.gil_held),
        ("gil_released", tally.gil_released),
        ("gil_waiting", tally.gil_waited),
        ("early", tally.early),
        ("lost_stacks", recorder.counts().lost_stacks),
        ("unknown_symbols", unknown),
        ("program_ns", tally.cost_ns),
        ("stack_bytes", tally.stack_bytes),
    ]
    .into_iter()
    .collect()
}

fn write_samples(recorder: &Recorder, path: &Path) -> Result<()> {
    let rows = &recorder.joiner.stacks.rows;
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(fs::File::create(path)?);
        for row in rows {
            out.write_all(&row.time_ns.to_le_bytes())?;
        }
        let columns: [fn(&Row) -> u32; 3] = [|row| row.pid, |row| row.tid, |row| row.stack];
        for column in columns {
            for row in rows {
                out.write_all(&u64::from(column(row)).to_le_bytes())?;
            }
        }
        out.flush()
    };
    write().map_err(|error| Error::io(format!("writing {}", path.display()), error))
}
