"""What the pages on the hot paths show as evidence: counts that follow the code, and pictures that are there."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import hotpaths_native
import pytest

from hotpaths.catalogue import OPTIMIZATIONS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "hotpaths"
LARGEST_PICTURE = 150_000


@pytest.fixture(scope="module")
def counted_code() -> ModuleType:
    spec = importlib.util.spec_from_file_location("counted_code", ROOT / "scripts" / "counted_code.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_chain_asks_and_the_compiled_handler_does_not(counted_code: ModuleType) -> None:
    before, after = (counted_code.calls_by_kind("response_handlers", side, "dict") for side in ("before", "after"))
    # Nine questions, the isinstance of a tuple among them, and the encoder on both sides.
    assert before[counted_code.C_CALLS] - after[counted_code.C_CALLS] == 10
    assert after[counted_code.BYTECODE] < before[counted_code.BYTECODE] / 2


def test_listed_bytecode_is_what_was_executed(counted_code: ModuleType) -> None:
    chain = counted_code.executed_bytecode("response_handlers", "before", "dict", "respond_by_type")
    compiled = "_json_handler.<locals>.respond_json"
    short = counted_code.executed_bytecode("response_handlers", "after", "dict", compiled)
    assert sum("isinstance" in line for line in chain) == 9
    assert sum(line.startswith("IS_OP") for line in short) == 1
    assert chain[-1] == short[-1] == "RETURN_VALUE"
    assert not any("TypeError" in line for line in chain)


def test_listed_machine_code_names_its_calls(counted_code: ModuleType) -> None:
    folder = Path(hotpaths_native.__file__).parent
    copied = counted_code.native_code(folder, "hotpaths_native::bodies::copy_into_rust")
    borrowed = counted_code.native_code(folder, "hotpaths_native::bodies::borrow_from_python")
    assert "call memcpy" in copied and "call PyBytes_AsString" in copied
    assert "call memcpy" not in borrowed and any("_Py_IncRef" in line for line in borrowed)


@pytest.mark.parametrize("slug", [optimization.slug for optimization in OPTIMIZATIONS])
def test_a_page_has_both_pictures_and_they_show_its_frames(slug: str) -> None:
    page = (PAGES / f"{slug}.md").read_text()
    shown = re.findall(r"!\[flamegraph (before|after)\]\((.+?)\)", page)
    assert [side for side, _ in shown] == ["before", "after"]
    optimization = next(each for each in OPTIMIZATIONS if each.slug == slug)
    for side, link in shown:
        picture = (PAGES / link).resolve()
        assert picture.stat().st_size < LARGEST_PICTURE
        text = picture.read_text()
        ElementTree.fromstring(text)
        assert "/root/" not in text and "/home/" not in text and "/tmp/" not in text
        other = optimization.frames["after" if side == "before" else "before"]
        assert not any(f'<g data-n="{name}"' in text for name in other), f"{side} shows the other side"
    assert "| machine instructions" in page


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES.glob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
