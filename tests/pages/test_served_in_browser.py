"""A page that is served, in a real browser: large pictures come in tiles, from this machine alone."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from polyfuse.io import write_picture

SIZE = (1800, 2400)
"""Height and width: more pixels than are sent whole."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a page of one pair of large pictures is served."""
    pytest.importorskip("uvicorn", reason="uvicorn (extra `serve`) is not installed")
    pytest.importorskip("starlette", reason="starlette (extra `serve`) is not installed")
    for folder, level in (("ir", 40), ("vi", 200), ("fused", 120)):
        pixels = np.full(SIZE, level, np.uint8)
        pixels[::2, 1::2] += 2  # halved, this is 120.5; at full size the grain is seen
        write_picture(tmp_path / folder / "large.png", pixels)
    command = [sys.executable, "-m", "polyfuse", "compare", "ir", "vi", "--fused", "m=fused", "--serve", "0"]
    program = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    yield program.stdout.readline().strip()
    program.kill()
    program.communicate()


@pytest.mark.slow
def test_tiles_come_when_a_large_picture_is_zoomed_into(window, address: str) -> None:
    look = window((1200, 800))
    look.tab.set_default_timeout(60_000)
    look.tab.goto(address)
    look.tab.wait_for_selector(".card")
    look.open_pair()
    assert not [url for url in look.requests if "/m0/0/" in url]
    with look.tab.expect_response(lambda response: "/m0/0/" in response.url):
        look.tab.keyboard.press("1")
    look.tab.wait_for_timeout(500)
    assert look.complaints == []  # reading so many pixels, below, the browser calls slow
    shown = {look.grey(2, 0.5 + step / 4000) for step in range(0, 80, 2)}
    assert shown <= {120, 122}
    assert all(url.startswith((address, "data:", "blob:")) for url in look.requests)
