"""`polyfuse fuse` on folders that are frames of a sequence: what it prints and writes, and how it ends on bad input."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import read_picture, write_picture

Runner = Callable[..., Any]


def write_frames(count: int, size: tuple[int, int]) -> None:
    """A scene that changes a little from frame to frame, in the folders ir/ and vi/, numbered from 0."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    for number in range(count):
        scene = 120 + 60 * np.sin(columns / 7) * np.cos(rows / 5) + 8 * (number % 2)
        write_picture(f"ir/{number}.png", scene.astype(np.uint8))
        write_picture(f"vi/{number}.png", np.stack([scene, scene / 2, scene / 3], 2).astype(np.uint8))


@pytest.fixture
def call(polyfuse: Runner) -> tuple[object, ...]:
    """Arguments that fuse twelve frames with a filter."""
    write_frames(12, (40, 48))
    return ("fuse", "ir", "vi", "--model", "average", "--temporal", "exponential:0.5")


def test_frames_are_fused_in_natural_order_with_one_filter(polyfuse: Runner, call: tuple[object, ...]) -> None:
    ran = polyfuse(*call)
    assert (ran.code, ran.out) == (0, [f"fused/{number}.png" for number in range(12)])
    plain = polyfuse(*call[:-1], "none", "-o", "plain")
    assert plain.code == 0
    first, later = (
        [read_picture(f"{folder}/{number}.png").array for folder in ("fused", "plain")] for number in (0, 11)
    )
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(later[0], later[1])
    record = json.loads(Path("fused/11.png.json").read_text(encoding="utf-8"))
    assert record["sequence"] == {"frame": 11, "cut_before": False}
    assert {path.suffix for path in Path("fused").iterdir()} == {".png", ".json"}


def test_finished_frames_are_kept_with_resume(polyfuse: Runner, call: tuple[object, ...]) -> None:
    assert polyfuse(*call).code == 0
    assert polyfuse(*call).code == 5
    kept = polyfuse(*call, "--resume", "--json")
    assert {result["state"] for result in json.loads("\n".join(kept.out))["results"]} == {"kept"}


def test_frame_that_fails_ends_the_sequence_with_what_is_done(polyfuse: Runner, call: tuple[object, ...]) -> None:
    write_picture("ir/9.png", np.zeros((40, 48), np.uint16), overwrite=True)
    ran = polyfuse(*call)
    assert (ran.code, ran.out) == (3, [f"fused/{number}.png" for number in range(9)])
    assert ran.problem == (
        "9: ir/9.png has uint16 pixels and the sequence uint8: convert it; 9 of 12 pairs are done, --resume keeps them."
    )


def test_killed_sequence_is_resumed_from_its_last_state(
    start: Runner, polyfuse: Runner, call: tuple[object, ...]
) -> None:
    assert polyfuse(*call, "-o", "whole").code == 0
    killed = (
        "import os, signal\nimport polyfuse.video.frames as frames\nframes.STATE_FRAMES = 4\n"
        "write = frames.write_store\n"
        "def last(path, arrays, words, **given):\n"
        "    write(path, arrays, words, **given)\n"
        "    if words['frames'] == 8:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "frames.write_store = last"
    )
    process = start(*call, before=killed)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not Path("fused/11.png").exists()
    resumed = polyfuse(*call, "--resume", "--json")
    states = [result["state"] for result in json.loads("\n".join(resumed.out))["results"]]
    assert states == ["kept"] * 8 + ["fused"] * 4
    for number in range(12):
        assert Path(f"fused/{number}.png").read_bytes() == Path(f"whole/{number}.png").read_bytes()
    assert {path.suffix for path in Path("fused").iterdir()} == {".png", ".json"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--temporal", "flow:2"), 2, "temporal 'flow:2' is unknown"),
        (("--on-error", "skip"), 2, "--on-error skip would leave gaps in the sequence: drop it, or --temporal."),
        (("--codec", "h264"), 2, "--codec is for clips: drop it."),
    ],
)
def test_wrong_option_is_refused_before_any_work(
    polyfuse: Runner, call: tuple[object, ...], arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = polyfuse(*call, *arguments)
    assert (ran.code, ran.out) == (code, [])
    assert words in ran.problem
    assert not Path("fused").exists()


def test_frames_of_another_size_are_refused_with_advice(polyfuse: Runner, call: tuple[object, ...]) -> None:
    for name in ("ir", "vi"):
        write_picture(f"{name}/7.png", np.zeros((20, 24), np.uint8), overwrite=True)
    ran = polyfuse(*call)
    assert ran.code == 3
    assert ran.problem == (
        "ir/7.png is 24x20 but 0.png is 48x40: the frames of a sequence have one size, drop --temporal to fuse them "
        "one by one"
    )
    write_picture("vi/7.png", np.zeros((40, 48), np.uint8), overwrite=True)
    assert polyfuse(*call).problem == (
        "sizes differ for 7: 24x20 and 48x40: two cameras need the --warp that `polyfuse align` makes, else pass "
        "--resize a or --resize b"
    )


def test_frames_too_small_for_flow_are_told_of(polyfuse: Runner) -> None:
    pytest.importorskip("cv2")
    write_frames(3, (12, 40))
    ran = polyfuse("fuse", "ir", "vi", "--model", "average", "--temporal", "flow", "-o", "out")
    assert (ran.code, ran.out) == (3, ["out/0.png"])
    assert "finds no motion in frames of 40x12: give 32 pixels a side or more; 1 of 3 pairs are done" in ran.problem


def test_flow_takes_no_more_threads_than_the_model(polyfuse: Runner, call: tuple[object, ...]) -> None:
    cv2 = pytest.importorskip("cv2")
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        assert polyfuse(*call[:-1], "flow", "--threads", "1").code == 0
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_missing_opencv_is_a_dependency_error(
    polyfuse: Runner, call: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    ran = polyfuse(*call[:-1], "flow")
    assert (ran.code, ran.problem) == (4, '--temporal flow needs OpenCV: pip install "polyfuse[imaging]".')
    assert not Path("fused").exists()


def test_sequence_needs_no_pyav(polyfuse: Runner, call: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert polyfuse(*call).code == 0
