//! Joins the native and the Python stack of one instant into one stack. Pure.
//!
//! Since CPython 3.11 a Python function called from Python runs in the interpreter activation of its caller. Each
//! activation (a native frame inside the evaluation function) owns one *segment* of the chain of Python frames, and an
//! *entry frame* closes that segment. So, from the leaf, the n-th native frame inside the evaluation function stands
//! for the n-th segment, and where nothing was torn there are as many activations as segments.

/// One link of the chain of Python frames, as walked from the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A Python function.
    Frame,
    /// The end of an activation's segment.
    Entry,
}

/// What is known about the two stacks besides their frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The native stack reaches the thread's first function.
    pub root_reached: bool,
    /// The chain of Python frames was walked to its end.
    pub chain_ended: bool,
    /// The chain is that of a subinterpreter: the thread's activations below it belong to another interpreter's chain.
    pub nested: bool,
    /// The innermost activation is at its first instructions, or calls something from there.
    pub at_entry: bool,
}

/// How well the two stacks fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// No Python on this thread: the native stack is the whole truth.
    NativeOnly,
    /// As many activations as segments.
    Exact,
    /// As many, but for the innermost activation: it has not linked its first frame yet, or has just unlinked it.
    Prologue,
    /// The native stack breaks off, or the Python one does; what is there is in order and in its place.
    Truncated,
    /// They do not fit; the native stack is kept and the Python one dropped.
    Unspliced,
}

/// One frame of the joined stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The native frame with this index.
    Native(usize),
    /// The Python link with this index; always a `Link::Frame`.
    Python(usize),
    /// Native frames are missing here.
    Gap,
}

/// Join two stacks, both leaf first. `in_eval[i]` says whether native frame `i` is inside the evaluation function.
/// The result is leaf first.
#[must_use]
pub fn splice(in_eval: &[bool], chain: &[Link], facts: Facts) -> (Class, Vec<Piece>) {
    let segments = Segments::cut(chain, facts.chain_ended);
    let activations = in_eval.iter().filter(|inside| **inside).count();
    let leaf_in_eval = in_eval.first() == Some(&true);
    let class = classify(activations, leaf_in_eval || facts.at_entry, &segments, facts);
    let starting =
        class == Class::Prologue || class == Class::Truncated && facts.nested && facts.chain_ended && facts.at_entry;
    let pieces = match class {
        Class::NativeOnly | Class::Unspliced => (0..in_eval.len()).map(Piece::Native).collect(),
        Class::Prologue | Class::Exact | Class::Truncated => place(in_eval, chain, &segments, usize::from(starting)),
    };
    (class, pieces)
}

/// The chain cut into the segments of its activations.
struct Segments {
    /// Ranges of the chain, leaf first, without the entry frames that close them.
    ranges: Vec<std::ops::Range<usize>>,
    /// The walk ended inside the last range.
    open: bool,
}

impl Segments {
    fn cut(chain: &[Link], chain_ended: bool) -> Self {
        let mut ranges = Vec::new();
        let mut start = 0;
        for (index, link) in chain.iter().enumerate() {
            if *link == Link::Entry {
                ranges.push(start..index);
                start = index + 1;
            }
        }
        let rest = start..chain.len();
        let open = !chain_ended || !rest.is_empty();
        if !rest.is_empty() {
            ranges.push(rest);
        }
        Self { ranges, open }
    }

    /// The last segment holds no frame: the base frame some versions keep under an idle thread's chain.
    fn ends_empty(&self) -> bool {
        self.ranges.last().is_some_and(std::ops::Range::is_empty)
    }
}

fn classify(activations: usize, starts_or_ends: bool, segments: &Segments, facts: Facts) -> Class {
    let owned = segments.ranges.len();
    if !facts.chain_ended {
        return if owned == 0 { Class::Unspliced } else { Class::Truncated };
    }
    if activations == 0 && (owned == 0 || owned == 1 && segments.ends_empty()) {
        return Class::NativeOnly;
    }
    if segments.open {
        return Class::Unspliced; // an ended chain closes every segment
    }
    if activations == owned || activations + 1 == owned && segments.ends_empty() {
        return Class::Exact;
    }
    if activations > owned && facts.nested {
        return Class::Truncated;
    }
    if activations == owned + 1 && starts_or_ends {
        return Class::Prologue;
    }
    if activations < owned && !facts.root_reached {
        return Class::Truncated;
    }
    Class::Unspliced
}

/// Put each segment in the place of its activation, passing over the innermost `unowned` activations. Segments without
/// an activation go to the root side, after a gap.
fn place(in_eval: &[bool], chain: &[Link], segments: &Segments, unowned: usize) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(in_eval.len() + chain.len());
    let mut next = segments.ranges.iter();
    let mut seen = 0;
    for (index, inside) in in_eval.iter().enumerate() {
        if !inside {
            pieces.push(Piece::Native(index));
            continue;
        }
        seen += 1;
        match if seen > unowned { next.next() } else { None } {
            Some(range) if !range.is_empty() => pieces.extend(range.clone().map(Piece::Python)),
            _ => pieces.push(Piece::Native(index)),
        }
    }
    let mut rest = next.filter(|range| !range.is_empty()).peekable();
    if rest.peek().is_some() {
        pieces.push(Piece::Gap);
    }
    pieces.extend(rest.flat_map(|range| range.clone().map(Piece::Python)));
    pieces
}
