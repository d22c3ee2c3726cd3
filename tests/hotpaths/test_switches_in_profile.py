"""A switch is proven by its frames: a profile shows an optimization's functions on the side that is set, only there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hotpaths.catalogue import OPTIMIZATIONS
from hotpaths.optimization import SIDES
from profiler.targets.ports import free_port

PROFILER = str(Path(sys.executable).parent / "profiler")


# Copying the 27 bytes of `/hello` takes a thousandth of a request, too little to be sure of a sample.
SHOWN_BY = {"before": "/json/10000", "after": "/hello"}
# So does not copying them, for every size; that this side runs is proven by its counter.
TOO_QUICK = {"hotpaths_native::bodies::borrow_from_python"}


def _frames(setting: str, endpoint: str, place: Path) -> set[str]:
    port, run = free_port(), place / "run"
    server = [sys.executable, "-m", "hotpaths.server", "--port", str(port), "--access-log", str(place / "access.log")]
    record = [PROFILER, "record", "--endpoint", endpoint, "--url", f"http://127.0.0.1:{port}", "--no-open"]
    timing = ["--duration", "4", "--warmup", "1", "--rate", "1999", "-o", str(run)]
    ended = subprocess.run([*record, *timing, "--", *server, "--set", setting], capture_output=True, text=True)
    # 5: the figures are not to be trusted, on a machine that does other things as well; the names are.
    assert ended.returncode in (0, 5), ended.stderr
    folded = subprocess.run(
        [PROFILER, "export", str(run), "--format", "folded"], capture_output=True, text=True, check=True
    ).stdout
    return {frame for line in folded.splitlines() for frame in line.rpartition(" ")[0].split(";")}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Side -> functions in a profile of the server with every switch on that side."""
    settings = {"before": "all=off", "after": "all=on"}
    return {side: _frames(settings[side], SHOWN_BY[side], tmp_path_factory.mktemp(side)) for side in SIDES}


@pytest.mark.parametrize("slug", [optimization.slug for optimization in OPTIMIZATIONS])
def test_frames_are_on_their_side_only(slug: str, shown: dict[str, set[str]]) -> None:
    frames = next(optimization.frames for optimization in OPTIMIZATIONS if optimization.slug == slug)
    for side, other in (SIDES, reversed(SIDES)):
        assert (shown[side] | TOO_QUICK) & set(frames[side]), f"none of {frames[side]} was sampled"
        assert not shown[other] & set(frames[side])
