"""`polyfuse live` as a command: what it prints, writes and refuses."""

import _thread
import json
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse import cli
from polyfuse.alignment import Warp, write_warp
from polyfuse.live.outputs import EncodedOutput

av = pytest.importorskip("av")

Clips = tuple[Path, Path]


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `polyfuse live ARGUMENTS --model average` in this process; returns code, stdout and lines of stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("polyfuse.live.run._GOODBYE", 0.05)

    def run(*arguments: object) -> tuple[int, str, list[str]]:
        capsys.readouterr()
        code = cli.run(["live", *map(str, arguments), "--model", "average"])
        captured = capsys.readouterr()
        return code, captured.out, captured.err.splitlines()

    return run


def test_two_clips_become_one_with_a_sidecar_and_figures(command: Any, clips: Clips, tmp_path: Path) -> None:
    code, out, err = command(*clips, "-o", "out.mp4", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["result"] == "out.mp4"
    assert facts["model"] == "average"
    assert set(facts["sources"]) == {"a", "b"}
    assert facts["delay_ms"]["median"] < 1000
    assert f"{facts['frames']} frames in" in err[-1]
    record = json.loads((tmp_path / "out.mp4.json").read_text())
    assert record["sources"]["a"]["path"] == str(clips[0])
    assert record["live"]["frames"] == facts["frames"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_path_of_the_clip_goes_to_stdout_and_quiet_is_quiet(command: Any, clips: Clips) -> None:
    assert command(*clips, "-o", "out.mkv", "--quiet", "--duration", "0.1") == (0, "out.mkv\n", [])


def test_ctrl_c_completes_the_clip(command: Any, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = EncodedOutput.put

    def put_and_interrupt(self: EncodedOutput, frame: Any) -> None:
        put(self, frame)
        if frame.seconds > 0.1:
            _thread.interrupt_main()

    monkeypatch.setattr(EncodedOutput, "put", put_and_interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have it ignored
    try:
        code, out, err = command(*clips, "-o", "out.mkv", "--loop", "--duration", "20")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (code, out) == (130, "out.mkv\n")
    assert err[-1].startswith("polyfuse: interrupted")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(list(container.decode(video=0))) >= 2
    assert {path.name for path in tmp_path.iterdir()} == {"ir.mkv", "vi.mkv", "out.mkv", "out.mkv.json"}


def test_warp_brings_two_cameras_together(command: Any, make_clip: Any, tmp_path: Path) -> None:
    a = make_clip(tmp_path / "ir.mkv", 8, size=(48, 32), grey=True)
    b = make_clip(tmp_path / "vi.mkv", 8, size=(96, 64), seed=1)
    matrix = np.array([[2.0, 0.0, 4.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    write_warp(tmp_path / "warp.json", Warp(matrix, (48, 32), (96, 64), "similarity"))
    code, _, err = command(a, b, "--warp", "warp.json", "-o", "out.mkv")
    assert code == 0
    assert any("shows b alone" in line for line in err)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (96, 64)
    record = json.loads((tmp_path / "out.mkv.json").read_text())
    assert record["warp"]["frame"] == "b"


def test_page_is_told_and_open_while_it_runs(command: Any, clips: Clips) -> None:
    code, _, err = command(*clips, "--web", "0", "--quiet", "--duration", "0.1")
    assert code == 0
    assert [line.startswith("page at http://127.0.0.1:") for line in err] == [True]


def test_result_that_is_there_is_not_replaced_unasked(command: Any, clips: Clips, tmp_path: Path) -> None:
    (tmp_path / "out.mkv").write_bytes(b"mine")
    code, out, err = command(*clips, "-o", "out.mkv")
    assert (code, out, len(err)) == (5, "", 1)
    assert (tmp_path / "out.mkv").read_bytes() == b"mine"


def test_source_is_never_replaced(command: Any, clips: Clips) -> None:
    before = clips[1].read_bytes()
    assert command(*clips, "-o", "vi.mkv", "--overwrite")[0] == 5
    assert clips[1].read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ir.mkv", "ir.mkv", "-o", "x.mkv"), 2, "given for both sides"),
        (("ir.mkv", "nowhere.mkv", "-o", "x.mkv"), 3, "nowhere.mkv"),
        (("ir.mkv", "ftp://host/x", "-o", "x.mkv"), 2, "not read: use rtsp://"),
        (("ir.mkv", "vi.mkv", "-o", "x.gif"), 2, "suffix"),
        (("ir.mkv", "vi.mkv", "-o", "http://host/x"), 2, "nothing is sent"),
        (("ir.mkv", "vi.mkv", "-o", ""), 2, "--out is empty"),
        (("ir.mkv", "vi.mkv", "--web", "0", "--codec", "vp9"), 2, "--codec is for what --out writes"),
        (("ir.mkv", "vi.mkv", "--web", "here"), 2, "is no port"),
        (("ir.mkv", "vi.mkv", "-o", "x.mkv", "--no-realtime"), 2, "always in real time here"),
        (("ir.mkv", "vi.mkv", "-o", "x.mkv", "--range", "10C,40C"), 2, "degrees"),
        (("ir.mkv", "vi.mkv", "-o", "udp://127.0.0.1:1", "--codec", "ffv1"), 2, "drop --codec"),
    ],
)
def test_bad_words_are_one_line_with_their_code(
    command: Any, clips: Clips, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran, out, err = command(*arguments)
    assert (ran, out) == (code, "")
    assert len(err) == 1
    assert words in err[0]
    assert {path.name for path in tmp_path.iterdir()} == {"ir.mkv", "vi.mkv"}


def opencv(gui: str, shown: list[Any]) -> types.ModuleType:
    """A stand-in for OpenCV, built with these windows."""
    module = types.ModuleType("cv2")
    module.__dict__.update(
        getBuildInformation=lambda: f"General\n  GUI:                           {gui}\n",
        WINDOW_NORMAL=0,
        WINDOW_KEEPRATIO=0,
        WND_PROP_VISIBLE=4,
        namedWindow=lambda *_: None,
        resizeWindow=lambda *_: None,
        imshow=lambda _, image: shown.append(image),
        waitKey=lambda _: ord("2") if len(shown) == 1 else ord("q") if len(shown) >= 3 else -1,
        getWindowProperty=lambda *_: 1.0,
        destroyAllWindows=lambda: shown.append("closed"),
    )
    return module


def test_opencv_without_windows_is_told_by_one_line(
    command: Any, clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", opencv("NONE", []))
    code, _, err = command(*clips)
    assert (code, len(err)) == (4, 1)
    assert "--web" in err[0]


def test_machine_without_a_screen_is_told_by_one_line(
    command: Any, clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", opencv("QT5", []))
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = command(*clips)
    assert (code, len(err)) == (5, 1)


def test_window_shows_what_keys_choose_and_q_ends(command: Any, clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setitem(sys.modules, "cv2", opencv("QT5", shown))
    monkeypatch.setenv("DISPLAY", ":0")
    code, _, _ = command(*clips)
    assert code == 0
    assert [getattr(image, "ndim", image) for image in shown] == [3, 2, 2, "closed"]  # fused, then a twice
