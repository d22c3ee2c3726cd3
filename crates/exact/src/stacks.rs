//! Distinct stacks of places, and the samples that had them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use profiler_splice::Class;
use profiler_symbols::Image;

use crate::waits::Wait;

/// A remark on a stack, shown as a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Native frames are missing between the two neighbours.
    Gap,
    /// The Python stack did not fit and is left out.
    Unspliced,
    /// The thread waits for the GIL.
    GilWait,
    /// The thread could run, and has no CPU.
    CpuWait,
    /// The thread waits for a page of its memory to be read; its user stack is not taken then.
    PageWait,
}

/// One frame before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Kernel(u64),
    /// Number of the image and address in it.
    Native(u32, u64),
    /// An address in no file.
    Nowhere(u64),
    /// Number of the function and running line.
    Python(u32, u32),
    /// Number of the name of code made at run time.
    Generated(u32),
    Mark(Mark),
}

/// One sample that was taken.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub time_ns: u64,
    pub pid: u32,
    pub tid: u32,
    pub stack: u32,
}

/// How the samples came out. Numbers of samples.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub classes: BTreeMap<Class, u64>,
    pub root_reached: u64,
    pub gil_held: u64,
    pub gil_released: u64,
    pub gil_waited: u64,
    /// Samples of children that were not known yet; they have no Python frames.
    pub early: u64,
    /// Samples whose native stack was lost.
    pub stackless: u64,
    pub cost_ns: u64,
    pub stack_bytes: u64,
}

/// Everything sampled so far.
#[derive(Default)]
pub struct Stacks {
    places: Vec<Place>,
    place_numbers: HashMap<Place, u32>,
    stacks: Vec<Box<[u32]>>,
    stack_numbers: HashMap<Box<[u32]>, u32>,
    images: Vec<Arc<Image>>,
    image_numbers: HashMap<usize, u32>,
    generated: Vec<String>,
    generated_numbers: HashMap<(u64, String), u32>,
    pub rows: Vec<Row>,
    pub threads: HashMap<(u32, u32), String>,
    pub tally: Tally,
}

impl Stacks {
    /// Number of an image.
    pub fn image(&mut self, image: &Arc<Image>) -> u32 {
        let number = u32::try_from(self.images.len()).unwrap_or(u32::MAX);
        *self.image_numbers.entry(Arc::as_ptr(image) as usize).or_insert_with(|| {
            self.images.push(Arc::clone(image));
            number
        })
    }

    /// The place of a function made at run time, which is at `start` and has this name.
    pub fn generated(&mut self, start: u64, name: &str) -> Place {
        let number = u32::try_from(self.generated.len()).unwrap_or(u32::MAX);
        let number = *self.generated_numbers.entry((start, name.to_owned())).or_insert_with(|| {
            self.generated.push(name.to_owned());
            number
        });
        Place::Generated(number)
    }

    /// Names of code made at run time.
    pub fn generated_names(&self) -> &[String] {
        &self.generated
    }

    /// Number of a stack, root first.
    pub fn stack(&mut self, places: &[Place]) -> u32 {
        let numbers: Box<[u32]> = places.iter().map(|place| self.place(*place)).collect();
        if let Some(number) = self.stack_numbers.get(&numbers) {
            return *number;
        }
        let number = u32::try_from(self.stacks.len()).unwrap_or(u32::MAX);
        self.stacks.push(numbers.clone());
        self.stack_numbers.insert(numbers, number);
        number
    }

    /// A row for each sampling instant in a wait.
    pub fn push_wait(&mut self, wait: Wait, period_ns: u64, pid: u32, tid: u32, stack: u32) {
        self.rows.extend(wait.instants(period_ns).map(|time_ns| Row { time_ns, pid, tid, stack }));
    }

    fn place(&mut self, place: Place) -> u32 {
        let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        *self.place_numbers.entry(place).or_insert_with(|| {
            self.places.push(place);
            number
        })
    }

    pub fn places(&self) -> &[Place] {
        &self.places
    }

    pub fn images(&self) -> &[Arc<Image>] {
        &self.images
    }

    /// Each stack as numbers of places, root first.
    pub fn stacks(&self) -> &[Box<[u32]>] {
        &self.stacks
    }
}
