"""A page of drawn pictures, and a browser to look at it."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import write_picture
from polyfuse.pages import Collection, Command, MetricColumn, Pair, Prose, Section, Table, write_page

WIDTH, HEIGHT = 64, 48
GREY_OF = {"a": 40, "b": 200, "bright": 150, "dark": 60}
"""Grey level of the pictures of each method, the same everywhere but for one square."""
ODD = "<script>alert('x')</script>, |&% \"q\""
"""A name that would break what does not escape it."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def plain(level: int, shift: int) -> np.ndarray:
    """A grey picture with a darker square that tells pairs apart."""
    pixels = np.full((HEIGHT, WIDTH), level, np.uint8)
    pixels[4:12, 4 + shift : 12 + shift] //= 2
    return pixels


@pytest.fixture(scope="session")
def drawn_pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, ...]:
    """Three pairs with two methods; the names of one pair and of one method are odd."""
    folder = tmp_path_factory.mktemp("drawn")
    pairs = []
    for number, name in enumerate(["one", ODD, "three"]):
        paths = {
            key: write_picture(folder / f"{number}-{key}.png", plain(level, 8 * number))
            for key, level in GREY_OF.items()
        }
        scores = {"bright": {"VIF": 0.2 + 0.1 * number, "LOST": 0.5}, ODD: {"VIF": 0.9, "LOST": 0.1 * number}}
        fused = {"bright": paths["bright"], ODD: paths["dark"]}
        pairs.append(Pair(name, paths["a"], paths["b"], fused, scores))
    return tuple(pairs)


@pytest.fixture(scope="session")
def page(drawn_pairs: tuple[Pair, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `index.html` of a page with all that a page can have."""
    metrics = (MetricColumn("VIF", "higher"), MetricColumn("LOST", "lower"))
    table = Table(("method", *metrics), (("bright", 0.3, 0.5), (ODD, 0.9, 0.1), ("none", None, 0.2)), "Means")
    sections = (Section("Report", [Prose("Text.\n\n- one\n- two"), table, Command("polyfuse compare a b -o page")]),)
    collections = (Collection("drawn", drawn_pairs, "infrared", "visible"),)
    return write_page(tmp_path_factory.mktemp("page"), "Drawn & looked at", collections, metrics, sections)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium without a window. Absent: skip, or fail where POLYFUSE_REQUIRE_BROWSER=1 promises it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    has_driver = importlib.util.find_spec("playwright") is not None
    if program is None or not has_driver:
        what = "Chromium" if program is None else "the package playwright (extra `browser`)"
        reason = f"{what} is not installed, and pages are looked at in a browser"
        if os.environ.get("POLYFUSE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason}; POLYFUSE_REQUIRE_BROWSER=1 says that it must be")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS, chromium_sandbox=False)
        yield running
        running.close()


class Looking:
    """One tab: what it asks for and what it complains of is kept."""

    def __init__(self, browser: Any, size: tuple[int, int] = (1200, 800), **settings: Any) -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: Path) -> Any:
        """Open a page from disk; returns the tab."""
        self.tab.goto(path.as_uri())
        self.tab.wait_for_selector("#main")
        return self.tab

    def open_pair(self, number: int = 0) -> None:
        """Open the viewer of a card and wait for its pictures."""
        self.tab.click(f".card >> nth={number} >> button.pictures")
        self.shown()

    def shown(self, words: str = "") -> None:
        """Wait for what the viewer says it shows."""
        self.tab.wait_for_selector(f'.viewer[data-shown*="{words}"]' if words else ".viewer[data-shown]")
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for has been drawn."""
        self.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def grey(self, pane: int, across: float, down: float = 0.5) -> int:
        """Red value that a pane shows at a place, in shares of its width and height."""
        script = """([pane, x, y]) => {
            const canvas = document.querySelectorAll('.stage .pane canvas')[pane];
            const [left, top] = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
            return canvas.getContext('2d').getImageData(left, top, 1, 1).data[0];
        }"""
        return int(self.tab.evaluate(script, [pane, across, down]))

    def view(self) -> dict[str, float]:
        """Place and zoom of the viewer's stage."""
        found: dict[str, float] = self.tab.evaluate("() => polyfuse.viewer.stage.view")
        return found


@pytest.fixture(scope="session")
def tab_of_all(browser: Any) -> Iterator[Looking]:
    """One tab for all tests: opening one costs a second."""
    look = Looking(browser)
    yield look
    look.context.close()


@pytest.fixture
def looking(tab_of_all: Looking, page: Path) -> Looking:
    """The page, opened anew in a laptop's window by a browser that remembers nothing of it."""
    look = tab_of_all
    look.requests.clear()
    look.complaints.clear()
    look.open(page)
    if look.tab.evaluate("() => { const had = localStorage.length; localStorage.clear(); return had; }"):
        look.open(page)
    look.complaints.clear()
    return look


@pytest.fixture
def window(browser: Any) -> Iterator[Callable[..., Looking]]:
    """Opens windows of a size."""
    opened: list[Looking] = []

    def open_window(size: tuple[int, int], **settings: Any) -> Looking:
        opened.append(Looking(browser, size, **settings))
        return opened[-1]

    yield open_window
    for look in opened:
        look.context.close()
