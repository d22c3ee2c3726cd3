"""The toolkit as a user without privileges: refused with the right commands, and at work through the recorder alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unprivileged import NOBODY, ROOT, as_nobody, folder_of_nobody

from profiler.samplers.recorder_program import CAPABILITIES, COMMAND_VARIABLE

SUDOERS = Path("/etc/sudoers.d/hotpath-profiler-test")

# Samples a process of the same user; prints what came of it.
RECORD = """
import json, os, subprocess, sys
from pathlib import Path
from profiler.samplers.base import SamplerOptions
from profiler.samplers.exact import Exact
missing = Exact().probe(SamplerOptions())
if missing is not None:
    print(json.dumps({"reason": missing.reason, "fix": missing.fix}))
    raise SystemExit
code = "def busy():\\n    return sum(range(1000))\\nprint(1, flush=True)\\nwhile True:\\n    busy()"
target = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
target.stdout.readline()
session = Exact().attach([target.pid], SamplerOptions(hz=999), Path(sys.argv[1]))
with open(f"/proc/{session.recorder_pid}/status") as status:
    uids = {line.split(":")[0]: line.split()[1:] for line in status if line.startswith(("Uid", "CapPrm"))}
session.on()
while sum(map(float, open(f"/proc/{target.pid}/stat").read().rsplit(")")[1].split()[11:13])) < 50:
    pass
session.off()
target.kill()
target.wait()
capture = session.finish()
names = {capture.frames[index].name for stack in capture.stacks for index in stack}
kinds = sorted({frame.kind for frame in capture.frames})
print(json.dumps({"uid": os.getuid(), "recorder": uids, "samples": len(capture.samples), "quality": capture.quality,
                  "busy": "busy" in names, "kinds": kinds}))
"""


@pytest.fixture(scope="module")
def recorder() -> Path:
    """The recorder as a program, as docs/exact.md says it is built."""
    argv = ["cargo", "build", "--release", "--locked", "-q", "-p", "profiler-exact", "--bin", "profiler-recorder"]
    subprocess.run(argv, cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "profiler-recorder"


@pytest.fixture
def own() -> Iterator[Path]:
    with folder_of_nobody() as folder:
        yield folder


def recorded(folder: Path, command: str) -> dict[str, Any]:
    env = {"PYTHONPATH": str(ROOT), COMMAND_VARIABLE: command}
    done = as_nobody(sys.executable, "-c", RECORD, str(folder), folder=folder, **env)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def assert_it_was_sampled(told: dict[str, Any]) -> None:
    assert told["uid"] == NOBODY.pw_uid
    assert told["samples"] > 50 and told["busy"], told
    assert told["quality"]["exact"] > 0.9 and told["quality"]["root_reached"] > 0.97, told


def test_doctor_says_the_exact_commands(recorder: Path, own: Path) -> None:
    done = as_nobody(sys.executable, "-m", "profiler", "doctor", "--json", folder=own, PYTHONPATH=str(ROOT))
    (exact,) = [entry for entry in json.loads(done.stdout)["samplers"] if entry["name"] == "exact"]
    assert not exact["usable"] and "refused" in exact["reason"]
    command = exact["fix"].partition("what it needs: ")[2].partition(";")[0]
    assert command == f"sudo setcap {CAPABILITIES}=ep {recorder}"
    assert f"export {COMMAND_VARIABLE}='sudo -n {recorder}'" in exact["fix"]


def test_a_recorder_with_capabilities_is_enough(recorder: Path, own: Path) -> None:
    program = shutil.copy(recorder, own / "profiler-recorder")
    refused = recorded(own, str(program))
    assert "refused" in refused["reason"]
    subprocess.run(["setcap", f"{CAPABILITIES}=ep", program], check=True)
    told = recorded(own, str(program))
    assert_it_was_sampled(told)
    assert set(told["recorder"]["Uid"]) == {str(NOBODY.pw_uid)}
    assert bin(int(told["recorder"]["CapPrm"][0], 16)).count("1") == 4


def test_three_capabilities_leave_out_the_names_of_the_kernel_only(recorder: Path, own: Path) -> None:
    program = shutil.copy(recorder, own / "profiler-recorder")
    subprocess.run(["setcap", "cap_bpf,cap_perfmon,cap_sys_ptrace=ep", program], check=True)
    assert_it_was_sampled(recorded(own, str(program)))


def test_sudo_for_the_recorder_alone_is_enough(recorder: Path, own: Path) -> None:
    program = Path(shutil.copy(recorder, own / "profiler-recorder"))
    os.chown(program, 0, 0)
    SUDOERS.write_text(f"nobody ALL=(root) NOPASSWD: {program}\n")
    try:
        SUDOERS.chmod(0o440)
        told = recorded(own, f"sudo -n {program}")
    finally:
        SUDOERS.unlink()
    assert_it_was_sampled(told)
    assert recorded(own, f"sudo -n {program}").keys() == {"reason", "fix"}
