"""`profiler load` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import load_servers as servers

COMMAND = [sys.executable, "-m", "profiler", "load"]
SHORT = ["--warmup", "0.2", "--duration", "0.5", "--connections", "4"]


def load(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)


def test_one_json_object_without_secrets() -> None:
    with servers.serve(servers.fine) as server:
        done = load(
            f"{server.url}/a?token=hidden1", *SHORT, "--header", "X-Key: hidden2", "--body", "hidden3", "--json"
        )
    assert done.returncode in (0, 5), done.stderr
    assert "hidden" not in done.stdout + done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    result = value["steps"][0]["result"]
    assert value["schema"] == "profiler.load/1"
    assert result["requests"] == sum(block["requests"] for block in value["steps"][0]["blocks"]) > 0
    assert result["verdict"] and result["reasons"]


def test_steps_against_one_warm_server() -> None:
    with servers.serve(servers.fine) as server:
        done = load(server.url, *SHORT, "--connections", "1,3", "--json")
        table = load(server.url, *SHORT, "--rps", "100,200", "--arrivals", "poisson")
    assert [step["connections"] for step in json.loads(done.stdout)["steps"]] == [1, 3]
    assert "from the intended start" in table.stdout
    assert "account:" in table.stdout


def test_further_endpoints_with_weight_and_method() -> None:
    with servers.serve(servers.fine) as server:
        done = load(f"{server.url}/a", *SHORT, "--also", "0.5:/b", "--also", "2:delete:/c/{id}", "--values", "id=4,5")
        value = load(f"{server.url}/a", *SHORT, "--also", "0.5:/b", "--json")
        asked = {line.decode().rsplit(" ", 1)[0] for line in server.lines}
    assert asked == {"GET /a", "GET /b", "DELETE /c/4", "DELETE /c/5"}
    assert "DELETE /c/{id}" in done.stdout
    results = json.loads(value.stdout)["steps"][0]["result"]["endpoints"]
    assert [(result["method"], result["path"]) for result in results] == [("GET", "/a"), ("GET", "/b")]
    assert all(result["requests"] > 0 and result["latency_ms"] for result in results)
    for wrong in ("/b", "x:/b", "1:b", "0:/b"):
        assert load("http://127.0.0.1:1/", "--also", wrong).returncode == 2


def test_exit_codes() -> None:
    with servers.serve(servers.redirect) as server:
        redirected = load(server.url, *SHORT)
        expected = load(server.url, *SHORT, "--expect", "302", "--json")
    assert (redirected.returncode, "status errors" in redirected.stderr) == (3, True)
    assert json.loads(expected.stdout)["steps"][0]["result"]["errors"] == {}
    with servers.serve(servers.every_third_reset) as server:
        assert load(server.url, *SHORT).returncode == 5
    assert load("https://127.0.0.1:1/").returncode == 2
    assert load("not-a-url").returncode == 2
    assert load("http://127.0.0.1:1/", "--load", "locust:/none.py").returncode == 2
    for done in (redirected, load("http://127.0.0.1:1/", *SHORT)):
        assert done.returncode == 3
        assert "Traceback" not in done.stderr


def test_a_planted_generator_limit_ends_with_5() -> None:
    cpu = max(os.sched_getaffinity(0))
    spinners = [subprocess.Popen(["taskset", "-c", str(cpu), sys.executable, "-c", "while 1: pass"]) for _ in range(4)]
    try:
        with servers.serve(servers.fine) as server:
            done = load(server.url, "--rps", "3000", "--duration", "1", "--warmup", "0.2", "--client-cpus", str(cpu))
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()
    assert done.returncode == 5
    assert "generator-bound" in done.stdout


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    with servers.serve(servers.fine) as server:
        process = subprocess.Popen(
            [*COMMAND, server.url, "--warmup", "0.2", "--duration", "60", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "2 of 60 windows" in line:
                break
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    value = json.loads(output)
    assert value["interrupted"] is True
    assert value["steps"][0]["result"]["requests"] > 0
    assert value["steps"][0]["result"]["seconds"] >= 2


def test_the_limit_of_open_files_is_told() -> None:
    with servers.serve(servers.fine) as server:
        done = subprocess.run(
            ["prlimit", "--nofile=40:40", *COMMAND, server.url, *SHORT, "--connections", "60"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "limit of open files" in done.stdout
    assert "connect" in done.stdout
