"""A headless Chromium that can reach loopback only, and tells what its pages asked for."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1400,900",
    # Whatever slips through all of the above finds no name and no way out.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)

# Before any script of the page: keep the text of every file the page offers as a download.
KEEP_DOWNLOADS = """
window.keptDownloads = [];
const offered = URL.createObjectURL.bind(URL);
URL.createObjectURL = blob => { blob.text().then(text => window.keptDownloads.push(text)); return offered(blob); };
HTMLAnchorElement.prototype.click = function () {};
"""

Result = TypeVar("Result")


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a fresh profile in this folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        driver.set_page_load_timeout(60)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": KEEP_DOWNLOADS})
        yield driver
    finally:
        driver.quit()


def until(condition: Callable[[], Result], what: str, seconds: float = 60.0) -> Result:
    """Poll until the condition gives something true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)
    return result


def requested(driver: webdriver.Chrome) -> list[str]:
    """Every URL asked for since the last call, by any page."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [entry["params"]["request"]["url"] for entry in messages if entry["method"] == "Network.requestWillBeSent"]


def complaints(driver: webdriver.Chrome) -> list[str]:
    """Errors on the page's console, such as breaches of the content security policy."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def imported_by_speedscope(driver: webdriver.Chrome) -> dict[str, Any]:
    """What speedscope made of the profile, by its own export (Ctrl-S): frames, and events of every profile."""
    until(lambda: driver.execute_script("return document.title") != "speedscope", "speedscope to load a profile")
    press = "window.dispatchEvent(new KeyboardEvent('keydown', {key: 's', ctrlKey: true}))"

    def kept() -> str | None:
        driver.execute_script(press)
        return driver.execute_script("return window.keptDownloads[0]")  # type: ignore[no-any-return]

    return json.loads(until(kept, "speedscope's export"))  # type: ignore[no-any-return]
