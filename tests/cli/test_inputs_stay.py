"""No verb writes over one of its inputs, not even with --overwrite, and an empty path is no place to write to."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Runner = Callable[..., Any]
Folders = Callable[..., tuple[Path, Path]]


def test_pack_never_replaces_a_picture(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(2)
    before = (ir / "1.png").read_bytes()
    ran = polyfuse("data", "pack", "--pair", ir, vi, "-o", ir / "1.png", "--overwrite")
    assert (ran.code, ran.problem) == (5, "ir/1.png is an input and would be replaced: choose another --out")
    assert (ir / "1.png").read_bytes() == before


@pytest.mark.parametrize("name", ["box_EN.png", "radar.svg"])
def test_evaluation_never_replaces_a_picture(name: str, polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(1)
    Path("out").mkdir()
    fused = Path(shutil.copy(ir / "0.png", Path("out") / name))
    before = fused.read_bytes()
    ran = polyfuse("evaluate", fused, ir / "0.png", vi / "0.png", "--metrics", "EN", "-o", "out", "--overwrite")
    assert (ran.code, ran.problem) == (5, f"out/{name} is an input and would be replaced: choose another --out")
    assert [path.read_bytes() for path in Path("out").iterdir()] == [before]


def test_explanation_never_replaces_a_picture(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(1, size=(24, 32))
    source = Path(shutil.copy(ir / "0.png", vi / "overview.png"))
    before = source.read_bytes()
    ran = polyfuse("explain", source, vi / "0.png", "--model", "fnet.road", "-o", vi, "--overwrite", "--quiet")
    assert ran.code == 5
    assert "vi/overview.png is an input and would be replaced" in ran.problem
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    "call",
    [
        ("fuse", "a.png", "b.png", "-o", ""),
        ("fuse", "", "b.png"),
        ("demo", "-o", ""),
        ("data", "synthetic", "--out", ""),
        ("data", "pack", "x", "-o", ""),
        ("evaluate", "f.png", "a.png", "b.png", "-o", ""),
        ("explain", "a.png", "b.png", "-o", ""),
        ("models", "import", "fnet", "x.pth", "-o", ""),
        ("train", "fnet-cpu", "-o", ""),
    ],
)
def test_empty_path_is_refused(call: tuple[str, ...], polyfuse: Runner, tmp_path: Path) -> None:
    ran = polyfuse(*call)
    assert ran.code == 2
    assert "is empty: name a file" in ran.problem
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["weights.png", "weights.png.json"])
def test_fuse_never_replaces_the_weights(named: str, polyfuse: Runner, folders: Folders, fnet_weights: Path) -> None:
    ir, vi = folders(1)
    weights = Path(shutil.copy(fnet_weights, named))
    before = weights.read_bytes()
    ran = polyfuse("fuse", ir / "0.png", vi / "0.png", "--weights", weights, "-o", "weights.png", "--overwrite")
    assert (ran.code, ran.problem) == (5, f"{named} is the file of weights and would be replaced: choose another --out")
    assert weights.read_bytes() == before


def test_clip_never_replaces_the_weights(polyfuse: Runner, fnet_weights: Path) -> None:
    weights = Path(shutil.copy(fnet_weights, "fused.mp4"))
    ran = polyfuse("fuse", "a.mp4", "b.mp4", "--weights", weights, "-o", weights, "--overwrite")
    assert (ran.code, "is the file of weights and would be replaced" in ran.problem) == (5, True)


def test_explanation_never_replaces_the_weights(polyfuse: Runner, folders: Folders, fnet_weights: Path) -> None:
    ir, vi = folders(1, size=(24, 32))
    Path("out").mkdir()
    weights = Path(shutil.copy(fnet_weights, "out/overview.png"))
    before = weights.read_bytes()
    pair = (ir / "0.png", vi / "0.png")
    ran = polyfuse("explain", *pair, "--weights", weights, "-o", "out", "--overwrite", "--quiet")
    assert (ran.code, "is an input and would be replaced" in ran.problem) == (5, True)
    assert weights.read_bytes() == before


@pytest.mark.parametrize("key", ["start", "data.train", "data.val"])
def test_training_never_replaces_what_it_begins_from(key: str, polyfuse: Runner, fnet_weights: Path) -> None:
    Path("run").mkdir()
    source = Path(shutil.copy(fnet_weights, "run/weights.safetensors"))
    before = source.read_bytes()
    ran = polyfuse("train", "fnet-cpu", "-o", "run", "--set", "data.train=x.pack", "--set", f"{key}={source}")
    assert (ran.code, "is an input of the run and would be replaced" in ran.problem) == (5, True)
    assert [path.name for path in Path("run").iterdir()] == [source.name]
    assert source.read_bytes() == before


@pytest.mark.parametrize("out", ["ir/0.png", "absent/../ir/0.png", "ir/../vi/0.png"])
def test_fuse_never_replaces_a_source_whatever_its_name(out: str, polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(1)
    before = [path.read_bytes() for path in (ir / "0.png", vi / "0.png")]
    ran = polyfuse("fuse", ir / "0.png", vi / "0.png", "-o", out, "--model", "average", "--overwrite")
    assert ran.code == 5
    assert "is a source and would be replaced" in ran.problem
    assert [path.read_bytes() for path in (ir / "0.png", vi / "0.png")] == before
    assert not Path("absent").exists()


def test_result_that_is_there_is_found_through_a_folder_that_is_not(polyfuse: Runner, folders: Folders) -> None:
    ir, vi = folders(1)
    Path("mine.png").write_bytes(b"mine")
    ran = polyfuse("fuse", ir / "0.png", vi / "0.png", "-o", "absent/../mine.png", "--model", "average")
    assert (ran.code, "exists" in ran.problem) == (5, True)
    assert Path("mine.png").read_bytes() == b"mine"
