"""Time of models in PyTorch, onnxruntime and OpenVINO, as ratios, interleaved; then start-up and memory of each.

Run it after installing polyfuse with the extras onnx and openvino, on an otherwise idle machine:

    python benchmarks/engine_speed.py
    python benchmarks/engine_speed.py --models pyrfuse-t.road --sizes 1920x1080 --threads 2

Luma in, luma out: nothing is read or written and no colour is converted. PyTorch runs polyfuse's fast forms in float32
and bf16, onnxruntime the exported file in float32 and in halves, OpenVINO the exported file in float32 and bf16. Every
repeat calls all of them once, in turn, after one call each to warm up. Start-up and memory are those of a fresh process
that fuses one pair of the first size.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from polyfuse import load, load_exported
from polyfuse.exporting import export_onnx
from polyfuse.ops.threads import threads_for_strips

Run = Callable[[], object]
ALONE = """
import sys
from polyfuse.cli import run
code = run(sys.argv[1:])
with open("/proc/self/status") as file:  # getrusage would count the process that started this one
    print(next(line.split()[1] for line in file if line.startswith("VmHWM")), "torch" in sys.modules)
sys.exit(code)
"""


def torch_run(name: str, precision: str, a: np.ndarray, b: np.ndarray) -> Run:
    """One call of a model in PyTorch."""
    model = load(name, precision=precision)
    one, other = (torch.from_numpy(plane)[None, None] for plane in (a, b))

    def run() -> object:
        with torch.inference_mode(), threads_for_strips(model.works_in_parts):
            return model(one, other)

    return run


def runs_of(name: str, folder: Path, threads: int, size: tuple[int, int]) -> dict[str, Run]:
    """Each engine and arithmetic with a call."""
    width, height = size
    a, b = np.random.default_rng(0).random((2, height, width), np.float32)
    made: dict[str, Run] = {"PyTorch float32": torch_run(name, "float32", a, b)}
    if load(name).precision is not None:
        made["PyTorch bf16"] = torch_run(name, "bf16", a, b)
    plain, half = folder / f"{name}.onnx", folder / f"{name}.half.onnx"
    for label, path, engine, precision in (
        ("onnxruntime float32", plain, "onnx", "float32"),
        ("onnxruntime halves", half, "onnx", "float32"),
        ("OpenVINO float32", plain, "openvino", "float32"),
        ("OpenVINO bf16", plain, "openvino", "bf16"),
    ):
        model = load_exported(path, engine, threads=threads, precision=precision)
        made[label] = lambda model=model: model.run(a, b)
    return made


def measured(runs: dict[str, Run], repeats: int) -> dict[str, list[float]]:
    """Seconds of every call."""
    seconds: dict[str, list[float]] = {label: [] for label in runs}
    for turn in range(repeats + 1):
        for label, run in runs.items():
            started = time.perf_counter()
            run()
            if turn:
                seconds[label].append(time.perf_counter() - started)
    return seconds


def alone(words: list[str]) -> tuple[float, float, bool]:
    """Seconds and MiB of a fresh process that runs one command, and whether PyTorch was loaded."""
    started = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", ALONE, *words], capture_output=True, text=True, check=True)
    peak, loaded = ran.stdout.split()[-2:]
    return time.perf_counter() - started, int(peak) / 1024, loaded == "True"


def start_up(name: str, folder: Path, threads: int, size: tuple[int, int]) -> None:
    """Print start-up and memory of each engine."""
    from polyfuse.io import write_picture

    width, height = size
    draw = np.random.default_rng(1)
    paths = [folder / "a.png", folder / "b.png"]
    write_picture(paths[0], draw.integers(0, 256, (height, width), np.uint8), overwrite=True)
    write_picture(paths[1], draw.integers(0, 256, (height, width, 3), np.uint8), overwrite=True)
    common = [
        "fuse",
        *map(str, paths),
        "-o",
        str(folder / "out.png"),
        "--overwrite",
        "--quiet",
        "--threads",
        str(threads),
    ]
    kinds = {
        "PyTorch": ["--model", name],
        "onnxruntime": ["--model", str(folder / f"{name}.onnx")],
        "OpenVINO": ["--model", str(folder / f"{name}.onnx"), "--engine", "openvino"],
    }
    print(f"\nfresh process, `polyfuse fuse` of one {width}x{height} pair, {name}, {threads} threads, median of 5")
    print(f"{'engine':<22}{'seconds':>9}{'peak MiB':>10}")
    for label, words in kinds.items():
        found = [alone([*common, *words]) for _ in range(6)][1:]
        seconds, peak = (statistics.median(one[place] for one in found) for place in (0, 1))
        print(f"{label:<22}{seconds:>9.2f}{peak:>10.0f}{'' if found[0][2] else '   without PyTorch'}")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["pyrfuse.road", "pyrfuse-t.road", "fnet-t16.road", "laplacian"])
    parser.add_argument("--sizes", nargs="+", default=["640x480", "1920x1080"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    words = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}")
    sizes = [tuple(map(int, size.split("x"))) for size in words.sizes]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in words.models:
            for path, precision in ((f"{name}.onnx", "float32"), (f"{name}.half.onnx", "float16")):
                export_onnx(load(name), folder / path, precision=precision)
            for threads in words.threads:
                torch.set_num_threads(threads)
                for size in sizes:
                    seconds = measured(runs_of(name, folder, threads, size), words.repeats)
                    beside = statistics.median(seconds["PyTorch float32"])
                    print(f"\n{name}, {size[0]}x{size[1]}, {threads} threads, {words.repeats} calls each in turn")
                    print(f"{'engine':<22}{'median ms':>10}{'best':>9}{'worst':>9}{'of PyTorch':>12}")
                    for label, values in seconds.items():
                        middle = statistics.median(values)
                        print(f"{label:<22}{1e3 * middle:>10.1f}{1e3 * min(values):>9.1f}{1e3 * max(values):>9.1f}"
                              f"{middle / beside:>12.2f}")  # fmt: skip
        start_up(words.models[0], folder, words.threads[-1], sizes[0])


if __name__ == "__main__":
    main()
