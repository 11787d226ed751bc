"""`polyfuse fuse` on clips: what it prints, how it ends on bad input, and that nothing half-written stays."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

av = pytest.importorskip("av")

Runner = Callable[..., Any]
DEFAULT_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"


def write_clip(path: Path, codec: str = "libx264", count: int = 10, size: tuple[int, int] = (64, 48)) -> Path:
    """Write noise, so that the file is not too small to be cut in the middle."""
    rng = np.random.default_rng(6)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number * 100, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path]:
    """Two clips of ten frames in the test's folder, by relative names."""
    for name in ("ir.mp4", "vi.mp4"):
        write_clip(tmp_path / name)
    return Path("ir.mp4"), Path("vi.mp4")


def left(folder: Path) -> set[str]:
    """Names of all files in a folder, hidden ones included."""
    return {path.name for path in folder.iterdir()}


def test_clip_is_written_with_its_record_and_the_speed_is_told(
    polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    ran = polyfuse("fuse", *clips, "-o", "fused.mp4", "--model", "average")
    assert (ran.code, ran.out) == (0, ["fused.mp4"])
    assert ran.err[-1].startswith("ir: 10 frames in ")
    assert ran.err[-1].endswith(" frames/s")
    assert left(tmp_path) == {"ir.mp4", "vi.mp4", "fused.mp4", "fused.mp4.json"}


WATCH = """
import os, sys
from importlib.abc import MetaPathFinder
class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("torch", os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
from polyfuse import cli
sys.exit(cli.run(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("given", "found"), [({}, "PASSIVE"), pytest.param({"OMP_WAIT_POLICY": "active"}, "active", marks=pytest.mark.slow)]
)
def test_waiting_threads_sleep_unless_told_otherwise_and_know_before_torch_is_loaded(
    clips: tuple[Path, Path], tmp_path: Path, given: dict[str, str], found: str
) -> None:
    rest = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    command = [sys.executable, "-c", WATCH, "fuse", *map(str, clips), "--model", "average"]
    ran = subprocess.run(command, cwd=tmp_path, env=rest | given, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[0] == f"torch {found}"


def test_quiet_says_nothing_and_out_may_be_a_folder(polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    ran = polyfuse("fuse", "--ir", clips[0], "--vi", clips[1], "-o", "out", "--model", "average", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, ["out/ir.mp4"], [])


def test_json_tells_frames_and_notes(polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path) -> None:
    write_clip(tmp_path / "long.mp4", count=12)
    ran = polyfuse("fuse", "long.mp4", clips[1], "--model", "average", "--temporal", "exponential", "--json", "--quiet")
    (result,) = json.loads("\n".join(ran.out))["results"]
    assert (result["state"], result["frames"], result["out"]) == ("fused", 10, "fused.mp4")
    assert "b ends after 1.00 s: the rest of a is left out" in result["notes"]


def test_dry_run_writes_nothing(polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path) -> None:
    ran = polyfuse("fuse", *clips, "--dry-run")
    assert (ran.code, ran.out) == (0, ["ir.mp4  +  vi.mp4  ->  fused.mp4"])
    assert left(tmp_path) == {"ir.mp4", "vi.mp4"}


def test_resume_keeps_and_overwrite_replaces(polyfuse: Runner, clips: tuple[Path, Path]) -> None:
    call = ("fuse", *clips, "--model", "average")
    assert polyfuse(*call).code == 0
    before = os.stat("fused.mp4").st_mtime_ns
    assert polyfuse(*call).code == 5
    kept = polyfuse(*call, "--resume")
    assert (kept.code, kept.out, kept.err) == (0, ["fused.mp4"], [])
    assert os.stat("fused.mp4").st_mtime_ns == before
    assert polyfuse(*call, "--overwrite").code == 0
    assert os.stat("fused.mp4").st_mtime_ns != before


def cut(path: Path, share: float) -> Path:
    """Keep the beginning of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def bad_cut(folder: Path) -> Path:
    return cut(write_clip(folder / "bad.mp4"), 0.5)


def bad_text(folder: Path) -> Path:
    path = folder / "bad.mp4"
    path.write_text("no clip at all\n" * 100)
    return path


def bad_empty(folder: Path) -> Path:
    path = folder / "bad.mkv"
    path.touch()
    return path


def bad_sound_only(folder: Path) -> Path:
    path = folder / "bad.mp4"
    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


def bad_size(folder: Path) -> Path:
    return write_clip(folder / "bad.mp4", size=(32, 48))


def bad_missing(folder: Path) -> Path:
    return folder / "bad.mp4"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (bad_cut, "bad.mp4 cannot be decoded"),
        (bad_text, "bad.mp4 cannot be decoded"),
        (bad_empty, "bad.mkv cannot be decoded"),
        (bad_sound_only, "bad.mp4 has no video stream: give a clip with pictures"),
        (bad_size, "a is 64x48 but b is 32x48: two cameras need the --warp"),
        (bad_missing, "bad.mp4 does not exist"),
    ],
)
def test_bad_clip_ends_with_3_in_one_line_and_leaves_nothing(
    polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path, spoil: Callable[[Path], Path], words: str
) -> None:
    bad = spoil(tmp_path)
    ran = polyfuse("fuse", clips[0], bad.name, "-o", "out/fused.mp4", "--model", "average")
    assert (ran.code, ran.out) == (3, [])
    assert words in ran.problem
    assert list((tmp_path / "out").glob("*")) == []


def test_clip_cut_off_is_fused_as_far_as_it_goes_with_a_note(polyfuse: Runner, tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mkv", count=40)
    cut(write_clip(tmp_path / "b.mkv", count=40), 0.5)
    ran = polyfuse("fuse", "a.mkv", "b.mkv", "-o", "fused.mp4", "--model", "average")
    assert (ran.code, ran.out) == (0, ["fused.mp4"])
    assert any(" of 40 frames of b are there: it is cut off" in line for line in ran.err)
    with av.open(str(tmp_path / "fused.mp4")) as container:
        assert 10 < len(list(container.decode(video=0))) < 30


def test_damaged_frames_are_counted_in_a_note(polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path) -> None:
    data = bytearray(clips[1].read_bytes())
    for start in range(len(data) // 2, len(data) * 3 // 4, 997):
        data[start : start + 200] = b"\x5a" * 200
    (tmp_path / "bad.mp4").write_bytes(data)
    ran = polyfuse("fuse", clips[0], "bad.mp4", "--model", "average")
    assert ran.code == 0
    assert any(line.startswith("ir: b has ") and " damaged frames: look at" in line for line in ran.err)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-o", "x.png"), 2, "x.png ends in no suffix for clips: use one of .mp4"),
        (("--codec", "ffv1", "-o", "x.mp4"), 2, "x.mp4 cannot hold ffv1"),
        (("--crf", "20", "-o", "x.mkv"), 2, "ffv1 is lossless and has no crf"),
        (("--temporal", "optical"), 2, "temporal 'optical' is unknown: use none, exponential or flow"),
        (("--bit-depth", "16"), 2, "name an .mkv file for 16"),
        (("-o", "vi.mp4", "--overwrite"), 5, "vi.mp4 is a source"),
    ],
)
def test_wrong_option_is_refused_before_any_work(
    polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = polyfuse("fuse", *clips, "--model", "average", *arguments)
    assert (ran.code, ran.out) == (code, [])
    assert words in ran.problem
    assert left(tmp_path) == {"ir.mp4", "vi.mp4"}


def test_clip_and_picture_do_not_go_together(polyfuse: Runner, clips: tuple[Path, Path]) -> None:
    assert polyfuse("fuse", clips[0], "x.png").problem == "ir.mp4 is a clip and has no partner: give two clips."
    assert polyfuse("fuse", clips[0]).code == 2
    assert polyfuse("fuse", clips[0], clips[0]).code == 2


def test_options_of_clips_are_refused_for_pictures(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    ran = polyfuse("fuse", *pair, "--temporal", "exponential")
    assert (ran.code, ran.problem) == (2, "--temporal is for clips and folders of frames: drop it.")
    assert polyfuse("fuse", *pair, "--crf", "20").problem == "--crf is for clips: drop it."


def test_missing_pyav_is_a_dependency_error(
    polyfuse: Runner, clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    ran = polyfuse("fuse", *clips, "--model", "average")
    assert (ran.code, ran.problem) == (4, 'clips need PyAV: pip install "polyfuse[video]".')


def test_missing_opencv_is_a_dependency_error(
    polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    ran = polyfuse("fuse", *clips, "--model", "average", "--temporal", "flow", "-o", "out/fused.mp4")
    assert (ran.code, ran.problem) == (4, '--temporal flow needs OpenCV: pip install "polyfuse[imaging]".')
    assert left(tmp_path) == {"ir.mp4", "vi.mp4"}


def test_missing_encoder_is_a_dependency_error_that_names_others(
    polyfuse: Runner, clips: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264", "libx265"})
    ran = polyfuse("fuse", *clips, "--model", "average")
    assert ran.code == 4
    assert ran.problem == "this FFmpeg has no encoder libx264: pass --codec vp9 or ffv1"


def test_clip_of_an_unknown_codec_is_a_dependency_error(
    polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "odd.mkv", "ffv1")
    path.write_bytes(path.read_bytes().replace(b"V_FFV1", b"V_XYZ1"))
    ran = polyfuse("fuse", clips[0], "odd.mkv", "--model", "average")
    assert (ran.code, ran.problem) == (
        4,
        "odd.mkv has a codec this FFmpeg cannot decode: convert it to H.264 first.",
    )


@pytest.mark.parametrize("target", [pytest.param("fused.mp4", marks=pytest.mark.slow), "fused.mkv"])
def test_full_disk_is_an_output_error_and_leaves_nothing(
    start: Runner, clips: tuple[Path, Path], tmp_path: Path, target: str
) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    process = start("fuse", *clips, "--model", "average", "-o", f"out/{target}", before=limit)
    out, err = process.communicate()
    assert (process.returncode, out) == (5, "")
    assert err.count("\n") == 1
    assert f"out/{target} cannot be written (File too large): free some space" in err
    assert list((tmp_path / "out").iterdir()) == []


def test_interrupted_run_leaves_nothing_and_can_be_started_again(
    start: Runner, polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    slow = (
        f"{DEFAULT_SIGINT}\nimport time\nfrom polyfuse.video.fusing import FrameFusion\n"
        "plane = FrameFusion.plane\n"
        "def slowly(*given):\n    print('frame', flush=True)\n    time.sleep(0.2)\n    return plane(*given)\n"
        "FrameFusion.plane = slowly"
    )
    process = start("fuse", *clips, "--model", "average", "-o", "out/fused.mp4", before=slow)
    assert process.stdout.readline() == "frame\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.strip() == "polyfuse: interrupted; what is finished stays, nothing is half-written."
    assert list((tmp_path / "out").iterdir()) == []
    assert polyfuse("fuse", *clips, "--model", "average", "-o", "out/fused.mp4", "--resume").code == 0


def test_killed_run_is_resumed_from_its_finished_parts(
    start: Runner, polyfuse: Runner, clips: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = (
        "import os, signal\nimport polyfuse.video.writer as writer\nwriter.PART_FRAMES = 3\n"
        "add = writer.Parts.add\n"
        "def last(self, packets, num_frames, state):\n"
        "    add(self, packets, num_frames, state)\n"
        "    if num_frames == 6:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "writer.Parts.add = last"
    )
    call = ("fuse", *clips, "--model", "average", "--temporal", "exponential", "-o", "out/fused.mp4")
    process = start(*call, before=killed)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert left(tmp_path / "out") == {".fused.mp4.parts"}
    monkeypatch.setattr("polyfuse.video.writer.PART_FRAMES", 3)
    refused = polyfuse(*call)
    assert (refused.code, refused.problem) == (
        5,
        "an earlier run got as far as frame 6 of out/fused.mp4: pass --resume to go on, or --overwrite to begin anew",
    )
    resumed = polyfuse(*call, "--resume")
    assert (resumed.code, resumed.out) == (0, ["out/fused.mp4"])
    assert "ir: 6 of 10 frames were there from an earlier run" in resumed.err
    assert resumed.err[-1].startswith("ir: 4 frames in ")
    assert left(tmp_path / "out") == {"fused.mp4", "fused.mp4.json"}
