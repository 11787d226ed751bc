"""A served page: tiles make up the picture, nothing but its pictures is given, and it is on this machine alone."""

import io
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from polyfuse.comparison import Request
from polyfuse.comparison import shelf as shelf_module
from polyfuse.comparison.serve import serve, served_html, served_pairs
from polyfuse.comparison.shelf import Place, Shelf, level_of
from polyfuse.errors import DependencyError, InputError, UsageError
from polyfuse.io import write_picture


@pytest.fixture
def request_of_folders(tmp_path: Path, rng: np.random.Generator) -> Request:
    """Two pairs of 70x50 pixels and one method."""
    for folder in ("ir", "vi", "fused"):
        for name in ("1", "2"):
            write_picture(tmp_path / folder / f"{name}.png", rng.integers(0, 256, (50, 70), np.uint8))
    return Request(tmp_path / "ir", tmp_path / "vi", {"m": tmp_path / "fused"})


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def make_shelf(request: Request) -> Shelf:
    pairs, methods, _ = served_pairs(request)
    return Shelf(pairs, methods, max_pixels=10**6)


def test_tiles_make_up_the_picture(request_of_folders: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "TILE", 16)
    shelf, place = make_shelf(request_of_folders), Place(1, "m0")
    rows = [np.hstack([opened(shelf.tile(place, 0, column, row)) for column in range(5)]) for row in range(4)]
    np.testing.assert_array_equal(np.vstack(rows), shelf.picture(place).pixels)
    halves = [np.hstack([opened(shelf.tile(place, 1, column, row)) for column in range(3)]) for row in range(2)]
    assert np.vstack(halves).shape == (25, 35)


def test_small_pictures_are_sent_as_they_are_and_large_ones_reduced(
    request_of_folders: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make_shelf(request_of_folders)
    path = request_of_folders.fused["m"] / "1.png"
    assert shelf.whole(Place(0, "m0")) == (path.read_bytes(), "image/png")
    monkeypatch.setattr(shelf_module, "WHOLE", 1000)
    assert level_of(70, 50) == 1
    assert opened(shelf.whole(Place(0, "m0"))[0]).shape == (25, 35)
    assert opened(shelf.small(Place(0, "a"))).shape == (50, 70)
    assert opened(shelf.maps(Place(0, "m0"), "share")).shape == (50, 70)


@pytest.mark.parametrize("place", [Place(2, "a"), Place(-1, "a"), Place(0, "m1"), Place(0, "m"), Place(0, "../x")])
def test_nothing_else_is_given(request_of_folders: Request, place: Place) -> None:
    shelf = make_shelf(request_of_folders)
    with pytest.raises(KeyError):
        shelf.whole(place)
    with pytest.raises(KeyError):
        shelf.tile(Place(0, "a"), 0, 9, 0)


def test_other_sizes_are_told_before_anything_is_served(request_of_folders: Request) -> None:
    write_picture(request_of_folders.fused["m"] / "2.png", np.zeros((9, 9), np.uint8), overwrite=True)
    with pytest.raises(InputError, match="is 9x9 and the first source 70x50"):
        served_pairs(request_of_folders)


def test_models_are_not_run(request_of_folders: Request) -> None:
    with pytest.raises(UsageError, match="fuse them first"):
        served_pairs(Request(request_of_folders.a, request_of_folders.b, {}, {"x": None}))  # type: ignore[dict-item]


def test_page_names_pictures_by_number_alone(request_of_folders: Request) -> None:
    pairs, methods, _ = served_pairs(request_of_folders)
    text = served_html(request_of_folders, pairs, methods)
    assert str(request_of_folders.fused["m"]) not in text
    data = json.loads(text.split("polyfuse.data = ", 1)[1].split(";</script>", 1)[0])
    assert [pair["fused"] for pair in data["collections"][0]["pairs"]] == [["m0"], ["m0"]]


@pytest.mark.parametrize("package", ["uvicorn", "starlette.applications"])
def test_a_missing_package_names_its_extra(
    request_of_folders: Request, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", ModuleType("uvicorn"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=r"polyfuse\[serve\]"):
        serve(request_of_folders, 0, say=print, ready=print)


@pytest.mark.slow
def test_server_answers_this_machine_and_ends_with_an_interrupt(request_of_folders: Request) -> None:
    pytest.importorskip("uvicorn", reason="uvicorn (extra `serve`) is not installed")
    pytest.importorskip("starlette", reason="starlette (extra `serve`) is not installed")
    folder = request_of_folders.a.parent
    command = [sys.executable, "-m", "polyfuse", "compare", "ir", "vi", "--fused", "m=fused", "--serve", "0"]
    program = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        assert status(address) == 200
        assert status(f"{address}p/0-1/m0") == 200
        assert status(f"{address}p/0-1/m0-lost") == 200
        assert status(f"{address}p/0-1/m7") == 404
        assert status(f"{address}p/0-1/..%2F..%2Fetc%2Fpasswd") == 404
        assert status(address, Host="evil.example") == 400
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=60)
    finally:
        program.kill()
        program.communicate()
    assert program.returncode == 130
    assert "Traceback" not in errors


def status(address: str, **headers: Any) -> int:
    """Status of a request."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
