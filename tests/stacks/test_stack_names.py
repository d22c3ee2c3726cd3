"""Names are what a person would write, and the same in every build."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.model.frame import Frame, Language
from profiler.model.profile import NO_BLOCK, ModuleTraits, RawCapture, RawFrame, Samples
from profiler.stacks import build_profile
from profiler.stacks.names import (
    qualify_rust,
    shorten_c,
    shorten_cpp,
    shorten_generics,
    shorten_python_file,
    shorten_rust,
    unnamed,
)
from profiler.stacks.rules import default_rules, parse_rules

GOLDEN = Path(__file__).parent.parent / "golden" / "names.tsv"
CASES = [line.split("\t") for line in GOLDEN.read_text("utf-8").splitlines() if not line.startswith("#")]


def only_frame(raw: RawFrame, traits: ModuleTraits | None = None) -> Frame:
    one = np.zeros(1, dtype=np.int64)
    samples = Samples(time_ns=one, pid=one, tid=one, block=one + NO_BLOCK, weight_ns=one + 5, stack=one)
    modules = {raw.module: traits} if traits else {}
    profile = build_profile(RawCapture(frames=(raw,), stacks=((0,),), samples=samples, modules=modules))
    return profile.frames[0]


@pytest.mark.parametrize(("symbol", "name"), CASES, ids=[name for _, name in CASES])
def test_symbols_become_these_names(symbol: str, name: str) -> None:
    frame = only_frame(RawFrame(kind="native", name=symbol, module="/lib/x.so"), ModuleTraits(language=Language.C))
    assert frame.name == name
    assert frame.detail != name


def test_builds_that_differ_in_hash_and_number_give_one_name() -> None:
    first = shorten_rust("app::serve::{closure#0}::h0123456789abcdef")
    assert first == shorten_rust("app::serve::{{closure}}::hfedcba9876543210") == "app::serve::{closure}"
    assert shorten_rust("app[1234abcd]::run::<alloc::vec::Vec<u8>>") == shorten_rust("app::run") == "app::run"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/root/.cargo/registry/src/index-1949cf8c6b5b557f/tokio-1.53.3/src/task/local.rs", "tokio::task::local::poll"),
        ("/root/.cargo/registry/src/index/actix-rt-2.15.0/src/lib.rs", "actix_rt::poll"),
        (f"/rustc/{'a' * 40}/library/core/src/future/mod.rs", "core::future::poll"),
        ("/build/django_bolt-0.13.0/src/handler.rs", "django_bolt::handler::poll"),
        ("", "poll"),
        ("build.rs", "poll"),
    ],
)
def test_a_bare_inlined_name_gets_the_path_of_its_file(file: str, name: str) -> None:
    assert qualify_rust("poll", file) == name
    assert qualify_rust("a::poll", file) == "a::poll"


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/srv/.venv/lib/python3.13/site-packages/django/http/request.py", "django/http/request.py"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "yaml/__init__.py"),
        ("/root/.pyenv/versions/3.13.0/lib/python3.13/json/encoder.py", "json/encoder.py"),
        ("/srv/project/app/views.py", "app/views.py"),
        ("/elsewhere/deep/down/tool.py", "down/tool.py"),
        ("/one.py", "one.py"),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
    ],
)
def test_python_files_lose_the_folder_they_were_found_under(file: str, short: str) -> None:
    assert shorten_python_file(file, ("/srv/project",)) == short


@given(st.text(alphabet="abc:<>{}#$ ,()&*[]._é-", max_size=80))
def test_shortening_never_fails_and_is_done_once(name: str) -> None:
    for shorten in (shorten_c, shorten_cpp, shorten_rust):
        assert isinstance(shorten(name), str)
    assert shorten_generics(shorten_generics(name)) == shorten_generics(name)


def test_a_function_without_a_symbol_is_named_by_file_and_range() -> None:
    assert unnamed("/site-packages/app/_core.abi3.so", 0x4FD3A0) == "_core.abi3.so!fn_4fd3a0"


def test_stripped_rust_is_rust_and_an_unreadable_file_is_unknown() -> None:
    nameless = RawFrame(kind="native", name="", module="/x/_core.so", address=0x10)
    rust = only_frame(nameless, ModuleTraits(language=Language.RUST, stripped=True))
    assert (rust.language, rust.name) == (Language.RUST, "_core.so!fn_10")
    gone = only_frame(nameless, ModuleTraits(language=Language.UNKNOWN))
    assert (gone.language, gone.name) == (Language.UNKNOWN, "_core.so![unknown]")
    nowhere = only_frame(RawFrame(kind="native", name="", address=0x1234))
    assert (nowhere.language, nowhere.name) == (Language.UNKNOWN, "[unknown]")


def test_c_inside_an_unstripped_rust_library_is_c() -> None:
    traits = ModuleTraits(language=Language.RUST)
    frame = RawFrame(kind="native", name="ZSTD_compress", module="/x/_core.so")
    assert only_frame(frame, traits).language is Language.C
    mangled = RawFrame(kind="native", name="_RNvCs1234_7mycrate3foo", module="/x/_core.so")
    assert only_frame(mangled, traits).language is Language.RUST


@pytest.mark.parametrize(
    ("language", "name", "plumbing"),
    [
        (Language.RUST, "tokio::runtime::task::harness::poll_future", True),
        (Language.RUST, "<alloc::boxed::Box<…> as core::ops::function::FnOnce<…>>::call_once", True),
        (Language.RUST, "std::thread::local::try_with", True),
        (Language.RUST, "core::ops::function::FnOnce::call_once{vtable.shim}", True),
        (Language.RUST, "tokio::net::tcp::stream::poll_write", False),
        (Language.RUST, "tokio::runtime::time::wheel::poll", False),
        (Language.RUST, "<actix_http::h1::dispatcher::Dispatcher<…> as core::future::future::Future>::poll", False),
        (Language.RUST, "serde_json::ser::to_vec", False),
        (Language.RUST, "alloc::vec::Vec<…>::push", False),
        (Language.CPYTHON, "PyObject_Vectorcall", True),
        (Language.CPYTHON, "_PyEval_EvalFrameDefault", False),
        (Language.CPYTHON, "dict_lookup", False),
        (Language.C, "start_thread", True),
        (Language.C, "clone3", True),
        (Language.C, "memcpy", False),
        (Language.KERNEL, "do_syscall_64", True),
        (Language.KERNEL, "tcp_sendmsg", False),
        (Language.PYTHON, "main", False),
    ],
)
def test_plumbing_stands_between_functions_and_does_no_work(language: Language, name: str, plumbing: bool) -> None:
    assert default_rules().is_plumbing(language, name) is plumbing


@pytest.mark.parametrize(
    "text",
    [
        "[[rule]]\nlanguage='rust'\ndecision='plumbing'\nwhy='x'\npatterns=['(']",
        "[[rule]]\nlanguage='rust'\ndecision='perhaps'\nwhy='x'\npatterns=['a']",
        "[[rule]]\nlanguage='rust'\ndecision='keep'\nwhy='x'\npatterns=['a']\ntypo=1",
        "rule = ",
    ],
)
def test_a_wrong_rule_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rules(text)


def test_the_first_rule_that_matches_decides() -> None:
    rule = "[[rule]]\nlanguage='c'\ndecision='{}'\nwhy='x'\npatterns=['{}']\n"
    rules = parse_rules(rule.format("keep", "ab$") + rule.format("plumbing", "a"))
    assert not rules.is_plumbing(Language.C, "ab")
    assert rules.is_plumbing(Language.C, "abc")
    assert not rules.is_plumbing(Language.RUST, "abc")
