//! The file's records in the order in which they happened.

use crate::file::{PerfData, PerfDataError};
use crate::record::{Layout, ProcessEvent, Records, COMPRESSED, COMPRESSED2, LOST, LOST_SAMPLES, SAMPLE};

/// A record worth reading, by time.
pub(crate) enum Happening {
    Process(ProcessEvent),
    Sample {
        /// Offset in the data.
        offset: usize,
        event: usize,
    },
}

pub(crate) struct Timeline {
    pub happenings: Vec<(u64, Happening)>,
    pub samples: usize,
    pub lost: u64,
    /// Bytes at the end that are no records.
    pub unread: usize,
}

/// Each ring is in order, the file as a whole is not: sorts by time. Records that `perf` makes up about what was there
/// before have time 0 and come first.
pub(crate) fn arrange(data: &PerfData<'_>, layouts: &[Layout]) -> Result<Timeline, PerfDataError> {
    let mut timeline = Timeline { happenings: Vec::new(), samples: 0, lost: 0, unread: 0 };
    let mut records = Records::new(data.records);
    let mut last_time = 0;
    for record in records.by_ref() {
        match record.kind {
            SAMPLE => {
                let event = match layouts {
                    [_] => Some(0),
                    [first, ..] => first.identifier(record.body).and_then(|id| data.ids.get(&id).copied()),
                    [] => None,
                };
                let Some(event) = event else { continue };
                let Some(layout) = layouts.get(event) else { continue };
                last_time = layout.sample_time(record.body).unwrap_or(last_time);
                timeline.samples += 1;
                timeline.happenings.push((last_time, Happening::Sample { offset: record.offset, event }));
            }
            LOST => timeline.lost = timeline.lost.saturating_add(word(record.body, 8)),
            LOST_SAMPLES => timeline.lost = timeline.lost.saturating_add(word(record.body, 0)),
            COMPRESSED | COMPRESSED2 => {
                return Err(PerfDataError::Unsupported(
                    "compressed perf.data can't be read; record without -z, or rewrite it with `perf inject`".into(),
                ))
            }
            _ if record.is_of_perf_tool() => {}
            _ => {
                if let Some(event) = ProcessEvent::parse(&record) {
                    let time = layouts.first().and_then(|layout| layout.record_time(record.body));
                    timeline.happenings.push((time.unwrap_or(last_time), Happening::Process(event)));
                }
            }
        }
    }
    timeline.unread = data.records.len().saturating_sub(records.offset());
    timeline.happenings.sort_by_key(|(time, _)| *time);
    Ok(timeline)
}

fn word(body: &[u8], offset: usize) -> u64 {
    body.get(offset..offset + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}
