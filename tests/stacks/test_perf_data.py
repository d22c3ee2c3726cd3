"""perf.data of real programs: the same stacks that `perf script` gives, with names, languages and weights."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from native_programs import C_SOURCE, build_c, build_rust, record

from profiler.errors import UsageError
from profiler.model.frame import Frame, Language
from profiler.model.profile import Profile, RawCapture
from profiler.samplers import perf_data
from profiler.stacks import build_profile


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("perf-data")


@pytest.fixture(scope="module")
def c_recording(folder: Path) -> Path:
    before = time.monotonic_ns()
    data = record([str(build_c(folder))], folder / "c.data", hz=999)
    (folder / "before").write_text(str(before))
    return data


@pytest.fixture(scope="module")
def c_capture(c_recording: Path) -> RawCapture:
    return perf_data.read(c_recording)


def stacks_of(profile: Profile) -> Counter[tuple[Frame, ...]]:
    found: Counter[tuple[Frame, ...]] = Counter()
    for stack, weight in zip(profile.samples.stack.tolist(), profile.samples.weight_ns.tolist(), strict=True):
        found[tuple(profile.frames[index] for index in profile.stacks[stack])] += weight
    return found


def perf_script(data: Path) -> dict[tuple[int, int], list[str]]:
    """Function names by (thread, time), leaf first, of everything that was not inlined."""
    argv = ["perf", "script", "-i", str(data), "--no-inline", "--no-demangle", "-F", "tid,time,ip,sym", "--ns"]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    samples: dict[tuple[int, int], list[str]] = {}
    names: list[str] = []
    for line in text.splitlines():
        head = re.match(r"\s*(\d+)\s+(\d+)\.(\d{9}):", line)
        if head:
            names = samples.setdefault((int(head[1]), int(head[2]) * 10**9 + int(head[3])), [])
        elif line.strip():
            names.append(re.sub(r"@.*", "", line.split(None, 1)[1].strip()))
    return samples


def test_every_stack_is_the_one_that_perf_script_gives(c_recording: Path, c_capture: RawCapture) -> None:
    expected = perf_script(c_recording)
    same = 0
    keys = zip(c_capture.samples.tid.tolist(), c_capture.samples.time_ns.tolist(), strict=True)
    for key, stack in zip(keys, c_capture.samples.stack.tolist(), strict=True):
        frames = [c_capture.frames[index] for index in c_capture.stacks[stack]]
        names = [frame.name for frame in frames if not frame.inlined][::-1]
        same += names == expected[key]
        assert names[-1] == expected[key][-1], "another root"
    assert len(expected) == len(c_capture.samples) > 100
    assert same >= 0.97 * len(expected)


def test_inlined_functions_lines_and_threads(c_capture: RawCapture, folder: Path) -> None:
    profile = build_profile(c_capture)
    paths = {tuple(frame.name for frame in stack): stack for stack in stacks_of(profile)}
    deep = next(stack for names, stack in paths.items() if names.count("recurse") == 21)
    assert [frame.name for frame in deep[-4:]] == ["recurse", "middle", "leaf_function", "inlined_loop"]
    assert deep[-1].inlined
    assert not deep[-2].inlined
    assert deep[-1].file.endswith("nest.c")
    start = C_SOURCE.splitlines().index(next(line for line in C_SOURCE.splitlines() if "inlined_loop(" in line)) + 1
    assert start <= deep[-1].line <= start + 4
    assert any(names.count("recurse") == 4 and "main" in names for names in paths)
    assert len({int(tid) for tid in c_capture.samples.tid}) == 2
    assert set(c_capture.threads.values()) >= {"nest"}
    traits = c_capture.modules[str(folder / "nest")]
    assert (traits.language, traits.stripped, len(traits.build_id)) == (Language.C, False, 40)


def test_weights_are_cpu_time_on_the_monotonic_clock(c_capture: RawCapture, folder: Path) -> None:
    total = c_capture.samples.weight_ns.sum() / 1e6
    assert 500 < total < 800, "two threads of 300 ms each"
    assert int((folder / "before").read_text()) < int(c_capture.samples.time_ns.min())
    assert int(c_capture.samples.time_ns.max()) < time.monotonic_ns()
    assert c_capture.lost == 0
    assert c_capture.quality["truncated"] == 0
    assert c_capture.warnings == ()


def test_a_stack_that_was_cut_is_counted_as_truncated(folder: Path, c_recording: Path) -> None:
    capture = perf_data.read(record([str(folder / "nest")], folder / "cut.data", stack=256))
    assert capture.quality["truncated"] > 0.2
    whole = {frame.name for frame in capture.frames}
    assert {"leaf_function", "middle", "recurse"} <= whole


def test_rust_is_demangled_and_its_closures_are_named(folder: Path) -> None:
    profile = build_profile(perf_data.read(record([str(build_rust(folder, "-g"))], folder / "rust.data")))
    heaviest = stacks_of(profile).most_common(1)[0][0]
    names = [frame.name for frame in heaviest]
    assert "<worker::Worker as worker::Work>::run_work" in names
    assert "worker::drive" in names
    assert any("closure" in name for name in names)
    assert {frame.language for frame in heaviest if frame.module == "worker"} <= {Language.RUST, Language.C}
    assert not any(re.search(r"::h[0-9a-f]{16}|#\d", frame.name) for frame in profile.frames)
    assert any(frame.plumbing for frame in heaviest)


def test_stripped_rust_is_rust_with_the_same_names_in_every_run(folder: Path) -> None:
    program = build_rust(folder, "-C", "strip=symbols", name="library.so")
    shares = []
    for number in range(2):
        capture = perf_data.read(record([str(program)], folder / f"stripped{number}.data"))
        traits = capture.modules[str(program)]
        assert (traits.language, traits.stripped) == (Language.RUST, True)
        profile = build_profile(capture)
        leaves: Counter[str] = Counter()
        for stack, weight in stacks_of(profile).items():
            # What interrupts cost is the machine's affair.
            if stack[-1].language is not Language.KERNEL:
                leaves[stack[-1].name] += weight
        name, weight = leaves.most_common(1)[0]
        shares.append(name)
        assert re.fullmatch(r"library\.so!fn_[0-9a-f]+", name)
        assert weight > 0.8 * leaves.total()
    assert shares[0] == shares[1]


def test_python_functions_of_the_trampoline_are_python_frames(folder: Path) -> None:
    script = folder / "spin.py"
    script.write_text(
        "import os, time\n\ndef leaf(n):\n    return sum(i * i for i in range(n))\n\ndef work():\n"
        "    end = time.process_time() + 0.4\n    while time.process_time() < end:\n        leaf(2000)\n"
        "        os.urandom(1 << 13)\n\nwork()\n"
    )
    argv = [str(Path(sys.executable).resolve()), "-X", "perf", str(script)]
    capture = perf_data.read(record(argv, folder / "python.data", stack=65_528))
    profile = build_profile(capture, roots=(str(folder),))
    found = stacks_of(profile)
    chains: Counter[tuple[str, ...]] = Counter()
    for stack, weight in found.items():
        chains[tuple(frame.name for frame in stack if frame.language is Language.PYTHON)] += weight
    assert chains[("<module>", "work", "leaf", "leaf.<locals>.<genexpr>")] > 0.4 * chains.total()
    assert all(frame.module == "spin.py" for frame in profile.frames if frame.name in ("work", "leaf"))
    assert {frame.language for frame in profile.frames} >= {Language.CPYTHON, Language.PYTHON, Language.KERNEL}
    roots = Counter[str]()
    for stack, weight in found.items():
        roots[stack[0].name] += weight
    assert roots["_start"] > 0.97 * roots.total()
    assert any(frame.name == "_PyEval_EvalFrameDefault" for frame in profile.frames)


def test_kernel_frames_have_names_only_where_they_may_be_read(c_recording: Path) -> None:
    from profiler import _native

    hidden = _native.read_perf_data(c_recording, kallsyms=False)
    kernel = [frame for frame in hidden["frames"] if frame[0] == "kernel"]
    assert kernel
    assert all(not name and address for _, name, _, _, _, _, address, _ in kernel)
    assert any("kernel frames have no names" in warning for warning in hidden["warnings"])
    named = _native.read_perf_data(c_recording)
    assert any(frame[1] for frame in named["frames"] if frame[0] == "kernel")


def test_one_thread_or_several_give_the_same(c_recording: Path) -> None:
    from profiler import _native

    def content(threads: int) -> list[tuple[object, ...]]:
        read = _native.read_perf_data(c_recording, threads=threads)
        return sorted((frame[:6] for frame in read["frames"]), key=repr)

    assert content(1) == content(3)


@pytest.mark.parametrize("content", [b"", b"PERFILE2", b"PERFILE2" + b"\xff" * 200, b"plain text\n"])
def test_what_is_no_perf_data_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "perf.data"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        perf_data.read(file)
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        perf_data.read(tmp_path / "none")


DAMAGE = """
import random, resource, sys
from pathlib import Path
from profiler import _native
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
data, program = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
original, scratch = program.read_bytes(), Path(sys.argv[3])
draw = random.Random(3)
read = 0

def damaged(whole, most):
    copy = bytearray(whole)
    for _ in range(draw.randint(1, most)):
        limit = len(copy) if draw.random() < 0.6 else min(1200, len(copy))
        copy[draw.randrange(limit)] = draw.choice((0, 255, draw.randrange(256)))
    return bytes(copy if draw.random() < 0.8 else copy[: draw.randrange(len(copy))])

for turn in range(int(sys.argv[4])):
    of_program = turn % 3 == 0
    scratch.write_bytes(data if of_program else damaged(data, 60))
    if of_program:
        program.unlink()
        program.write_bytes(damaged(original, 200))
    try:
        read += len(_native.read_perf_data(scratch, kallsyms=False)["frames"]) > 0
    except (ValueError, OSError) as error:
        assert "\\n" not in str(error) and str(error)
program.unlink()
program.write_bytes(original)
print(read)
"""


def test_damaged_recordings_and_programs_never_crash(folder: Path, tmp_path: Path) -> None:
    program = build_c(tmp_path, cpu_ms=40)
    data = record([str(program)], tmp_path / "small.data", stack=2048, hz=199)
    argv = [sys.executable, "-c", DAMAGE, str(data), str(program), str(tmp_path / "scratch"), "240"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "panicked" not in done.stderr
    assert int(done.stdout) > 60, "most of the damage is behind the header"
