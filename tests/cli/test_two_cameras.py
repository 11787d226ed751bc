"""`--warp`: pictures, folders, sequences and clips of two cameras through fuse, evaluate and explain."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.alignment import Warp, write_warp
from polyfuse.explain import explain_lost
from polyfuse.fusion import FuseOptions
from polyfuse.io import read_picture, write_picture

Runner = Callable[..., Any]
WARP = Warp(np.array([[1.5, 0, 30], [0, 1.5, 0], [0, 0, 1]]), (64, 48), (128, 72), "similarity", found="drawn")
"""a covers the middle three quarters of b, over its whole height."""


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Two pairs in ir/ and vi/, and warp.json."""
    rng = np.random.default_rng(5)
    for name in ("1.png", "2.png"):
        write_picture(tmp_path / "ir" / name, rng.integers(0, 256, (48, 64), np.uint8))
        write_picture(tmp_path / "vi" / name, rng.integers(0, 256, (72, 128, 3), np.uint8))
    return write_warp(tmp_path / "warp.json", WARP)


def test_folders_are_fused_at_the_size_of_the_frame(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    ran = polyfuse("fuse", "ir", "vi", "-o", "fused", "--model", "average", "--warp", "warp.json")
    assert (ran.code, len(ran.out)) == (0, 2)
    assert read_picture(tmp_path / "fused" / "1.png").array.shape == (72, 128, 3)
    ran = polyfuse("fuse", "ir", "vi", "-o", "a", "--model", "average", "--warp", "warp.json", "--frame", "a")
    assert read_picture(tmp_path / "a" / "2.png").array.shape == (48, 64, 3)
    assert json.loads((tmp_path / "a" / "2.png.json").read_text())["warp"]["resampled"] == "b"


def test_resume_keeps_results_of_the_same_warp_alone(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    words = ("fuse", "ir", "vi", "-o", "fused", "--model", "average", "--warp", "warp.json", "--resume", "--json")
    states = []
    for matrix in (WARP.matrix, WARP.matrix, WARP.matrix + np.diag([0.1, 0.1, 0])):
        write_warp(cameras, Warp(matrix, WARP.size_a, WARP.size_b), overwrite=True)
        states.append(json.loads("\n".join(polyfuse(*words).out))["results"][0]["state"])
    assert states == ["fused", "kept", "fused"]


def test_sequence_is_warped(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    words = ("--model", "average", "--warp", "warp.json")
    assert polyfuse("fuse", "ir", "vi", "-o", "seq", *words, "--temporal", "exponential:1").code == 0
    polyfuse("fuse", "ir", "vi", "-o", "one", *words)
    one, seq = (read_picture(tmp_path / name / "2.png").array for name in ("one", "seq"))
    assert (one == seq).all()


def test_pairs_of_another_size_are_refused_before_any_work(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "ir" / "2.png", np.zeros((50, 64), np.uint8), overwrite=True)
    ran = polyfuse("fuse", "ir", "vi", "-o", "fused", "--warp", "warp.json")
    assert ran.code == 3
    wanted = (
        "2: a is 64x50 and b 128x72 but the warp is for 64x48 and 128x72: make a warp with pictures of these sizes."
    )
    assert ran.problem == wanted
    assert not (tmp_path / "fused").exists()


def test_file_that_is_no_warp_is_refused(polyfuse: Runner, cameras: Path) -> None:
    cameras.write_text("{}")
    ran = polyfuse("fuse", "ir/1.png", "vi/1.png", "--warp", "warp.json")
    assert (ran.code, "lacks schema, model, matrix" in ran.problem) == (3, True)


def test_warp_file_is_never_replaced_by_a_result(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    cameras.rename(tmp_path / "fused.png.json")
    ran = polyfuse("fuse", "ir/1.png", "vi/1.png", "--warp", "fused.png.json", "--overwrite")
    assert (ran.code, "is the warp file" in ran.problem) == (5, True)


def test_frame_without_a_warp_is_refused(polyfuse: Runner, cameras: Path) -> None:
    assert polyfuse("fuse", "ir/1.png", "vi/1.png", "--frame", "a").code == 2
    assert polyfuse("evaluate", "vi/1.png", "vi/1.png", "vi/2.png", "--frame", "a").code == 2


def test_scores_are_of_the_part_that_both_have(polyfuse: Runner, cameras: Path) -> None:
    polyfuse("fuse", "ir", "vi", "-o", "fused", "--model", "average", "--warp", "warp.json")
    ran = polyfuse("evaluate", "fused", "ir", "vi", "--warp", "warp.json", "--metrics", "MI", "--json")
    report = json.loads("\n".join(ran.out))
    assert ran.code == 0
    assert report["settings"]["warp"] == "warp.json"
    assert any("of 128x72, which both sources have" in line for line in ran.err)


def test_explanation_is_of_the_part_that_both_have(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    options = FuseOptions(warp=cameras)
    explained = explain_lost("ir/1.png", "vi/1.png", model="average", options=options)
    numbers = explained.numbers()
    (top, bottom), (left, right) = numbers["window"]["rows"], numbers["window"]["columns"]
    assert (numbers["size"]["width"], numbers["explained_size"]["width"]) == (128, right - left)
    assert 80 <= right - left <= 96
    assert bottom - top == 72
    polyfuse("fuse", "ir/1.png", "vi/1.png", "--warp", "warp.json", "--model", "average", "-o", "f.png")
    again = explain_lost("ir/1.png", "vi/1.png", fused="f.png", options=options)
    assert (again.fused == explained.fused).all()


def test_clips_are_warped(polyfuse: Runner, cameras: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    for name, (width, height) in (("ir.mkv", WARP.size_a), ("vi.mkv", WARP.size_b)):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("ffv1", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
            stream.codec_context.time_base = Fraction(1, 1000)
            for number in range(3):
                pixels = read_picture(tmp_path / name[:2] / f"{1 + number % 2}.png").array
                colour = np.ascontiguousarray(np.broadcast_to(pixels.reshape(height, width, -1), (height, width, 3)))
                frame = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(format="bgr0")
                frame.pts, frame.time_base = number * 100, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    ran = polyfuse("fuse", "ir.mkv", "vi.mkv", "-o", "fused.mkv", "--model", "average", "--warp", "warp.json")
    assert ran.code == 0
    polyfuse("fuse", "ir/1.png", "vi/1.png", "--warp", "warp.json", "--model", "average", "-o", "f.png")
    with av.open(str(tmp_path / "fused.mkv")) as container:
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert (first == read_picture(tmp_path / "f.png").array).all()
    assert json.loads((tmp_path / "fused.mkv.json").read_text())["warp"]["covered"] == pytest.approx(0.75, abs=0.01)
