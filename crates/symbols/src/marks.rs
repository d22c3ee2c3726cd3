//! What an ELF file says of itself: which compiler made it, whether it is the interpreter, whether it was stripped.

use memchr::memmem;
use object::{Object, ObjectSection, ObjectSymbol, ObjectSymbolTable};

/// Marks that survive stripping decide the language of a file, never its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// rustc left its version, its panic paths or its personality routine.
    pub rust: bool,
    /// It defines the CPython runtime, or the C API's evaluator.
    pub cpython: bool,
    /// There is no `.symtab`.
    pub stripped: bool,
    pub has_debug_info: bool,
}

impl Marks {
    pub(crate) fn of(file: &object::File<'_>) -> Self {
        Self {
            rust: rust_comment(file) || rust_paths(file) || defines(file, &[b"rust_eh_personality"]),
            cpython: defines(file, &[b"_PyRuntime", b"_PyEval_EvalFrameDefault"]),
            stripped: file.symbol_table().is_none_or(|table| table.symbols().next().is_none()),
            has_debug_info: file.section_by_name(".debug_info").is_some()
                || file.section_by_name(".zdebug_info").is_some(),
        }
    }
}

fn rust_comment(file: &object::File<'_>) -> bool {
    section(file, ".comment").is_some_and(|text| memmem::find(text, b"rustc version ").is_some())
}

/// Panic messages carry the path of the standard library's source: `/rustc/` and the compiler's commit.
fn rust_paths(file: &object::File<'_>) -> bool {
    section(file, ".rodata").is_some_and(|text| {
        memmem::find_iter(text, b"/rustc/")
            .any(|at| text.get(at + 7..at + 47).is_some_and(|hash| hash.iter().all(u8::is_ascii_hexdigit)))
    })
}

fn defines(file: &object::File<'_>, names: &[&[u8]]) -> bool {
    let is_one = |symbol: &object::Symbol<'_, '_>| {
        symbol.is_definition() && symbol.name_bytes().is_ok_and(|name| names.contains(&name))
    };
    file.dynamic_symbols().any(|symbol| is_one(&symbol)) || file.symbols().any(|symbol| is_one(&symbol))
}

fn section<'data>(file: &object::File<'data>, name: &str) -> Option<&'data [u8]> {
    file.section_by_name(name)?.data().ok()
}
