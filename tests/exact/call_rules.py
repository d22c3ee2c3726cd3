"""Which function of the oracle's target may call which. Whatever else a stack says is impossible."""

from __future__ import annotations

import functools
import itertools
import re

from profiler._native import demangle
from profiler.model.profile import RawFrame

ROOT = "(root)"

# Functions by whom they are called directly, all others (the interpreter's, the standard libraries') left out.
# Native functions of the extension end in "()", those of its Rust part are "rust::", inlined or not.
CALLERS: dict[str, set[str]] = {
    "<module>": {ROOT},
    "main": {"<module>"},
    "run_sections": {ROOT},
    "churn": {ROOT},
    "forked": {ROOT},
    "rust_churn": {ROOT},
    "short_lived": {ROOT, "inner_call()"},
    "section": {"run_sections"},
    "python_only": {"section"},
    "reenter": {"section"},
    "generators": {"section"},
    "asynchronous": {"section"},
    "exceptions": {"section"},
    "recursion": {"section"},
    "native_recursion": {"section"},
    "holding": {"section"},
    "released": {"section"},
    "stateless": {"section"},
    "from_thread": {"section"},
    "rust_reenter": {"section"},
    "rust_caught": {"section"},
    "rust_recursion": {"section"},
    "rust_holding": {"section"},
    "rust_released": {"section"},
    "rust_alone": {"section"},
    "middle_rust": {"inner_call()"},
    "leaf_python": {
        "python_only", "leaf_callback", "numbers", "leaf_async", "raise_deep", "exceptions", "recurse",
        "recurse_native", "short_lived", "forked",
    },
    "middle_python": {"inner_call()"},
    "leaf_callback": {"inner_call()"},
    "numbers": {"outer_numbers"},
    "outer_numbers": {"generators"},
    "gather_async": {"asynchronous"},
    # A call makes the coroutine in the caller; the event loop then runs it.
    "middle_async": {"gather_async", "asynchronous"},
    "leaf_async": {"middle_async"},
    "raise_deep": {"raise_deep", "exceptions"},
    "recurse": {"recurse", "recursion"},
    "recurse_native": {"native_recursion", "recurse_native.<locals>.<lambda>"},
    "recurse_native.<locals>.<lambda>": {"inner_call()"},
    "call_back()": {"reenter", "middle_python", "recurse_native"},
    "outer_call()": {"call_back()", "attaching()"},
    "inner_call()": {"outer_call()", "attached_call()", "rust::Callback::call"},
    "spin_holding()": {"holding"},
    "spin_released()": {"released"},
    "spin_stateless()": {"stateless"},
    "call_from_thread()": {"from_thread"},
    "spin()": {"spin_holding()", "spin_released()", "stateless()", "attaching()"},
    "stateless()": {ROOT},
    "attaching()": {ROOT},
    "rust_call()": {"rust_reenter", "middle_rust"},
    "rust_catch()": {"rust_caught"},
    "rust_recurse()": {"rust_recursion"},
    "rust_holding()": {"rust_holding"},
    "rust_released()": {"rust_released"},
    "rust_thread()": {"rust_alone"},
    "rust_births()": {"rust_churn"},
    "attached_call()": {"rust::Callback::call"},
    "oracle_rust_call()": {"rust_call()"},
    "oracle_rust_catch()": {"rust_catch()"},
    "oracle_rust_recurse()": {"rust_recurse()"},
    "oracle_rust_spin()": {"rust_holding()", "rust_released()"},
    "oracle_rust_thread()": {"rust_thread()"},
    "oracle_rust_births()": {"rust_births()"},
    "rust::generic": {"oracle_rust_call()"},
    "rust::oracle_rust_call::{closure}": {"rust::generic"},
    "rust::oracle_rust_catch::{closure}": {"oracle_rust_catch()"},
    "rust::panicking": {"rust::oracle_rust_catch::{closure}"},
    "rust::descend": {"oracle_rust_recurse()", "rust::descend"},
    "rust::Callback::call": {
        "rust::oracle_rust_call::{closure}", "rust::panicking", "rust::descend", "rust::newborn",
    },
    "rust::spin": {"oracle_rust_spin()", "rust::lonely", "rust::newborn"},
    "rust::twist_both": {"rust::spin"},
    "rust::Rotating::twist": {"rust::twist_both"},
    "rust::Multiplying::twist": {"rust::twist_both"},
    # The closure that a thread begins with; and the one that waits for the threads.
    "rust::oracle_rust_thread::{closure}": {ROOT},
    "rust::oracle_rust_births::{closure}": {ROOT, "oracle_rust_births()"},
    "rust::lonely": {"rust::oracle_rust_thread::{closure}"},
    "rust::newborn": {"rust::oracle_rust_births::{closure}"},
}  # fmt: skip

RUST_MODULE = "liboracle_rust.so"
# Where it stands, a stack says of itself that it is not whole (class "truncated"): what lies across it need not fit.
GAP = "[native frames missing]"

# How often a function is on the stack when it has called `leaf_python`.
DEPTHS = {"recurse": 301, "raise_deep": 21, "recurse_native": 31}
RUST_DEPTH = 41


@functools.cache
def rust_name(symbol: str) -> str:
    """`rust::` and a function of oracle.rs without its type parameters, `NAME()` for one that C calls; empty for all
    others (the standard library's)."""
    if symbol.startswith("oracle_rust_"):
        return f"{symbol}()"
    name = demangle([symbol])[0][0]
    assert not name.startswith(("_ZN", "_R")), f"{symbol} is not demangled"
    method = re.match(r"^<oracle_rust::(\w+) as oracle_rust::\w+>::(\w+)$", name)
    if method:
        return f"rust::{method[1]}::{method[2]}"
    if not name.startswith(("oracle_rust::", "<oracle_rust::Callback>")):
        return ""
    name = name.replace("<oracle_rust::Callback>", "oracle_rust::Callback")
    while (plain := re.sub(r"::<[^<>]*>", "", name)) != name:
        name = plain
    return "rust::" + re.sub(r"\{+closure(#\d+)?\}+", "{closure}", name.removeprefix("oracle_rust::"))


def relevant(frames: tuple[RawFrame, ...]) -> list[str]:
    """The target's own functions, the extension's and gaps, root first."""
    names = []
    for frame in frames:
        if frame.name == GAP:
            names.append(GAP)
        elif frame.kind == "python" and frame.module.endswith("oracle_target.py"):
            names.append(frame.name)
        elif frame.kind == "native" and frame.module.endswith("/oracle.so"):
            names.append(f"{frame.name}()")
        elif frame.kind == "native" and frame.module.endswith(RUST_MODULE) and (name := rust_name(frame.name)):
            names.append(name)
    return names


def why_impossible(frames: tuple[RawFrame, ...]) -> str:
    """What is wrong with a stack; empty where it is possible."""
    names = relevant(frames)
    for caller, name in zip([ROOT, *names], names, strict=False):
        if name not in CALLERS:
            if name.startswith("rust::"):
                return f"{name} is no function of oracle.rs"
            continue  # a lambda of the interpreter's set-up, a compiler's helper
        if caller not in (*CALLERS[name], GAP):
            return f"{caller} does not call {name}"
    if GAP in names:
        return ""
    if len(names) > 1 and names[-1] == "leaf_python" and names[-2] in DEPTHS:
        depth = names.count(names[-2])
        if depth != DEPTHS[names[-2]]:
            return f"{names[-2]} is {depth} deep where it calls leaf_python, not {DEPTHS[names[-2]]}"
    for caller, name in itertools.pairwise(names):
        if (caller, name) == ("rust::descend", "rust::Callback::call") and names.count(caller) != RUST_DEPTH:
            return f"{caller} is {names.count(caller)} deep where it calls back, not {RUST_DEPTH}"
    return ""
