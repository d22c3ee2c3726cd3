"""The speedscope file: its published schema, its profiles, its colours, its size."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from decoded import speedscope
from synthetic import MS, make_metadata, make_profile

from profiler.export.budget import Weighted, cut_to_budget, json_length
from profiler.export.speedscope import RARE, SpeedscopeExporter
from profiler.model.block import Block
from profiler.model.frame import Frame, Language
from profiler.model.profile import Profile, Samples
from profiler.viewer.assets import FOLDER
from profiler.views.picture import Picture, make_picture


def exported(picture: Picture | None = None) -> dict[str, Any]:
    picture = picture or make_picture(make_profile(), make_metadata(distorted="slower calls"), "perf")
    return json.loads(SpeedscopeExporter().encode(picture))  # type: ignore[no-any-return]


def test_it_is_valid_by_speedscopes_own_schema() -> None:
    schema = json.loads((FOLDER / "file-format-schema.json").read_bytes())
    jsonschema.validate(exported(), schema)
    broken = exported()
    del broken["profiles"][0]["weights"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_all_threads_come_first_then_each_thread_then_a_slice_in_time() -> None:
    names = [profile["name"].split(" · ")[0] for profile in exported()["profiles"]]
    assert names == [
        "all threads",
        "server 100/100",
        "worker;1 100/101",
        "helper 200/200",
        "worker;1 100/102",
        "in the order of time",
    ]


def test_the_name_says_target_endpoint_sampler_unit_and_distortion() -> None:
    name = exported()["profiles"][0]["name"]
    for part in ("django-bolt testapp", "GET /hello", "perf 499 Hz", "16 µs/request", "distorted: slower calls"):
        assert part in name
    assert "16.00 µs of CPU per request over 1,500 requests" in exported()["name"]
    assert "sampled CPU is 88.9% of measured CPU" in exported()["name"]


def test_weights_add_to_the_end_value_and_threads_to_the_whole() -> None:
    document = exported()
    for profile in document["profiles"]:
        assert profile["unit"] == "nanoseconds"
        assert profile["endValue"] == pytest.approx(math.fsum(profile["weights"]))
        assert len(profile["samples"]) == len(profile["weights"])
    threads = [sum(speedscope(json.dumps(document).encode(), number).values()) for number in range(1, 5)]
    assert sum(threads) == sum(speedscope(json.dumps(document).encode()).values()) == 24 * MS


def test_equal_stacks_are_merged_and_functions_are_told_apart_by_module_not_line() -> None:
    document = exported()
    frames = [(frame["name"], frame["file"]) for frame in document["shared"]["frames"]]
    assert len(set(frames)) == len(frames)
    assert frames.count(("hello", "6-python/app/views.py")) == 1
    stacks = [tuple(stack) for stack in document["profiles"][0]["samples"]]
    assert len(set(stacks)) == len(stacks)


def test_languages_have_colour_ranges_of_their_own_and_a_function_one_colour_everywhere() -> None:
    document = exported()
    files = {frame["file"].split("/")[0] for frame in document["shared"]["frames"]}
    assert files == {"1-kernel", "2-unknown", "3-c", "4-rust", "5-cpython", "6-python"}
    everything = set(range(len(document["shared"]["frames"])))
    for profile in document["profiles"]:
        assert {index for stack in profile["samples"] for index in stack} == everything, "ranks are the same in all"
        added = sum(weight for weight in profile["weights"] if weight < 1)
        assert added < 1e-6


def test_beyond_the_budget_the_lightest_stacks_become_one_frame_and_no_weight_is_lost() -> None:
    rows = [Weighted(key=n % 2, stack=(n, n + 1), weight=n + 1) for n in range(100)]
    kept = cut_to_budget(rows, 300, rare=999)
    assert sum(row.weight for row in kept) == sum(row.weight for row in rows)
    assert sum(json_length(row.stack, row.weight) for row in kept if row.stack != (999,)) <= 300
    assert [row.weight for row in kept[:3]] == [100, 99, 98]
    assert {row.key for row in kept if row.stack == (999,)} == {0, 1}


def test_an_hour_stays_below_10_mb_and_keeps_its_total() -> None:
    picture = _an_hour()
    data = SpeedscopeExporter().encode(picture)
    assert len(data) < 10_000_000
    document = json.loads(data)
    assert sum(speedscope(data).values()) == picture.total_ns
    assert RARE in {frame["name"] for frame in document["shared"]["frames"]}
    assert document["profiles"][-1]["name"].startswith("in the order of time · the first ")
    assert len(document["profiles"][-1]["samples"]) < 200_000
    jsonschema.validate(
        {**document, "profiles": [document["profiles"][-1]]},
        json.loads((FOLDER / "file-format-schema.json").read_bytes()),
    )


def _an_hour() -> Picture:
    """3,600 s of two busy cores at 499 Hz on 16 threads: 3.6 million samples, 40,000 stacks about 40 deep."""
    random.seed(7)
    languages = list(Language)
    frames = tuple(
        Frame(name=f"module_{n % 90}::function_number_{n}", module=f"lib{n % 40}.so", language=languages[n % 6])
        for n in range(5000)
    )
    stacks = tuple(tuple(random.choices(range(5000), k=random.randint(20, 60))) for _ in range(40_000))
    count = 3_592_800
    generator = np.random.default_rng(7)
    # Zipf's law over the stacks, as in real profiles.
    odds = 1 / np.arange(1, len(stacks) + 1)
    tid = generator.integers(1, 17, count)
    times = np.arange(count, dtype=np.int64) * 1_002_004
    samples = Samples(
        time_ns=times,
        pid=np.full(count, 7, dtype=np.int64),
        tid=tid,
        block=times // (900 * 10**9),
        weight_ns=np.full(count, 2_004_008, dtype=np.int64),
        stack=generator.choice(len(stacks), count, p=odds / odds.sum()),
    )
    blocks = tuple(
        Block(
            index=n, window=n, sampler="perf", start_ns=n * 900 * 10**9, end_ns=(n + 1) * 900 * 10**9,
            requests=10**7, errors=0, cpu_ns=1,
        )
        for n in range(4)
    )  # fmt: skip
    metadata = msgspec.structs.replace(make_metadata(), blocks=blocks)
    return make_picture(Profile(frames=frames, stacks=stacks, samples=samples), metadata, "perf")
