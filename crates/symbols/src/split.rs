//! The unlikely part of a function that a compiler put elsewhere, in files without local symbols.
//!
//! GCC names it `function.cold`, a name that is stripped with the others. Debian's CPython 3.14 has nearly all of its
//! evaluation function there, so that without this no frame of the interpreter could be told from any other.

use std::collections::BTreeMap;
use std::ops::Range;

use object::{Object, ObjectSymbol};

use crate::image::Image;

/// The function, and the name of its other part.
const FUNCTION: &str = "_PyEval_EvalFrameDefault";
pub(crate) const PART: &str = "_PyEval_EvalFrameDefault.cold";

/// Where the other part of CPython's evaluation function lies: the range that begins in the middle of a frame to which
/// most of the function's jumps out of itself lead. None where it is whole, or is not in this file.
pub(crate) fn find(image: &Image) -> Option<Range<u64>> {
    let file = object::File::parse(&**image.data()).ok()?;
    let symbol = file.dynamic_symbols().find(|symbol| symbol.name() == Ok(FUNCTION) && symbol.is_definition())?;
    let own = image.function_range(symbol.address())?;
    let code = image.code(&own)?;
    let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
    // Instructions are not decoded: what only looks like a jump leads somewhere else each time.
    for target in (0..code.len()).filter_map(|at| jump(&code[at..], own.start + at as u64)) {
        if own.contains(&target) {
            continue;
        }
        if let Some(range) = image.function_range(target).filter(|_| image.begins_inside(target)) {
            *votes.entry(range.start).or_default() += 1;
        }
    }
    let (start, _) = votes.into_iter().max_by_key(|(start, count)| (*count, std::cmp::Reverse(*start)))?;
    image.function_range(start)
}

/// Target of a jump with a 32-bit distance, with or without a condition, if these bytes are one.
fn jump(bytes: &[u8], address: u64) -> Option<u64> {
    let length = match bytes {
        [0xe9, ..] => 5,
        [0x0f, 0x80..=0x8f, ..] => 6,
        _ => return None,
    };
    let distance = i32::from_le_bytes(bytes.get(length - 4..length)?.try_into().ok()?);
    Some(address.wrapping_add(length as u64).wrapping_add_signed(i64::from(distance)))
}
