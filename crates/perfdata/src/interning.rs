//! Distinct code locations and distinct stacks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use profiler_symbols::{Image, PerfMap};
use profiler_unwind::Place;

/// Multiplies and folds: addresses come from a recording of the user's own, and millions are looked up.
#[derive(Default)]
pub(crate) struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
}

pub(crate) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<QuickHasher>>;

/// A code location, whichever process met it.
#[derive(Clone)]
pub(crate) enum Location {
    Image { image: Arc<Image>, address: u64 },
    Unreadable { path: Arc<str>, address: u64 },
    Generated { map: Arc<PerfMap>, address: u64 },
    Kernel { address: u64 },
    Unknown { address: u64 },
}

/// Two locations are the same where kind, file and address are. Files are told apart by where they lie in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LocationKey(u8, usize, u64);

impl Location {
    pub(crate) fn of(place: Place, address: u64) -> Self {
        match place {
            Place::Image { image, address } => Self::Image { image, address },
            Place::Unreadable { path, address } => Self::Unreadable { path, address },
            Place::Generated { map, address } => Self::Generated { map, address },
            Place::Unknown => Self::Unknown { address },
        }
    }

    pub(crate) fn key(&self) -> LocationKey {
        match self {
            Self::Image { image, address } => LocationKey(0, Arc::as_ptr(image) as usize, *address),
            Self::Unreadable { path, address } => LocationKey(1, Arc::as_ptr(path).cast::<u8>() as usize, *address),
            Self::Generated { map, address } => LocationKey(2, Arc::as_ptr(map) as usize, *address),
            Self::Kernel { address } => LocationKey(3, 0, *address),
            Self::Unknown { address } => LocationKey(4, 0, *address),
        }
    }
}

/// Gives equal locations the same number.
#[derive(Default)]
pub(crate) struct Locations {
    numbers: QuickMap<LocationKey, u32>,
    pub(crate) list: Vec<Location>,
}

impl Locations {
    pub(crate) fn intern(&mut self, location: Location) -> u32 {
        *self.numbers.entry(location.key()).or_insert_with(|| {
            self.list.push(location);
            (self.list.len() - 1) as u32
        })
    }
}

/// Gives equal stacks the same number. All stacks lie in one buffer.
#[derive(Default)]
pub(crate) struct Stacks {
    numbers: QuickMap<u64, Vec<u32>>,
    pub(crate) frames: Vec<u32>,
    pub(crate) ends: Vec<usize>,
}

impl Stacks {
    pub(crate) fn intern(&mut self, stack: &[u32]) -> u32 {
        let mut hasher = QuickHasher::default();
        stack.iter().for_each(|frame| hasher.write_u32(*frame));
        let (frames, ends) = (&self.frames, &self.ends);
        let same = self.numbers.entry(hasher.finish()).or_default();
        if let Some(number) = same.iter().find(|number| slice(frames, ends, **number) == stack) {
            return *number;
        }
        let number = self.ends.len() as u32;
        same.push(number);
        self.frames.extend_from_slice(stack);
        self.ends.push(self.frames.len());
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, number: u32) -> &[u32] {
        slice(&self.frames, &self.ends, number)
    }
}

fn slice<'a>(frames: &'a [u32], ends: &[usize], number: u32) -> &'a [u32] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &frames[start..ends[number]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_share_a_number() {
        let mut stacks = Stacks::default();
        let numbers = [stacks.intern(&[1, 2]), stacks.intern(&[]), stacks.intern(&[1, 2]), stacks.intern(&[2, 1])];
        assert_eq!(numbers, [0, 1, 0, 2]);
        assert_eq!(stacks.get(2), [2, 1]);
        assert_eq!(stacks.get(1), [0; 0]);
        assert_eq!(stacks.len(), 3);
    }
}
