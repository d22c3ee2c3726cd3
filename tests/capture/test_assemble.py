"""Figures of a run from blocks and samples with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from profiler.capture.assemble import (
    agreement_estimate,
    assign_blocks,
    cpu_estimate,
    overhead_estimate,
    rate_estimate,
)
from profiler.model.block import Block
from profiler.model.frame import Frame, Language
from profiler.model.profile import NO_BLOCK, Profile, Samples
from profiler.stacks.shares import language_shares

SECOND = 1_000_000_000


def make_blocks(costs: dict[str, float], rounds: int = 4) -> list[Block]:
    """One block of a second per condition and round; 1,000 requests, each costing `costs[sampler]` µs."""
    blocks: list[Block] = []
    for number in range(rounds):
        for sampler, cost in costs.items():
            start = len(blocks) * 2 * SECOND
            blocks.append(
                Block(
                    index=len(blocks),
                    window=len(blocks),
                    round=number,
                    sampler=sampler,
                    start_ns=start,
                    end_ns=start + SECOND,
                    requests=1000,
                    errors=0,
                    cpu_ns=int(cost * 1_000_000 * (1 + number / 10)),
                )
            )
    return blocks


def make_samples(times: list[int], weight: int = 1) -> Samples:
    count = len(times)
    zeros = np.zeros(count, dtype=np.int64)
    return Samples(
        time_ns=np.array(times, dtype=np.int64),
        pid=zeros,
        tid=zeros,
        block=np.full(count, NO_BLOCK, dtype=np.int64),
        weight_ns=np.full(count, weight, dtype=np.int64),
        stack=np.arange(count, dtype=np.int64),
    )


def test_samples_get_the_block_of_their_own_sampler_only() -> None:
    blocks = make_blocks({"": 5, "perf": 5}, rounds=2)
    times = [0, 2 * SECOND, 3 * SECOND - 1, 3 * SECOND, 6 * SECOND, -5, 10**12]
    assigned = assign_blocks(make_samples(times), blocks, "perf")
    assert assigned.block.tolist() == [NO_BLOCK, 1, 1, NO_BLOCK, 3, NO_BLOCK, NO_BLOCK]


def test_cpu_per_request_and_rate() -> None:
    blocks = make_blocks({"": 10})
    cpu, rate = cpu_estimate(blocks, loaded=True), rate_estimate(blocks)
    assert cpu is not None and rate is not None
    assert cpu.value == pytest.approx(11.5)
    assert rate.value == pytest.approx(1000)
    idle = cpu_estimate(blocks, loaded=False)
    assert idle is not None and idle.value == pytest.approx(0.0115)


def test_overhead_is_compared_inside_each_round_so_that_drift_cancels() -> None:
    overhead = overhead_estimate(make_blocks({"": 10, "perf": 10.5, "other": 99}), "perf", segment=0)
    assert overhead is not None
    assert overhead.value == pytest.approx(0.05)
    assert overhead.half_width < 1e-9
    assert overhead_estimate(make_blocks({"perf": 10}), "perf", segment=0) is None


def test_agreement_compares_sampled_with_measured_cpu() -> None:
    blocks = make_blocks({"perf": 10}, rounds=2)
    samples = assign_blocks(make_samples([0, 1, 4 * SECOND], weight=5_000_000), blocks, "perf")
    sampled, measured, estimate = agreement_estimate(
        assign_blocks(make_samples([0, 1, 2 * SECOND], weight=5_000_000), blocks, "perf"), blocks, "perf"
    )
    assert (sampled, measured) == (15_000_000, 21_000_000)
    assert estimate is not None and estimate.value == pytest.approx(15 / 21)
    assert samples.block.tolist() == [0, 0, NO_BLOCK]


def test_language_shares_count_leaves_inside_blocks_and_add_to_one() -> None:
    frames = tuple(Frame(name=language.value, module="m", language=language) for language in Language)
    samples = make_samples([0, 1, 2, 3])
    samples.block[:3] = 0
    profile = Profile(frames=frames, stacks=((0, 1), (1, 0), (2,), (5,)), samples=samples)
    shares = language_shares(profile)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["rust"] == shares["python"] == pytest.approx(1 / 3)
    assert shares["unknown"] == 0
