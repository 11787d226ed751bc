"""A run that is killed without warning leaves complete files only, and `--resume` ends as a run that was never killed.

The quick tests kill once, as soon as something worth keeping is on the disk. The slow ones kill ten times each at
moments drawn by seed over the whole run, and print what each kill left.
"""

import hashlib
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import read_picture
from polyfuse.train import journal, loop
from polyfuse.train.checkpoint import NEWEST, PREVIOUS, load_checkpoint
from polyfuse.weights.store import load_weights

Popen = Callable[..., "subprocess.Popen[str]"]
Runner = Callable[..., Any]
KILLS = 10
NUM_PAIRS, NUM_FRAMES = 24, 60
READY = """
import sys, torch, polyfuse.fusion.batch, polyfuse.registry, polyfuse.train.journal, polyfuse.train.loop
try:
    import polyfuse.video.run, polyfuse.video.pyav
    polyfuse.video.pyav.load_av()
except ImportError:
    pass
polyfuse.train.loop.draw_curves = lambda folder: None
polyfuse.train.journal._tensorboard = lambda folder, first_step: None
print("ready", file=sys.stderr, flush=True)
"""
"""Loads what takes long and says so: from here on the moments are counted. Trains without Matplotlib and TensorBoard,
which take longer than all steps together."""


@dataclass(frozen=True)
class Job:
    """One kind of run."""

    arguments: Callable[[Path], list[object]]
    """Of `polyfuse`, for a result of this path, without --resume."""
    target: str
    """Name of the result."""
    left: Callable[[Path], int]
    """Looks at what a kill left of a result: all of it must be complete; returns how much that is."""
    end: Callable[[Path], dict[str, str]]
    """Looks at a finished result: hash of each file whose bytes are promised, by its name."""


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_sidecars(folder: Path) -> None:
    """Each sidecar that is there tells of the result beside it; hidden files are temporary ones."""
    for sidecar in folder.glob("[!.]*.json"):
        assert json.loads(sidecar.read_text())["result"]["sha256"] == sha256(sidecar.with_suffix("")), sidecar


@pytest.fixture
def batch(folders: Callable[..., Any]) -> Job:
    """Many pairs with their folder of results."""
    ir, vi = folders(NUM_PAIRS, size=(240, 320))

    def left(target: Path) -> int:
        pictures = list(target.glob("[!.]*.png"))
        for path in pictures:
            assert read_picture(path).array.shape == (240, 320, 3)
        check_sidecars(target)
        return len(pictures)

    def end(target: Path) -> dict[str, str]:
        names = {f"{index}.png" for index in range(NUM_PAIRS)}
        assert {path.name for path in target.iterdir()} == names | {f"{name}.json" for name in names}
        check_sidecars(target)
        return {name: sha256(target / name) for name in names}

    return Job(lambda target: ["fuse", ir, vi, "-o", target, "--model", "laplacian"], "fused", left, end)


@pytest.fixture
def clip(tmp_path: Path) -> Job:
    """Two clips with a filter along time."""
    av = pytest.importorskip("av")
    rng = np.random.default_rng(7)
    for name in ("a.mkv", "b.mkv"):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "bgr0"
            wide = rng.integers(0, 256, (240, 320 + NUM_FRAMES, 3), dtype=np.uint8)
            for number in range(NUM_FRAMES):
                picture = np.ascontiguousarray(wide[:, number : number + 320])
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="bgr0")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    def decoded(path: Path) -> int:
        with av.open(str(path)) as container:
            return sum(1 for _ in container.decode(video=0))

    def left(target: Path) -> int:
        if target.exists():
            assert decoded(target) == NUM_FRAMES
            check_sidecars(target.parent)
            return NUM_FRAMES
        from polyfuse.video.parts import parts_folder
        from polyfuse.video.store import read_arrays, read_progress

        frames = 0
        for part in sorted(parts_folder(target).glob("[0-9]*")):
            words = read_progress(part)
            assert words is not None
            assert read_arrays(part) is not None
            frames = words["frames"]
        return frames

    def end(target: Path) -> dict[str, str]:
        assert {path.name for path in target.parent.iterdir()} == {target.name, f"{target.name}.json"}
        check_sidecars(target.parent)
        return {target.name: sha256(target)}

    options = ["--model", "laplacian", "--temporal", "exponential:0.5"]
    return Job(lambda target: ["fuse", "a.mkv", "b.mkv", "-o", target, *options], "out/fused.mp4", left, end)


@pytest.fixture
def training(polyfuse: Runner, folders: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Both stages of a tiny FNet, a checkpoint after every step."""
    monkeypatch.setattr(loop, "draw_curves", lambda folder: None)
    monkeypatch.setattr(journal, "_tensorboard", lambda folder, first_step: None)
    ir, vi = folders(3, size=(24, 24))
    assert polyfuse("data", "pack", "--pair", ir, vi, "-o", "x.pack").code == 0
    recipe = {
        "name": "fnet.test",
        "family": "fnet",
        "model": {"coder": {"channels": 4, "kernel_size": 3, "iterations": 2}},
        "data": {"train": "x.pack", "val": "x.pack", "luma": "full", "batch": 2, "crop": {"size": 16}},
        "stages": [{"kind": "reconstruction", "steps": 20}, {"kind": "fusion", "steps": 20}],
        "rhythm": {"log_every": 2, "validate_every": 3, "validation_crop": 16, "draw_every": 10,
                   "checkpoint_minutes": 1e-6},
    }  # fmt: skip
    (tmp_path / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")

    def left(target: Path) -> int:
        for path in target.glob("[!.]*.safetensors"):
            assert load_weights(path)[1].name == "fnet.test"
        for path in target.glob("samples/*/[!.]*.png"):
            read_picture(path)
        if not any((target / name).exists() for name in (NEWEST, PREVIOUS)):
            return 0
        notes: list[str] = []
        state = load_checkpoint(target, notes.append)
        assert notes == []
        return 20 * int(state["stage"]) + int(state["step"])

    def end(target: Path) -> dict[str, str]:
        assert not (target / "checkpoint.safetensors").exists()
        names = ("weights.safetensors", "best.safetensors", "val-reconstruction.csv", "val-fusion.csv")
        return {name: sha256(target / name) for name in names}

    return Job(lambda target: ["train", "recipe.json", "-o", target, "--threads", "1"], "run", left, end)


def wait_until_ready(process: "subprocess.Popen[str]") -> None:
    """Read stderr up to the line that says that all is loaded."""
    assert process.stderr is not None
    while (line := process.stderr.readline()) != "ready\n":
        assert line, "the program ended before it was ready"


def resumed(job: Job, target: Path, polyfuse: Runner, *, whole: dict[str, str]) -> None:
    """Run the command again with --resume: it must end as a run that was never killed, without a leftover."""
    ran = polyfuse(*job.arguments(target), "--resume")
    if ran.code == 3 and "has no checkpoint" in ran.problem:  # killed before the first checkpoint of a training
        ran = polyfuse(*job.arguments(target))
    assert ran.code == 0, ran.err
    assert job.end(target) == whole
    leftovers = [path for path in target.parent.rglob(".polyfuse-*") if path.is_file()]
    assert leftovers == []


def kill_when(job: Job, target: Path, start: Popen, is_time: Callable[[], bool]) -> bool:
    """Start a run and kill it as soon as `is_time` says so; False if it was over before."""
    process = start(*job.arguments(target), before=READY, stdout=subprocess.DEVNULL)
    wait_until_ready(process)
    while process.poll() is None and not is_time():
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)
    return process.returncode != 0


def whole_run(job: Job, folder: Path, polyfuse: Runner) -> dict[str, str]:
    """What a run gives that is never killed."""
    assert polyfuse(*job.arguments(folder / job.target)).code == 0
    return job.end(folder / job.target)


@pytest.mark.slow
def test_killed_clip_is_resumed_to_the_same_bytes(clip: Job, start: Popen, polyfuse: Runner, tmp_path: Path) -> None:
    whole = whole_run(clip, tmp_path / "whole", polyfuse)
    target = tmp_path / "killed" / clip.target
    first_part = target.parent / f".{target.name}.parts" / "000000.safetensors"
    assert kill_when(clip, target, start, first_part.exists)
    assert clip.left(target) >= 16
    resumed(clip, target, polyfuse, whole=whole)


@pytest.mark.slow
def test_killed_training_is_resumed_to_the_same_bits(
    training: Job, start: Popen, polyfuse: Runner, tmp_path: Path
) -> None:
    whole = whole_run(training, tmp_path / "whole", polyfuse)
    target = tmp_path / "killed" / training.target
    assert kill_when(training, target, start, (target / PREVIOUS).exists)
    assert training.left(target) >= 1
    resumed(training, target, polyfuse, whole=whole)


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have gone by since the first call."""
    asked: list[float] = []

    def is_time() -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] >= seconds

    return is_time


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["batch", "clip", "training"])
def test_kill_at_any_moment_loses_nothing_that_was_done(
    kind: str,
    start: Popen,
    polyfuse: Runner,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job: Job = request.getfixturevalue(kind)
    whole = whole_run(job, tmp_path / "whole", polyfuse)
    process = start(*job.arguments(tmp_path / "timed" / job.target), before=READY, stdout=subprocess.DEVNULL)
    wait_until_ready(process)
    began = time.monotonic()
    process.communicate()
    assert process.returncode == 0
    seconds = time.monotonic() - began
    assert job.end(tmp_path / "timed" / job.target) == whole
    draw = random.Random(25)
    shares = sorted(draw.random() for _ in range(KILLS))
    for number, share in enumerate(shares):
        moment, tries = share * seconds, 0
        while not kill_when(job, (target := tmp_path / f"killed{number}-{tries}" / job.target), start, after(moment)):
            moment, tries = moment / 2, tries + 1  # this time the machine was faster
        hidden = [path for path in target.parent.rglob(".polyfuse-*") if path.is_file()]
        left = job.left(target)
        with capsys.disabled():
            print(f"{kind}: killed after {moment:.2f} of {seconds:.2f} s: {left} done, {len(hidden)} temporary files")
        resumed(job, target, polyfuse, whole=whole)
