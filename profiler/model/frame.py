"""A frame: one function on a stack."""

from __future__ import annotations

import enum

import msgspec


class Language(enum.StrEnum):
    """What a frame's function is written in, or where it runs."""

    PYTHON = "python"
    RUST = "rust"
    C = "c"
    CPYTHON = "cpython"
    """The interpreter itself: libpython, or the python executable it is linked into."""
    KERNEL = "kernel"
    UNKNOWN = "unknown"
    """An address without a module, or a module that could not be read."""


LANGUAGES = tuple(language.value for language in Language)


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One function on a stack, with the place that ran where the sampler knows it."""

    name: str
    """Function name as shown: demangled, hashes dropped, generic parameters shortened."""
    module: str
    """Python: the source file, shortened to what comes after site-packages or the project. Native: the ELF file's
    base name. Kernel: `[kernel]` or the kernel module's name."""
    language: Language
    file: str = ""
    """Source file where known."""
    line: int = 0
    """Running line where known, else the line of definition, else 0."""
    inlined: bool = False
    """True where the compiler inlined this function into its caller's code."""
    detail: str = ""
    """The whole name where `name` is shortened, else empty."""
    plumbing: bool = False
    """True for runtime plumbing (executor, trampolines, closure adapters) that views may fold into its caller."""

    @property
    def function(self) -> tuple[str, str, str]:
        """Identity at function level, without the line: (language, module, name). Views and exports merge by it."""
        return (self.language.value, self.module, self.name)
