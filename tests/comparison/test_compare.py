"""`polyfuse.compare` from Python, and what a notebook gets of it."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import polyfuse
from polyfuse.alignment import Warp
from polyfuse.errors import InputError, OutputError, UsageError


@pytest.fixture
def sources(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, (24, 32), np.uint8), rng.integers(0, 256, (24, 32, 3), np.uint8)


def test_arrays_results_and_models_become_a_page_that_a_notebook_shows(sources, tmp_path: Path) -> None:
    result = polyfuse.fuse(sources[0], sources[1], model="average")
    page = polyfuse.compare(sources[0], sources[1], {"mine": result}, models=["maximum"], metrics=["CC"], maps=False)
    assert repr(page) == "ComparePage(1 pair, mine, maximum)"
    shown = page._repr_html_()
    assert shown is not None
    assert shown.startswith("<iframe")
    assert "<script>" not in shown  # all of it is an attribute's value
    assert Image.open(io.BytesIO(page._repr_png_())).size == (32 * 3, 24)
    saved = page.save(tmp_path / "page.html")
    assert saved.read_bytes() == page.path.read_bytes()
    with pytest.raises(OutputError, match="overwrite"):
        page.save(saved)


def test_temporary_pages_go_with_their_object(sources) -> None:
    page = polyfuse.compare(sources[0], sources[1], {"mine": sources[1]}, metrics=[], maps=False)
    path = page.path
    assert path.is_file()
    del page
    assert not path.exists()


def test_folder_keeps_its_page(sources, tmp_path: Path) -> None:
    page = polyfuse.compare(sources[0], sources[1], {"mine": sources[1]}, metrics=[], maps=False, out=tmp_path / "page")
    assert page._repr_html_() is None
    path = page.path
    del page
    assert path.is_file()


def test_pictures_of_two_cameras_are_shown_on_common_pixels(rng: np.random.Generator, tmp_path: Path) -> None:
    a, b = rng.integers(0, 256, (30, 40), np.uint8), rng.integers(0, 256, (24, 32), np.uint8)
    shift = np.array([[1.0, 0, -6], [0, 1, -3], [0, 0, 1]])
    warp = Warp(shift, (40, 30), (32, 24), "shift")
    fused = polyfuse.fuse(a, b, model="average", warp=warp)
    out = tmp_path / "page"
    polyfuse.compare(a, b, {"mine": fused}, models=["maximum"], metrics=["CC"], warp=warp, out=out)
    (script,) = out.glob("files-*/data.js")
    data = json.loads(script.read_text(encoding="ascii").removeprefix("polyfuse.data = ").removesuffix(";\n"))
    pair = data["collections"][0]["pairs"][0]
    assert (pair["width"], pair["height"], pair["fused"]) == (32, 24, ["m0", "m1"])
    assert set(pair["scores"]) == {"0", "1"}


def test_wrong_calls_are_told(sources) -> None:
    with pytest.raises(InputError, match="is 10x10"):
        polyfuse.compare(sources[0], sources[1], {"mine": np.zeros((10, 10), np.uint8)})
    with pytest.raises(UsageError, match="given twice"):
        polyfuse.compare(sources[0], sources[1], models=["average", "average"])
