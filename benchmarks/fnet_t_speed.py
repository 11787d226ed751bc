"""Pictures a second of FNet-T beside FNet, and beside a bare stack of convolutions, in one run.

Run it after installing polyfuse, on an otherwise idle machine:

    python benchmarks/fnet_t_speed.py
    python benchmarks/fnet_t_speed.py --size 640x480 --weights fnet-t.safetensors --fnet-weights fnet.safetensors

Rows: FNet-T and FNet called with tensors, in float32 and in bf16; FNet-T through `polyfuse.fuse`, 8-bit grey arrays in
and out; and the stack, what any network of this kind has to pay: 3 x 3 convolutions from 8 to 32, 32, 32 and 4 channels
on pixels unshuffled by 2 (so that sides must be even), 22 thousand weights. Speed does not depend on the weights, so
that random ones do where none are given. Repeats are interleaved; FNet, which takes seconds, is repeated less often.
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
from polyfuse.models.fnet import FNet
from polyfuse.models.fnet_t import FNetT
from polyfuse.models.spec import FusionModel
from polyfuse.ops.native_coding import instruction_set

PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}
STACK = (8, 32, 32, 32, 4)  # channels; the plain convolutions that the goal of 60 pictures a second was set by


def network(family: str, weights: Path | None) -> FusionModel:
    """The network with the weights given, else with random ones."""
    if weights is not None:
        return load(family, weights=weights)
    torch.manual_seed(0)
    return {"fnet": FNet, "fnet-t": FNetT}[family]().eval().requires_grad_(False)


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
        with torch.inference_mode():
            return model(a, b)

    return run


def fuse_call(model: FusionModel, precision: str, height: int, width: int) -> Callable[[], object]:
    """A call that fuses two 8-bit grey arrays to a third, the way `polyfuse.fuse` does."""
    a, b = np.random.default_rng(0).integers(0, 256, (2, height, width), dtype=np.uint8)

    def run() -> np.ndarray:
        model.precision = precision
        return fuse(a, b, model=model).image

    return run


def timed(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(calls: dict[str, Callable[[], object]], repeats: dict[str, int]) -> dict[str, list[float]]:
    """Seconds of every call, interleaved, after one call each to warm up."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(max(repeats.values())):
        for name, call in calls.items():
            if turn < repeats[name]:
                seconds[name].append(timed(call))
    return seconds


def table(args: argparse.Namespace, student: FusionModel, teacher: FusionModel, size: str) -> None:
    """All rows for one size."""
    width, height = map(int, size.split("x"))
    calls: dict[str, Callable[[], object]] = {}
    for precision, dtype in PRECISIONS.items():
        calls[f"fnet-t {precision}"] = model_call(student, precision, height, width)
        calls[f"fnet-t {precision}, fuse()"] = fuse_call(student, precision, height, width)
        calls[f"fnet {precision}"] = model_call(teacher, precision, height, width)
        calls[f"bare stack {precision}"] = stack(dtype, height, width)
    repeats = {name: args.fnet_repeats if name.startswith("fnet ") else args.repeats for name in calls}
    seconds = measure(calls, repeats)
    print(f"\n{size}\n{'':<26}{'pictures/s':>11}{'milliseconds':>30}{'fnet/this':>11}{'this/stack':>12}")
    for name, found in seconds.items():
        median, precision = statistics.median(found), "bf16" if "bf16" in name else "float32"
        beside = {other: statistics.median(seconds[f"{other} {precision}"]) for other in ("fnet", "bare stack")}
        spread = f"{1e3 * median:.1f} [{1e3 * min(found):.1f} - {1e3 * max(found):.1f}]"
        ratios = f"{beside['fnet'] / median:>11.1f}{median / beside['bare stack']:>12.2f}"
        print(f"{name:<26}{1 / median:>11.1f}{spread:>30}{ratios}")


def header(args: argparse.Namespace, student: FusionModel, teacher: FusionModel) -> None:
    """What was measured on what."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    print(f"{name}, {os.cpu_count()} cores, {args.threads} threads, torch {torch.__version__}")
    print(f"one pair, {args.repeats} repeats ({args.fnet_repeats} of fnet), median [best - worst]")
    print(f"compiled kernel of fnet: {', '.join(filter(None, map(instruction_set, PRECISIONS))) or 'absent'}")
    print(f"load average {os.getloadavg()[0]:.2f}")
    for model in (student, teacher):
        spec = model.spec
        print(f"{spec.family}: {spec.parameters:,} weights, {spec.macs_per_pixel:,} multiply-accumulates a pixel")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--size", action="append", help="WIDTHxHEIGHT; may be repeated; 640x480 and 1920x1080 if absent"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--fnet-repeats", type=int, default=2)
    parser.add_argument("--weights", type=Path, help="weights of fnet-t; random if absent")
    parser.add_argument("--fnet-weights", type=Path, help="weights of fnet; random if absent")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    student, teacher = network("fnet-t", args.weights), network("fnet", args.fnet_weights)
    header(args, student, teacher)
    for size in args.size or ("640x480", "1920x1080"):
        table(args, student, teacher, size)


if __name__ == "__main__":
    main()
