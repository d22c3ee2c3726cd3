"""Names as people read them, equal in every run: hashes, disambiguators and generic arguments are taken away.

| language | taken away | example |
|---|---|---|
| Rust | hash, disambiguators, generic arguments | `alloc::vec::Vec<u8>::push::h0f…` → `alloc::vec::Vec<…>::push` |
| Rust | numbers of closures and impls | `main::run::{closure#2}` → `main::run::{closure}` |
| C++ | arguments, generic arguments | `ns::f<int>(char*)` → `ns::f<…>` |
| Rust, inlined | nothing; the module's path is put before a bare name | `poll` → `tokio::task::local::poll` |
| C, CPython | what the compiler appends to parts and copies | `list_sort.part.0` → `list_sort` |
| Python | the folder the file was found under | `…/site-packages/django/http.py` → `django/http.py` |
| no symbol | everything but file and function range | `_core.abi3.so!fn_4fd3a0` |
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Compilers append these to copies and parts of a function; the number differs from build to build.
_SUFFIX = re.compile(r"\.(cold|part|constprop|isra|llvm|lto_priv|localalias|warm|hot|specialized|clone)(\.\d+)*")
_VERSION = re.compile(r"@@?[A-Za-z_][\w.]*$")
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}$")
_DISAMBIGUATOR = re.compile(r"\{(\w[\w:]*)#\d+\}")
_CRATE_HASH = re.compile(r"\[[0-9a-f]{8,16}\]")
_LEGACY_CLOSURE = re.compile(r"\{\{([\w.]+)\}\}")
# Angle brackets that open and close argument lists; the arrow of a function type does not.
_BRACKET = re.compile(r"<|(?<!-)>")
# Newer mangling writes `<Type>::method` where the older wrote `Type::method`.
_INHERENT = re.compile(r"^<((?:\w+::)*\w+(?:<…>)?)>(::)")
_RUST_SOURCE = re.compile(
    r"(?:/rustc/[0-9a-f]{40}/library/(?P<std>[\w-]+)|/(?P<crate>[A-Za-z][\w-]*?)(?:-\d+\.\d+\.\d+[\w.+-]*)?)"
    r"/src/(?P<path>[\w/-]+)\.rs$"
)
_CPP_TAIL = re.compile(r"( const| volatile| &&?| noexcept|\[clone [^]]*\]|\[abi:\w+\])+$")
_PYTHON_ROOTS = re.compile(r"^.*?/(?:site-packages|dist-packages|lib/python\d+\.\d+t?)/(?!site-packages|dist-packages)")


def shorten_rust(demangled: str) -> str:
    """A demangled Rust name without hash, disambiguators and generic arguments."""
    name = _RUST_HASH.sub("", demangled)
    name = _CRATE_HASH.sub("", name)
    name = _LEGACY_CLOSURE.sub(r"{\1}", name)
    name = _DISAMBIGUATOR.sub(r"{\1}", name)
    name = _SUFFIX.sub("", name)
    name = _INHERENT.sub(r"\1\2", shorten_generics(name.replace("::<", "<")))
    # The function's own arguments: older mangling never had them.
    return name.removesuffix("<…>") if name.endswith("<…>") and not name.startswith("<…") else name


def qualify_rust(name: str, file: str) -> str:
    """An inlined function's bare name with the path of the module its source file stands for.

    Line tables alone give inlined functions as `poll` or `{closure}`. Where the file shows crate and module
    (`…/tokio-1.53.3/src/task/local.rs`) the name becomes `tokio::task::local::poll`; the type is not known.
    """
    source = None if "::" in name or not name else _RUST_SOURCE.search(file)
    if source is None:
        return name
    crate = (source["std"] or source["crate"]).replace("-", "_")
    parts = [part.replace("-", "_") for part in source["path"].split("/")]
    if parts[-1] in ("mod", "lib", "main"):
        parts.pop()
    return "::".join((crate, *parts, name))


def shorten_cpp(demangled: str) -> str:
    """A demangled C++ name without arguments and template arguments."""
    name = demangled
    while (tail := _CPP_TAIL.search(name)) is not None:
        name = name[: tail.start()]
    if name.endswith(")") and not name.endswith("operator()"):
        name = name[: _opening(name)].rstrip()
    return shorten_generics(_SUFFIX.sub("", name)) if "operator" not in name else _SUFFIX.sub("", name)


def shorten_c(symbol: str) -> str:
    """A C symbol without what compiler and linker appended."""
    name = _VERSION.sub("", symbol) if "@" in symbol else symbol
    shorter = _SUFFIX.sub("", name) if "." in name else name
    return shorter.removeprefix("__GI_") or symbol


def shorten_generics(name: str) -> str:
    """Every argument list in angle brackets becomes `<…>`; a leading `<Type as Trait>` keeps type and trait."""
    out: list[str] = []
    index = 0
    while (start := name.find("<", index)) >= 0:
        out.append(name[index:start])
        if name.endswith("operator", 0, start):
            out.append("<")
            index = start + 1
            continue
        end = _closing(name, start)
        qualifier = start == 0 or name[start - 1] in " &(,"
        out.append(f"<{shorten_generics(name[start + 1 : end])}>" if qualifier and end < len(name) else "<…>")
        index = end + 1
    out.append(name[index:])
    return "".join(out)


def _closing(name: str, start: int) -> int:
    """Place of the bracket that closes the one at `start`; the end of the name where none does."""
    depth = 0
    for bracket in _BRACKET.finditer(name, start):
        depth += 1 if bracket[0] == "<" else -1
        if depth == 0:
            return bracket.start()
    return len(name)


def _opening(name: str) -> int:
    depth = 0
    for index in range(len(name) - 1, -1, -1):
        if name[index] == ")":
            depth += 1
        elif name[index] == "(":
            depth -= 1
            if depth == 0:
                return index or len(name)
    return len(name)


def unnamed(module: str, address: int) -> str:
    """Name of a function without a symbol: its file and where its range begins there."""
    return f"{basename(module)}!fn_{address:x}"


def basename(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def shorten_python_file(file: str, roots: Sequence[str] = ()) -> str:
    """A source file after `site-packages`, `lib/pythonX.Y` or the project's folder; else its last two parts."""
    if not file.startswith("/"):
        return file
    shorter = _PYTHON_ROOTS.sub("", file)
    if shorter != file:
        return shorter
    for root in sorted(roots, key=len, reverse=True):
        prefix = root.rstrip("/") + "/"
        if file.startswith(prefix):
            return file[len(prefix) :]
    return "/".join(file.split("/")[-2:]).lstrip("/")
