"""Which language a native frame is in: what its symbol says, then the debug information, then its file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from profiler.model.frame import Language
from profiler.model.profile import ModuleTraits, RawFrame
from profiler.stacks.names import basename

# Symbols that rustc makes without mangling.
_RUST_PLAIN = ("rust_", "__rust", "__rdl_", "__rg_", "_rust_", "DW.ref.rust")
# How demangled Rust differs from C++, where a file gives names without symbols.
_RUST_SHAPE = re.compile(
    r"\{\{?(closure|impl|shim|vtable)|^<.+ as .+>::|::h[0-9a-f]{16}$|^<?(core|alloc|std|tokio|pyo3|actix\w*|hyper)::"
)
_CPYTHON_NAME = re.compile(r"^_?Py[A-Z_]|^_PyEval|^(list|dict|long|unicode|tuple|type|method|slot)_[a-z_]+$")


def native_language(frame: RawFrame, mangling: str, modules: Mapping[str, ModuleTraits]) -> Language:
    """`mangling` is what the symbol turned out to be: rust, cpp or plain."""
    if mangling == "rust":
        return Language.RUST
    traits = modules.get(frame.module)
    if frame.language is Language.RUST:
        return Language.RUST
    if traits is None:
        return frame.language or _by_name(frame, mangling)
    if mangling == "cpp":
        return Language.C
    if traits.language is Language.RUST:
        return _in_rust_file(frame, traits)
    return traits.language


def _in_rust_file(frame: RawFrame, traits: ModuleTraits) -> Language:
    """C that was linked into a Rust library can be told only where symbols or debug information were left."""
    if frame.language is Language.C:
        return Language.C
    if traits.stripped or not frame.name or frame.name.startswith(_RUST_PLAIN) or "::" in frame.name:
        return Language.RUST
    return Language.RUST if frame.name.startswith("PyInit_") else Language.C


def _by_name(frame: RawFrame, mangling: str) -> Language:
    """Files of other tools give names only."""
    if mangling == "cpp":
        return Language.C
    if _RUST_SHAPE.search(frame.name):
        return Language.RUST
    module = basename(frame.module)
    if module.startswith(("libpython", "python3")):
        return Language.CPYTHON
    if "::" in frame.name:
        return Language.C if "(" in frame.name else Language.RUST
    if not module and _CPYTHON_NAME.match(frame.name):
        return Language.CPYTHON
    return Language.C if module else Language.UNKNOWN
