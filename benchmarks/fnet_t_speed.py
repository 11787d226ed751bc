"""Pictures a second of FNet-T beside FNet, and beside a bare stack of convolutions, in one run.

Run it after installing polyfuse, on an otherwise idle machine:

    python benchmarks/fnet_t_speed.py
    python benchmarks/fnet_t_speed.py --size 640x480 --students fnet-t16.road mine.safetensors

Rows: students and `fnet.road` called with tensors, in float32 and in bf16; students through `polyfuse.fuse`, 8-bit grey
arrays in and out; and the stack, what plain convolutions of PyTorch pay: 3 x 3 from 8 to 32, 32, 32 and 4 channels on
pixels unshuffled by 2 (so that sides must be even), 22 thousand weights. Repeats of a row follow each other after one
call to warm up, as the frames of a clip do: threads with which PyTorch has shared an operation spin for milliseconds
afterwards, and would take the cores from another row's. FNet, which takes seconds, is repeated less often.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

from polyfuse import fuse, load
from polyfuse.families.spec import FusionModel
from polyfuse.ops.native_coding import instruction_set
from polyfuse.ops.threads import threads_for_strips

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
STACK = (8, 32, 32, 32, 4)  # channels of the plain convolutions from which the goal of 60 pictures a second was set


TEACHER = "fnet.road"


def network(name: str) -> FusionModel:
    """Weights in the box or in a file."""
    return load("auto", weights=name) if name.endswith(".safetensors") else load(name)


def stack(dtype: torch.dtype, height: int, width: int) -> Callable[[], object]:
    """A call that runs the bare stack, from two pictures to one."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(STACK):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.ReLU(inplace=True)]
    convolutions = nn.Sequential(*layers[:-1]).to(dtype, memory_format=torch.channels_last)
    pair = torch.rand(1, 2, height, width)

    def run() -> torch.Tensor:
        with torch.inference_mode():
            blocks = nn.functional.pixel_unshuffle(pair, 2).to(dtype).contiguous(memory_format=torch.channels_last)
            return nn.functional.pixel_shuffle(convolutions(blocks).float(), 2)

    return run


def model_call(model: FusionModel, precision: str, height: int, width: int) -> Callable[[], object]:
    """A call that fuses two tensors."""
    a, b = torch.rand(2, 1, 1, height, width)

    def run() -> torch.Tensor:
        model.precision = precision
        with torch.inference_mode(), threads_for_strips(model.works_in_parts):
            return model(a, b)

    return run


def fuse_call(model: FusionModel, precision: str, height: int, width: int) -> Callable[[], object]:
    """A call that fuses two 8-bit grey arrays to a third, the way `polyfuse.fuse` does."""
    a, b = np.random.default_rng(0).integers(0, 256, (2, height, width), dtype=np.uint8)

    def run() -> np.ndarray:
        model.precision = precision
        return fuse(a, b, model=model).image

    return run


def measure(call: Callable[[], object], repeats: int) -> list[float]:
    """Wall seconds of each call after one to warm up."""
    call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def table(args: argparse.Namespace, models: dict[str, FusionModel], size: str) -> None:
    """Print all rows for one size."""
    width, height = map(int, size.split("x"))
    calls: dict[str, Callable[[], object]] = {}
    for precision, dtype in PRECISIONS.items():
        for name, model in models.items():
            calls[f"{name} {precision}"] = model_call(model, precision, height, width)
            if name != TEACHER:
                calls[f"{name} {precision}, fuse()"] = fuse_call(model, precision, height, width)
        calls[f"bare stack {precision}"] = stack(dtype, height, width)
    seconds = {
        name: measure(call, args.fnet_repeats if name.startswith(TEACHER) else args.repeats)
        for name, call in calls.items()
    }
    print(f"\n{size}\n{'':<32}{'pictures/s':>11}{'milliseconds':>30}{'fnet/this':>11}{'this/stack':>12}")
    for name, times in seconds.items():
        median, precision = statistics.median(times), "bf16" if "bf16" in name else "float32"
        beside = {other: statistics.median(seconds[f"{other} {precision}"]) for other in (TEACHER, "bare stack")}
        spread = f"{1e3 * median:.1f} [{1e3 * min(times):.1f} - {1e3 * max(times):.1f}]"
        ratios = f"{beside[TEACHER] / median:>11.1f}{median / beside['bare stack']:>12.2f}"
        print(f"{name:<32}{1 / median:>11.1f}{spread:>30}{ratios}")


def header(args: argparse.Namespace, models: dict[str, FusionModel]) -> None:
    """Print what is measured, and on which machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    print(f"{name}, {os.cpu_count()} cores, {args.threads} threads, torch {torch.__version__}")
    print(f"one pair, {args.repeats} repeats ({args.fnet_repeats} of fnet), median [best - worst]")
    print(f"compiled kernel of fnet: {', '.join(filter(None, map(instruction_set, PRECISIONS))) or 'absent'}")
    print(f"load average {os.getloadavg()[0]:.2f}")
    for name, model in models.items():
        spec = model.spec
        print(f"{name}: {spec.parameters:,} weights, {spec.macs_per_pixel:,} multiply-accumulates a pixel")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size", action="append", help="WIDTHxHEIGHT; may be repeated; 640x480 and 1920x1080 if absent"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--fnet-repeats", type=int, default=2)
    parser.add_argument("--students", nargs="+", default=["fnet-t.road", "fnet-t16.road"], help="names or files")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    models = {name: network(name) for name in (*args.students, TEACHER)}
    header(args, models)
    for size in args.size or ("640x480", "1920x1080"):
        table(args, models, size)


if __name__ == "__main__":
    main()
