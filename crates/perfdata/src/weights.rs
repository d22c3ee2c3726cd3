//! How much CPU time each sample stands for.

use std::collections::HashMap;

use crate::file::EventAttributes;
use crate::samples::Row;

const TYPE_SOFTWARE: u32 = 1;
const CPU_CLOCK: u64 = 0;
const TASK_CLOCK: u64 = 1;

/// Weight of each row in nanoseconds, and what to say about it.
pub(crate) fn weigh(rows: &[Row], events: &[EventAttributes]) -> (Vec<i64>, Vec<String>) {
    let mut weights = vec![0; rows.len()];
    let mut warnings = Vec::new();
    for (number, event) in events.iter().enumerate() {
        let own: Vec<usize> = (0..rows.len()).filter(|index| rows[*index].event == number).collect();
        if own.is_empty() {
            continue;
        }
        if event.kind == TYPE_SOFTWARE && (event.config == CPU_CLOCK || event.config == TASK_CLOCK) {
            let fixed = if event.by_frequency {
                1_000_000_000 / event.period_or_frequency.max(1)
            } else {
                event.period_or_frequency
            };
            own.iter().for_each(|index| weights[*index] = clamp(rows[*index].period.unwrap_or(fixed)));
        } else {
            estimate(rows, &own, event, &mut weights);
            warnings.push(
                "the recorded event does not count time: weights are estimated from the sampling rate and each sample's \
                 period"
                    .to_owned(),
            );
        }
    }
    (weights, warnings)
}

/// The mean sample stands for one sampling interval of running time; a sample's share follows its period.
fn estimate(rows: &[Row], own: &[usize], event: &EventAttributes, weights: &mut [i64]) {
    let interval =
        if event.by_frequency { 1e9 / event.period_or_frequency.max(1) as f64 } else { usual_gap(rows, own) };
    let period = |index: &usize| rows[*index].period.unwrap_or(1).max(1) as f64;
    let mean = own.iter().map(period).sum::<f64>() / own.len() as f64;
    own.iter().for_each(|index| weights[*index] = clamp((interval * period(index) / mean) as u64));
}

/// Median time between two samples of one thread that follow each other: a running thread is sampled regularly.
fn usual_gap(rows: &[Row], own: &[usize]) -> f64 {
    let mut last = HashMap::new();
    let mut gaps: Vec<u64> = own
        .iter()
        .filter_map(|index| {
            let row = &rows[*index];
            last.insert(row.tid, row.time).map(|before| row.time.saturating_sub(before))
        })
        .collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(0) as f64
}

/// A damaged period must not drown everything else: no sample stands for more than an hour.
fn clamp(nanoseconds: u64) -> i64 {
    nanoseconds.min(3_600_000_000_000) as i64
}
