//! The kernel's small library that is mapped into every process: there is no file of it.

use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::image::Image;

/// Largest vDSO read; real ones have two to four pages.
const MOST_BYTES: u64 = 1 << 20;

/// The vDSO of this process, which is the same in every process of the running kernel.
pub(crate) fn read() -> Option<Image> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let size = usize::try_from(end.checked_sub(start).filter(|size| *size <= MOST_BYTES)?).ok()?;
    let mut bytes = vec![0; size];
    std::fs::File::open("/proc/self/mem").ok()?.read_exact_at(&mut bytes, start).ok()?;
    Image::from_bytes(Path::new("[vdso]"), bytes).ok()
}
