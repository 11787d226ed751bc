"""Whether two installations of polyfuse give the same bytes: for changes that must not change a result.

    python tools/same_results.py OLD_PYTHON NEW_PYTHON

Each interpreter makes the same results on drawn scenes in a folder of its own: `fuse` with every model in the box (in
float32 and bf16, in tiles, in 16 bits, as clips and frames), `evaluate` in every format, `explain`, and two steps of
training of every family. Then all files are compared. What cannot be equal is taken out first: times, and the version.

Prints a line for each kind of result; exits with 1 if anything differs. Takes about five minutes on two cores.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

THREADS = "2"
VOLATILE = re.compile(
    r'"(seconds|finished|polyfuse|frames_per_second|path|environment)": ("[^"]*"|[0-9.e+-]+)|polyfuse [0-9][\w.]*'
)
"""What differs between any two runs in JSON and text: times, the version, and paths, which hold the folder's name."""
TRAINED = {
    "fnet": ["fnet-paper", "stages.0.steps=2", "stages.1.steps=2"],
    "fnet-cpu": ["fnet-cpu", "stages.0.steps=2", "stages.0.losses.fidelity=1.0", "data.crop.size=48"],
    "fnet-steady": [
        "fnet-cpu", "stages.0.steps=2", "stages.0.steadiness=1.0", "stages.0.crop.twin=1", "data.crop.size=64",
    ],
    "fnet-t": ["fnet-t-cpu", "stages.0.steps=2"],
    "smfnet": ["smfnet-cpu", "stages.0.steps=2", "stages.1.steps=2", "stages.1.losses.fidelity=1.0"],
    "smfnet-paper": ["smfnet-paper", "stages.0.steps=1", "stages.1.steps=1"],
    "daefuse": [
        "daefuse-cpu", "stages.0.steps=2", "stages.1.steps=2",
        "stages.1.losses.fidelity=1.0", "stages.1.losses.brightness=1.0",
    ],
    "pyrfuse": ["pyrfuse-cpu", "stages.0.steps=2"],
}  # fmt: skip
"""Run and recipe with its changes."""


def main(old: str, new: str) -> int:
    """Make the results of both and compare them; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="same-results-") as folder:
        folders = [Path(folder) / name for name in ("old", "new")]
        for python, where in zip((old, new), folders, strict=True):
            print(f"making the results of {python}", flush=True)
            subprocess.run([python, str(Path(__file__).resolve()), "--make", str(where)], check=True)
        return compare(*folders)


def compare(old: Path, new: Path) -> int:
    """Print how many files of each kind are equal; returns 1 if one is not."""
    before, after = (dict(_digests(folder)) for folder in (old, new))
    wrong = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for kind in sorted({Path(name).parts[0] for name in before.keys() | after.keys()}):
        names = [name for name in before.keys() | after.keys() if Path(name).parts[0] == kind]
        equal = sum(before.get(name) == after.get(name) for name in names)
        print(f"{kind:12} {equal} of {len(names)} files are the same")
    for name in wrong:
        state = "differs" if name in before and name in after else "is there once"
        print(f"{state}: {name}")
    return int(bool(wrong))


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of every file below, without what cannot be equal."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes() if path.suffix != ".mkv" else _packets(path)
            if path.suffix in {".json", ".txt", ".md", ".tex"}:
                content = VOLATILE.sub("", content.decode("utf-8")).encode()
            if path.name.startswith("log-"):
                content = _without_last_column(content)
            yield str(path.relative_to(folder)), hashlib.sha256(content).hexdigest()


def _packets(path: Path) -> bytes:
    """What a clip holds, without its container, which gets a random number each time."""
    import av

    with av.open(str(path)) as container:
        return b"".join(f"{packet.pts}:".encode() + bytes(packet) for packet in container.demux(video=0))


def _without_last_column(content: bytes) -> bytes:
    """A log of training without "seconds"."""
    return b"\n".join(line.rsplit(b",", 1)[0] for line in content.splitlines())


def make(folder: Path) -> None:
    """Make all results by the polyfuse of this interpreter."""
    folder.mkdir()
    os.chdir(folder)
    scenes = Path("scenes")
    polyfuse("data", "synthetic", "-o", "scenes/eight", "--count", "3", "--size", "208x144")
    polyfuse("data", "synthetic", "-o", "scenes/deep", "--size", "112x96", "--bit-depth", "16")
    polyfuse("data", "synthetic", "-o", "scenes/frames", "--size", "128x96", "--frames", "5")
    _fuse(scenes)
    _evaluate(scenes)
    _explain(scenes)
    _train(scenes)


def _fuse(scenes: Path) -> None:
    """Every model in the box in every way that pictures go."""
    entries = json.loads(polyfuse("models", "list", "--json"))["models"]
    eight, deep, frames = (_sources(scenes / name) for name in ("eight", "deep", "frames"))
    for entry in entries:
        name = entry["name"]
        if entry["needs_weights"]:
            continue
        out = f"fuse/{name}"
        model = ["--model", name, "--threads", THREADS, "--memory", "4GiB"]
        polyfuse("fuse", *eight, "-o", f"{out}/eight", *model)
        polyfuse("fuse", *eight, "-o", f"{out}/bf16", *model, "--precision", "bf16")
        polyfuse("fuse", *eight, "-o", f"{out}/tiles", *model, "--tile", "80", "--stretch", "percentile")
        polyfuse("fuse", *deep, "-o", f"{out}/deep", *model, "--range", "percentile", "--suffix", ".tif")
        polyfuse("fuse", *frames, "-o", f"{out}/frames", *model, "--temporal", "exponential")
        if entry["family"] == "fnet":
            polyfuse("fuse", *eight, "-o", f"{out}/zeros", *model, "--border", "zeros")
    _clips(frames)


def _clips(frames: tuple[str, str]) -> None:
    """Lossless clips of the frames, fused."""
    import av
    from PIL import Image

    Path("clips").mkdir()
    for source, name in zip(frames, ("a", "b"), strict=True):
        with av.open(f"clips/{name}.mkv", "w", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "bgr0" if name == "b" else "gray"
            for path in sorted(Path(source).iterdir()):
                if path.suffix == ".png":
                    frame = av.VideoFrame.from_image(Image.open(path).convert("RGB"))
                    container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode())
    for model in ("fnet-t.road", "smfnet-s.road", "daefuse-t.road", "laplacian"):
        arguments = ["fuse", "clips/a.mkv", "clips/b.mkv", "--model", model, "--threads", THREADS]
        for temporal in ("none", "exponential"):
            polyfuse(*arguments, "-o", f"clips/{model}-{temporal}.mkv", "--temporal", temporal)


def _evaluate(scenes: Path) -> None:
    """Scores of three methods in every format."""
    methods = [f"--fused={name}=fuse/{name}/eight" for name in ("fnet.road", "smfnet-s.road", "laplacian")]
    Path("evaluate").mkdir()
    for form in ("table", "csv", "json", "md", "latex"):
        text = polyfuse(
            "evaluate", *methods, *_sources(scenes / "eight"), "--format", form, "--baselines",
            "--compare", "fnet", "--dataset", "TNO", *(["--metrics", "all"] if form == "json" else []),
        )  # fmt: skip
        Path(f"evaluate/scores.{form}").write_text(VOLATILE.sub("", text), "utf-8")


def _explain(scenes: Path) -> None:
    """The sheets and numbers of a model of each family that explains itself."""
    a, b = (str(sorted(Path(source).glob("*.png"))[0]) for source in _sources(scenes / "eight"))
    for model in ("fnet.road", "fnet.brain", "smfnet-s.road", "daefuse-t.road"):
        polyfuse("explain", a, b, "-o", f"explain/{model}", "--model", model, "--threads", THREADS)


def _train(scenes: Path) -> None:
    """Some steps of every family, from the first to weights, logs, validation and sample pictures."""
    pair = _sources(scenes / "eight")
    polyfuse("data", "pack", "--pair", *pair, "-o", "train/full.pack", "--luma", "full")
    polyfuse("data", "pack", "--pair", *pair, "-o", "train/studio.pack", "--luma", "studio")
    for run, (recipe, *changes) in TRAINED.items():
        sizes = [] if any("crop.size" in change for change in changes) else ["data.crop.size=48"]
        settings = [*changes, *sizes, "data.batch=4", "rhythm.log_every=1", "rhythm.validation_crop=48"]
        luma = "studio" if recipe == "fnet-paper" else "full"
        settings += [f"data.luma={luma}", f"data.train=train/{luma}.pack", f"data.val=train/{luma}.pack"]
        flags = [part for setting in settings for part in ("--set", setting)]
        polyfuse("train", recipe, "-o", f"train/{run}", *flags, "--threads", THREADS)
    flags = [
        "--set",
        "stages.0.kind=distil",
        "--set",
        "stages.0.steps=2",
        "--set",
        "teacher=train/fnet/weights.safetensors",
    ]
    flags += ["--set", "stages.0.losses={}", "--set", "data.batch=4", "--set", "data.crop.size=48"]
    flags += ["--set", "data.train=train/full.pack", "--set", "data.luma=full"]
    polyfuse("train", "fnet-t-cpu", "-o", "train/distilled", *flags, "--threads", THREADS)
    for path in Path("train").rglob("*"):  # no results: state of a run, drawings of its curves, its environment
        if (path.is_file() and (path.suffix in {".pt"} or path.name in {"environment.json", "recipe.json"})) or (
            path.is_file() and "tensorboard" in path.parts
        ):
            path.unlink()


def _sources(scenes: Path) -> tuple[str, str]:
    """Folders of thermal and visible pictures."""
    return str(scenes / "ir"), str(scenes / "vi")


def polyfuse(*arguments: str) -> str:
    """Run one command line in this process, in the current folder; returns what it printed."""
    from polyfuse.cli import run

    printed = io.StringIO()
    with redirect_stdout(printed):
        code = run([*arguments, "--quiet"])
    if code:
        raise SystemExit(f"polyfuse {' '.join(arguments)} left with {code}")
    return printed.getvalue()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]))
    else:
        sys.exit(main(*sys.argv[1:3]))
