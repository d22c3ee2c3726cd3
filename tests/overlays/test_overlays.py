"""Overlays: a real little Rust extension, published stripped, rebuilt with names, put ahead of the installed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from profiler.errors import UsageError
from profiler.model.launch import Launch
from profiler.overlays import build_overlay, cached_overlays, find_overlay, overlay_launch
from profiler.overlays.source import _no_source, fetch_sdist, keep_symbols, pinned_toolchain
from profiler.overlays.toolchain import installed_toolchain

CARGO = """
[package]
name = "tinyext"
version = "0.1.0"
edition = "2021"
[lib]
name = "tinyext"
crate-type = ["cdylib"]
[dependencies]
pyo3 = { version = "0.26", features = ["abi3-py311", "extension-module"] }
[profile.release]
strip = true
"""
PYPROJECT = """
[build-system]
requires = ["maturin>=1.8,<2"]
build-backend = "maturin"
[project]
name = "tinyext"
version = "0.1.0"
requires-python = ">=3.11"
[tool.maturin]
strip = true
"""
RUST = """
use pyo3::prelude::*;
#[inline(never)]
fn hop_over_the_fence(n: u64) -> u64 { (0..n).fold(n, |a, b| std::hint::black_box(a ^ b)) }
#[pyfunction]
fn hop(n: u64) -> u64 { hop_over_the_fence(n) }
#[pymodule]
fn tinyext(module: &Bound<'_, PyModule>) -> PyResult<()> { module.add_function(wrap_pyfunction!(hop, module)?) }
"""
# A channel that no rustup has: the build must not ask for it.
PIN = '[toolchain]\nchannel = "1.0.1"\n'


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the extension's stripped wheel and its source distribution."""
    root = tmp_path_factory.mktemp("tinyext")
    (root / "src").mkdir()
    for name, text in (("Cargo.toml", CARGO), ("pyproject.toml", PYPROJECT), ("src/lib.rs", RUST)):
        (root / name).write_text(text)
    out = root / "dist"
    maturin = [sys.executable, "-m", "maturin"]
    subprocess.run([*maturin, "build", "--release", "-q", "-i", sys.executable, "-o", out], cwd=root, check=True)
    (root / "rust-toolchain.toml").write_text(PIN)
    env = {**os.environ, "RUSTUP_TOOLCHAIN": installed_toolchain()[0]}
    subprocess.run([*maturin, "sdist", "-o", out], cwd=root, check=True, env=env)
    return out


@pytest.fixture(scope="module")
def python(index: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the stripped wheel installed."""
    venv = tmp_path_factory.mktemp("target") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    interpreter = str(venv / "bin" / "python")
    wheel = next(index.glob("*.whl"))
    subprocess.run([interpreter, "-m", "pip", "install", "-q", "--no-index", wheel], check=True)
    return interpreter


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return tmp_path


def symbols_of(path: Path) -> str:
    return subprocess.run(["readelf", "-sW", str(path)], capture_output=True, text=True, check=True).stdout


def test_a_stripped_extension_gets_its_names_back(cache: Path, python: str) -> None:
    steps: list[str] = []
    overlay = build_overlay("tinyext", None, python, lambda text, done, total: steps.append(text))
    extension = Path(overlay.path) / overlay.extensions[0]
    assert "hop_over_the_fence" in symbols_of(extension)
    assert any("Compiling" in step for step in steps)
    assert overlay.version == "0.1.0"
    assert any("pins Rust 1.0.1" in note for note in overlay.notes)
    assert any("strips its wheel" in note for note in overlay.notes)
    assert build_overlay("tinyext", None, python, lambda *_: pytest.fail("built again")) == overlay
    assert [path for path in (cache / "hotpath-profiler/overlays").iterdir() if path.name.startswith(".")] == []

    launch = Launch(argv=(python, "-c", "import tinyext; print(tinyext.__file__)"), env={}, python=python)
    changed, used = overlay_launch(launch, "auto")
    printed = subprocess.run(changed.argv, env=changed.env, capture_output=True, text=True, check=True).stdout
    assert printed.startswith(overlay.path)
    assert used == (overlay,)
    assert overlay_launch(launch, "off") == (launch, ())
    assert overlay_launch(launch, overlay.path)[0] == changed

    packages = next(Path(python).parents[1].glob("lib/*/site-packages"))
    installed = next(packages.rglob("tinyext*.so"))
    assert "hop_over_the_fence" not in symbols_of(installed)


def test_an_overlay_of_another_version_or_a_damaged_one_is_not_used(cache: Path) -> None:
    folder = cache / "hotpath-profiler/overlays/tinyext-9-x"
    folder.mkdir(parents=True)
    (folder / "overlay.json").write_text("{")
    assert cached_overlays() == []
    assert find_overlay("tinyext", "9", "cp313") is None


def test_a_version_without_sources_names_the_newest_with_them(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tinyext 0\.2\.0 was published without") as caught:
        fetch_sdist("tinyext", "0.2.0", tmp_path / "d", installed_toolchain()[0])
    assert "0.1.0" in (caught.value.hint or "")


def test_a_failed_fetch_names_its_innermost_cause() -> None:
    output = """
      Caused by:
        failed to load source for dependency `x`

      Caused by:
        failed to resolve address for git.example: Name or service not known
      [end of output]
    error: metadata-generation-failed
    """
    error = _no_source("tinyext", "1.0", output)
    assert error.message.endswith(
        "could not be fetched: failed to resolve address for git.example: Name or service not known"
    )


def test_a_package_that_is_not_installed_asks_for_the_version(cache: Path, python: str) -> None:
    with pytest.raises(UsageError, match="is not installed") as caught:
        build_overlay("no-such-extension", None, python, lambda *_: None)
    assert "==VERSION" in (caught.value.hint or "")


def test_an_unknown_overlay_folder_is_refused(cache: Path) -> None:
    with pytest.raises(UsageError, match="is no overlay"):
        overlay_launch(Launch(argv=("x",), env={}, python=sys.executable), "/nowhere")


@pytest.mark.parametrize(
    ("name", "text", "channel"),
    [
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.99.1"\n', "1.99.1"),
        ("rust-toolchain", "nightly-2026-01-01\n", "nightly-2026-01-01"),
        ("other", "", None),
    ],
)
def test_pinned_toolchain(tmp_path: Path, name: str, text: str, channel: str | None) -> None:
    (tmp_path / name).write_text(text)
    assert pinned_toolchain(tmp_path) == channel


def test_only_maturins_own_strip_is_switched_off(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text("[tool.maturin]\nstrip = true\n")
    assert keep_symbols(tmp_path)
    assert pyproject.read_text() == "[tool.maturin]\nstrip = false\n"
    assert not keep_symbols(tmp_path)
