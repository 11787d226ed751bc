"""The page of `polyfuse live` in a real browser: the picture leaves room for what belongs to it."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polyfuse import registry
from polyfuse.fusion import FuseOptions
from polyfuse.live.fusing import LiveFusion
from polyfuse.live.web import WebPage


@pytest.fixture
def served() -> Iterator[WebPage]:
    """A page that gets frames of 4 : 3, one after another."""
    page = WebPage("127.0.0.1", 0, lambda: {"line": "some frames", "trouble": False, "sources": {"a": "x", "b": "y"}})
    fusing = LiveFusion(registry.load("average"), FuseOptions(), lambda _: None)
    frame = fusing(np.full((480, 640), 40, np.uint8), np.full((480, 640, 3), 200, np.uint8), 0.0)
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.1):
            page.put(frame)

    thread = threading.Thread(target=run)
    thread.start()
    yield page
    ended.set()
    thread.join()
    page.close()


@pytest.mark.parametrize(("width", "height"), [(1400, 800), (700, 900)])
def test_slider_and_figures_are_seen_below_the_picture(served: WebPage, window: Any, width: int, height: int) -> None:
    tab = window((width, height)).tab
    tab.goto(f"http://127.0.0.1:{served.port}/", wait_until="commit")  # its streams never end
    tab.wait_for_selector("text=some frames")
    tab.wait_for_selector("#stage[style*='--shape']")
    stage, line = (tab.locator(f"#{name}").bounding_box() for name in ("stage", "line"))
    assert line["y"] + line["height"] <= height
    assert stage["width"] / stage["height"] == pytest.approx(4 / 3, abs=0.01)
    assert stage["width"] > 0.9 * min(width - 24, (height - 144) * 4 / 3)  # and no smaller than need be
