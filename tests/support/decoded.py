"""Reads exported files back by the formats' own rules: weights in nanoseconds by frame names, root first."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import Any

from profiler.export.pprof_schema import profile_message

Stacks = Counter[tuple[str, ...]]


def decode(name: str, data: bytes) -> Stacks:
    return _DECODERS[name](data)


def speedscope(data: bytes, profile: int = 0) -> Stacks:
    document = json.loads(data)
    names = [frame["name"] for frame in document["shared"]["frames"]]
    stacks: Stacks = Counter()
    if document["profiles"]:
        chosen = document["profiles"][profile]
        for stack, weight in zip(chosen["samples"], chosen["weights"], strict=True):
            if weight >= 1:
                stacks[tuple(names[index] for index in stack)] += round(weight)
    return stacks


def folded(data: bytes) -> Stacks:
    stacks: Stacks = Counter()
    for line in data.decode().splitlines():
        names, _, weight = line.rpartition(" ")
        stacks[tuple(names.split(";"))] += int(weight)
    return stacks


def pprof(data: bytes) -> Stacks:
    profile = profile_message().FromString(gzip.decompress(data))
    text = list(profile.string_table)
    functions = {function.id: text[function.name] for function in profile.function}
    # Leaf first, and within a location the inlined function first.
    lines = {entry.id: [functions[line.function_id] for line in entry.line] for entry in profile.location}
    stacks: Stacks = Counter()
    for sample in profile.sample:
        names = [name for location in sample.location_id for name in lines[location]]
        stacks[tuple(reversed(names))] += sample.value[1]
    return stacks


def firefox(data: bytes) -> Stacks:
    document = json.loads(data)
    stacks: Stacks = Counter()
    for thread in document["threads"]:
        samples = thread["samples"]
        for node, weight in zip(samples["stack"], samples["weight"], strict=True):
            stacks[firefox_stack(document, node)] += round(weight * 1e6)
    return stacks


def firefox_stack(document: dict[str, Any], node: int | None) -> tuple[str, ...]:
    shared = document["shared"]
    names: list[str] = []
    while node is not None:
        function = shared["frameTable"]["func"][shared["stackTable"]["frame"][node]]
        names.append(shared["stringArray"][shared["funcTable"]["name"][function]])
        offset = shared["stackTable"]["prefixOffset"][node]
        node = node - offset if offset else None
    return tuple(reversed(names))


def tree(data: bytes) -> Stacks:
    document = json.loads(data)
    stacks: Stacks = Counter()
    open_nodes = [(document["tree"], ())]
    while open_nodes:
        node, path = open_nodes.pop()
        if node["self_ns"]:
            stacks[path] += node["self_ns"]
        for child in node.get("children", ()):
            open_nodes.append((child, (*path, document["functions"][child["function"]]["name"])))
    return stacks


_DECODERS = {"speedscope": speedscope, "folded": folded, "pprof": pprof, "firefox": firefox, "json": tree}
