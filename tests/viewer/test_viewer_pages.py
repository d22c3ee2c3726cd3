"""What a person sees: speedscope and the SVG in a real browser, which can reach loopback only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import chromium, complaints, imported_by_speedscope, requested, until
from selenium import webdriver
from selenium.webdriver.common.by import By
from synthetic import MS, SHOTS, Shot, make_metadata, make_profile

from profiler.export.speedscope import SpeedscopeExporter
from profiler.export.svg import SvgExporter
from profiler.model.profile import NO_BLOCK
from profiler.viewer import Viewer, load_assets
from profiler.views.picture import Picture, make_picture
from profiler.views.table import function_weights


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def picture(shots: tuple[Shot, ...] = SHOTS) -> Picture:
    return make_picture(make_profile(shots), make_metadata(), "perf")


def replay(document: dict[str, Any], number: int) -> tuple[Counter[str], Counter[str]]:
    """(self, total) nanoseconds by function name, from the events of one profile as speedscope holds it."""
    frames = document["shared"]["frames"]
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    stack: list[int] = []
    last = 0.0
    for event in document["profiles"][number]["events"]:
        elapsed = event["at"] - last
        last = event["at"]
        names = [frames[index]["name"] for index in stack]
        if names:
            own[names[-1]] += elapsed
            for name in set(names):
                total[name] += elapsed
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            assert stack.pop() == event["frame"]
    assert not stack
    return own, total


def test_speedscope_loads_the_profile_by_frame_name_and_weight_offline(browser: webdriver.Chrome) -> None:
    shown = picture()
    requested(browser)
    with Viewer(SpeedscopeExporter().encode(shown), load_assets()) as viewer:
        browser.get(viewer.url)
        imported = imported_by_speedscope(browser)
        asked = [url for url in requested(browser) if not url.startswith(("data:", "blob:", "chrome"))]
    weights = function_weights(shown)
    own, total = replay(imported, 0)
    for number, frame in enumerate(shown.frames):
        assert own[frame.name] == pytest.approx(weights[0][number], abs=1), frame.name
        assert total[frame.name] == pytest.approx(weights[1][number], abs=1), frame.name
    assert own.total() == pytest.approx(24 * MS, abs=1)
    # All threads, four threads, the slice in time; the threads add to the whole.
    assert len(imported["profiles"]) == 6
    assert sum(replay(imported, number)[0].total() for number in range(1, 5)) == pytest.approx(24 * MS, abs=1)
    assert {(parts.scheme, parts.hostname) for parts in map(urlsplit, asked)} == {("http", "127.0.0.1")}
    assert any(url.endswith("/profile.speedscope.json") for url in asked)
    assert complaints(browser) == []
    assert "GET /hello · perf 499 Hz" in browser.title


def test_the_sandwich_view_lists_functions_with_their_times(browser: webdriver.Chrome) -> None:
    with Viewer(SpeedscopeExporter().encode(picture()), load_assets(), view="sandwich") as viewer:
        browser.get("about:blank")
        browser.get(viewer.url)
        text = until(lambda: _table(browser), "the sandwich table")
    rows = {line.split("|")[-1]: line.split("|")[:-1] for line in text}
    assert rows["hello"] == ["10.00ms (42%)", "6.00ms (25%)"], "total, self"
    assert rows["sys_sendto"] == ["4.00ms (17%)", "4.00ms (17%)"]


def _table(browser: webdriver.Chrome) -> list[str]:
    rows = browser.execute_script("return [...document.querySelectorAll('tr')].map(row => row.innerText)")
    return ["|".join(part.strip() for part in row.split("\t")) for row in rows if "hello" in " ".join(rows)]


def test_colour_samples_do_no_harm_beside_large_weights(browser: webdriver.Chrome) -> None:
    """A duration of hours: 10⁻⁹ ns is far below the precision of its end."""
    shots = tuple(Shot(stack=shot.stack, weight_ns=10**12, block=shot.block, tid=shot.tid) for shot in SHOTS)
    measured = sum(shot.block != NO_BLOCK for shot in shots)
    with Viewer(SpeedscopeExporter().encode(picture(shots)), load_assets()) as viewer:
        browser.get("about:blank")
        browser.get(viewer.url)
        own, _ = replay(imported_by_speedscope(browser), 0)
    assert own.total() == pytest.approx(measured * 10**12, rel=1e-9)
    assert complaints(browser) == []


def test_the_svg_zooms_resets_and_searches(browser: webdriver.Chrome, tmp_path: Path) -> None:
    file = tmp_path / "graph.svg"
    file.write_bytes(SvgExporter().encode(picture()))
    requested(browser)
    browser.get(file.as_uri())

    def width(name: str) -> float:
        script = "return +document.querySelector(`g[data-n='${arguments[0]}'] rect`).getAttribute('width')"
        return float(browser.execute_script(script, name))

    whole, before = width("all"), width("server::write")
    _click(browser, "server::handle<T; N>")
    assert width("server::handle<T; N>") == pytest.approx(whole, abs=1)
    assert width("server::write") == pytest.approx(whole * 4 / 7, abs=2)
    assert not browser.find_element(By.CSS_SELECTOR, "g[data-n='hello']").is_displayed()
    browser.find_element(By.ID, "reset").click()
    assert width("server::write") == pytest.approx(before, abs=0.1)
    browser.find_element(By.ID, "search").click()
    prompt = until(lambda: browser.switch_to.alert, "the prompt")
    prompt.send_keys("^hello|sendto")
    prompt.accept()
    assert "3 frames match, 58.33 % of the whole" in browser.find_element(By.ID, "detail").text
    assert {url for url in requested(browser) if not url.startswith(("chrome", "data:"))} == {file.as_uri()}
    assert complaints(browser) == []


def _click(browser: webdriver.Chrome, name: str) -> None:
    box = browser.find_element(By.CSS_SELECTOR, f"g[data-n='{name}'] rect")
    webdriver.ActionChains(browser).click(box).perform()
