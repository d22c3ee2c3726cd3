//! One address to its functions: the linker's symbol for the code itself, debug information for what is inlined in it.

use crate::{Image, Inlines, SourceLanguage};

/// A function at an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceFrame {
    /// As found: mangled, or as the debug information calls it; empty where nothing names it.
    pub name: String,
    pub file: String,
    pub line: u32,
    pub inlined: bool,
    pub language: Option<SourceLanguage>,
    /// Start of the function's range where there is no name, else 0.
    pub address: u64,
}

/// The functions at an address of a file, outermost first; at least one.
pub fn frames_at(image: &Image, address: u64, inlines: Option<&Inlines<'_>>) -> Vec<PlaceFrame> {
    let mut frames: Vec<PlaceFrame> = inlines
        .map(|all| all.find(address))
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .map(|(depth, found)| PlaceFrame {
            name: found.name,
            file: found.file,
            line: found.line,
            inlined: depth > 0,
            language: found.language,
            address: 0,
        })
        .collect();
    if frames.is_empty() {
        frames.push(PlaceFrame::default());
    }
    // The linker's own name of the code wins over what the debug information calls it.
    if let Some(symbol) = image.symbol(address) {
        frames[0].name = symbol.name.to_owned();
    } else if frames[0].name.is_empty() {
        frames[0].address = image.function_range(address).map_or(address, |range| range.start);
    }
    // A part that the compiler split off a function is described as the function inlined into itself.
    let split_off =
        |inner: &PlaceFrame, outer: &PlaceFrame| inner.inlined && inner.file == outer.file && !inner.name.is_empty();
    frames.dedup_by(|inner, outer| {
        inner.language != Some(SourceLanguage::Rust) && split_off(inner, outer) && inner.name == plain(&outer.name)
    });
    frames
}

/// A symbol without what the compiler appends to parts.
fn plain(name: &str) -> &str {
    name.split_once('.').map_or(name, |(head, _)| if head.is_empty() { name } else { head })
}
