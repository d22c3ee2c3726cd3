"""Which function of the oracle's target may call which. Whatever else a stack says is impossible."""

from __future__ import annotations

from profiler.model.profile import RawFrame

ROOT = "(root)"

# Functions by whom they are called directly, all others (the interpreter's, the standard library's) left out.
# Native functions of the extension end in "()".
CALLERS: dict[str, set[str]] = {
    "<module>": {ROOT},
    "main": {"<module>"},
    "run_sections": {ROOT},
    "churn": {ROOT},
    "forked": {ROOT},
    "short_lived": {ROOT},
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
    "inner_call()": {"outer_call()"},
    "spin_holding()": {"holding"},
    "spin_released()": {"released"},
    "spin_stateless()": {"stateless"},
    "call_from_thread()": {"from_thread"},
    "spin()": {"spin_holding()", "spin_released()", "stateless()", "attaching()"},
    "stateless()": {ROOT},
    "attaching()": {ROOT},
}  # fmt: skip

# How often a function is on the stack when it has called `leaf_python`.
DEPTHS = {"recurse": 301, "raise_deep": 21, "recurse_native": 31}


def relevant(frames: tuple[RawFrame, ...]) -> list[str]:
    """The target's own functions and the extension's, root first."""
    names = []
    for frame in frames:
        if frame.kind == "python" and frame.module.endswith("oracle_target.py"):
            names.append(frame.name)
        elif frame.kind == "native" and frame.module.endswith("oracle.so"):
            names.append(f"{frame.name}()")
    return names


def why_impossible(frames: tuple[RawFrame, ...]) -> str:
    """What is wrong with a stack; empty where it is possible."""
    names = relevant(frames)
    for caller, name in zip([ROOT, *names], names, strict=False):
        if name not in CALLERS:
            continue  # a lambda of the interpreter's set-up, a compiler's helper
        if caller not in CALLERS[name]:
            return f"{caller} does not call {name}"
    if len(names) > 1 and names[-1] == "leaf_python" and names[-2] in DEPTHS:
        depth = names.count(names[-2])
        if depth != DEPTHS[names[-2]]:
            return f"{names[-2]} is {depth} deep where it calls leaf_python, not {DEPTHS[names[-2]]}"
    return ""
