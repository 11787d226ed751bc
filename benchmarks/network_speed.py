"""Time of a network, plain and fast, beside a matrix product of as many operations: float32 and bf16, side by side.

Run it after installing polyfuse, on an otherwise idle machine:

    python benchmarks/network_speed.py --network smfnet-s.road --threads 1
    python benchmarks/network_speed.py --network daefuse-tiny --size 640x480 --size 320x240

Rows: the network called with tensors, by its plain modules in float32, by its fast form in float32 and in bf16; and the
floor of either precision, the time that square matrix products take for as many multiply-accumulates as the network
declares (DAE-Fuse's attention among tokens is not counted). Speed does not depend on the weights, so that random ones
do where none are given. Repeats are interleaved; the floor is measured with one product per repeat and scaled.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from polyfuse import load
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.ops.threads import threads_for_strips

Network = SMFNet | DAEFuse
RANDOM = {
    "smfnet-small": SMFNetConfig(channels=24, heads=4, base_blocks=1, depth=1, mixing="depthwise"),
    "smfnet-medium": SMFNetConfig(channels=32, heads=8, base_blocks=2, depth=1, mixing="depthwise"),
    "smfnet-full": SMFNetConfig(),
    "daefuse-tiny": DAEFuseConfig.of_size("tiny"),
    "daefuse-base": DAEFuseConfig.of_size("base"),
}
SIDE = 2048  # side of the matrices: far larger than a core's cache, where matrix products are fastest
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}


def network(name: str) -> Network:
    """The network of a name in `RANDOM`, with random weights, or one in the box."""
    config = RANDOM.get(name)
    if config is None:
        model = load(name)
        if not isinstance(model, Network):
            raise SystemExit(f"{name} has no plain and fast form: use weights of SMFNet or DAE-Fuse.")
        return model
    torch.manual_seed(0)
    built = SMFNet(config) if isinstance(config, SMFNetConfig) else DAEFuse(config)
    return built.eval().requires_grad_(False)


def calls(model: Network, height: int, width: int) -> dict[str, tuple[Callable[[], object], float]]:
    """What is measured, each with the factor that its time is multiplied by."""
    a, b = torch.rand(2, 1, 1, height, width)

    def fast(precision: str) -> Callable[[], object]:
        def run() -> object:
            model.precision = precision
            with torch.inference_mode(), threads_for_strips(model.works_in_parts):
                return model(a, b)

        return run

    def plain() -> object:
        with torch.inference_mode():
            return model.fuse(a, b)

    named: dict[str, tuple[Callable[[], object], float]] = {"plain float32": (plain, 1.0)}
    for precision, dtype in PRECISIONS.items():
        left, right = torch.rand(2, SIDE, SIDE).to(dtype)
        share = model.spec.macs_per_pixel * height * width / SIDE**3
        named[f"ours {precision}"] = (fast(precision), 1.0)
        named[f"floor {precision}"] = (lambda x=left, y=right: x @ y, share)
    return named


def measure(named: dict[str, tuple[Callable[[], object], float]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every call, interleaved, after one call each to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in named}
    for turn in range(repeats + 1):
        for name, (call, factor) in named.items():
            started = time.perf_counter()
            call()
            if turn:
                seconds[name].append(factor * (time.perf_counter() - started))
    return seconds


def difference(model: Network, height: int, width: int) -> tuple[float, float]:
    """Mean and largest difference between bf16 and float32, before any stretch."""
    a, b = torch.rand(2, 1, 1, height, width)
    outputs = {}
    with torch.inference_mode():
        for model.precision in PRECISIONS:
            outputs[model.precision] = model(a, b)
    apart = (outputs["bf16"] - outputs["float32"]).abs()
    return apart.mean().item(), apart.max().item()


def table(model: Network, size: str, repeats: int) -> None:
    """Print all rows for one size."""
    width, height = map(int, size.split("x"))
    seconds = measure(calls(model, height, width), repeats)
    floors = {precision: statistics.median(seconds[f"floor {precision}"]) for precision in PRECISIONS}
    plain = statistics.median(seconds["plain float32"])
    print(f"\n{size}\n{'':<16}{'seconds':>28}{'plain/this':>12}{'this/floor':>12}")
    for name, times in seconds.items():
        median = statistics.median(times)
        spread = f"{median:.3f} [{min(times):.3f} - {max(times):.3f}]"
        print(f"{name:<16}{spread:>28}{plain / median:>12.2f}{median / floors[name.split()[1]]:>12.2f}")
    mean, largest = difference(model, height, width)
    print(f"bf16 against float32 on noise: mean {mean:.1e}, largest {largest:.1e}")


def header(model: Network, threads: int, repeats: int) -> None:
    """Print what is measured, and on which machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    print(f"{name}, {os.cpu_count()} cores, {threads} threads, torch {torch.__version__}")
    print(f"one pair, {repeats} repeats, median [best - worst]; load average {os.getloadavg()[0]:.2f}")
    spec = model.spec
    print(f"{spec.family}, {spec.parameters:,} weights, {spec.macs_per_pixel:,} multiply-accumulates a pixel")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT; may be repeated; 640x480 if absent")
    parser.add_argument("--network", default="smfnet-s.road", help=f"weights in the box, or {', '.join(RANDOM)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = network(args.network)
    header(model, args.threads, args.repeats)
    for size in args.size or ("640x480",):
        table(model, size, args.repeats)


if __name__ == "__main__":
    main()
