"""A raw capture to a profile: frames classified, named and marked, equal stacks merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from profiler import _native
from profiler.model.frame import Frame, Language
from profiler.model.profile import Profile, RawCapture, RawFrame
from profiler.stacks import names
from profiler.stacks.classify import native_language
from profiler.stacks.rules import Rules, default_rules

UNKNOWN = "[unknown]"

# Types of nested futures fill pages; what comes behind this helps nobody.
LONGEST_DETAIL = 1000


def build_profile(raw: RawCapture, *, rules: Rules | None = None, roots: Sequence[str] = ()) -> Profile:
    """The profile of a capture.

    `rules` says which frames are plumbing (None: those of the toolkit). `roots` are project folders: Python files
    inside are named relative to them.
    """
    maker = _FrameMaker(raw, default_rules() if rules is None else rules, roots)
    numbers: dict[Frame, int] = {}
    renumbered = [numbers.setdefault(maker.make(frame), len(numbers)) for frame in raw.frames]
    stacks: dict[tuple[int, ...], int] = {}
    moved = [stacks.setdefault(tuple([renumbered[i] for i in stack]), len(stacks)) for stack in raw.stacks]
    places = np.array(moved, dtype=np.int64)
    stack = places[raw.samples.stack] if len(places) else raw.samples.stack
    return Profile(
        frames=tuple(numbers),
        stacks=tuple(stacks),
        samples=dataclasses.replace(raw.samples, stack=stack),
        threads=raw.threads,
    )


class _FrameMaker:
    """Turns raw frames into frames; every distinct symbol is demangled and shortened once."""

    def __init__(self, raw: RawCapture, rules: Rules, roots: Sequence[str]) -> None:
        symbols = list(dict.fromkeys(frame.name for frame in raw.frames if frame.kind == "native" and frame.name))
        self._demangled: dict[str, tuple[str, str]] = dict(zip(symbols, _native.demangle(symbols), strict=True))
        self._modules = raw.modules
        self._rules = rules
        self._roots = roots
        self._shortened: dict[tuple[str, Language], str] = {}
        self._plumbing: dict[tuple[Language, str], bool] = {}
        self._python_files: dict[str, str] = {}

    def make(self, raw: RawFrame) -> Frame:
        if raw.kind == "python":
            return self._python(raw)
        if raw.kind == "kernel":
            return self._kernel(raw)
        return self._native(raw)

    def _python(self, raw: RawFrame) -> Frame:
        file = raw.file or raw.module
        if file not in self._python_files:
            self._python_files[file] = names.shorten_python_file(file, self._roots)
        module = self._python_files[file]
        return self._frame(raw, raw.name or UNKNOWN, module, Language.PYTHON, "")

    def _kernel(self, raw: RawFrame) -> Frame:
        name = names.shorten_c(raw.name) if raw.name else f"{raw.address:#x}"
        return self._frame(raw, name, raw.module or "[kernel]", Language.KERNEL, raw.name)

    def _native(self, raw: RawFrame) -> Frame:
        module = names.basename(raw.module)
        whole, mangling = self._demangled.get(raw.name, ("", "plain"))
        language = native_language(raw, mangling, self._modules)
        if not whole:
            return self._frame(raw, self._nameless(raw), module, language, "")
        key = (whole, language)
        if key not in self._shortened:
            self._shortened[key] = _shorten(whole, mangling, language)
        name = self._shortened[key]
        if language is Language.RUST and raw.inlined:
            name = names.qualify_rust(name, raw.file)
        return self._frame(raw, name, module, language, whole)

    def _nameless(self, raw: RawFrame) -> str:
        if not raw.module:
            return UNKNOWN
        traits = self._modules.get(raw.module)
        if not raw.address or traits is None or traits.language is Language.UNKNOWN:
            return f"{names.basename(raw.module)}!{UNKNOWN}"
        return names.unnamed(raw.module, raw.address)

    def _frame(self, raw: RawFrame, name: str, module: str, language: Language, whole: str) -> Frame:
        key = (language, name)
        if key not in self._plumbing:
            self._plumbing[key] = self._rules.is_plumbing(language, name)
        return Frame(
            name=name,
            module=module,
            language=language,
            file=raw.file,
            line=raw.line,
            inlined=raw.inlined,
            detail=_detail(whole) if whole != name else "",
            plumbing=self._plumbing[key],
        )


def _shorten(whole: str, mangling: str, language: Language) -> str:
    if mangling == "rust" or language is Language.RUST:
        return names.shorten_rust(whole)
    if mangling == "cpp" or "::" in whole:
        return names.shorten_cpp(whole)
    return names.shorten_c(whole)


def _detail(whole: str) -> str:
    return whole if len(whole) <= LONGEST_DETAIL else whole[:LONGEST_DETAIL] + "…"
