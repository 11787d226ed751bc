"""Seconds of DAE-Fuse's fast form beside its plain form and beside a matrix product of as many operations, in one run.

Run it after installing polyfuse, on an otherwise idle machine:

    python benchmarks/daefuse_speed.py
    python benchmarks/daefuse_speed.py --size 640x480 --config tiny --threads 1 --weights daefuse-t.safetensors

Rows: the network called with tensors, by its plain modules in float32, by its fast form in float32 and in bf16; and the
floor of either precision, the time that square matrix products take for as many multiply-accumulates as the network
declares. Speed does not depend on the weights, so that random ones do where none are given. Repeats are interleaved;
the floor is measured with one product per repeat and scaled.
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
from polyfuse.models.dae_fuse import DAEFuse, DAEFuseConfig

SIDE = 2048  # of the matrices: far larger than a core's cache, as matrix products like it best
PRECISIONS = {"float32": torch.float32, "bf16": torch.bfloat16}


def network(config: DAEFuseConfig, weights: Path | None) -> DAEFuse:
    """The network with the weights given, else with random ones."""
    if weights is not None:
        model = load("daefuse", weights=weights)
        assert isinstance(model, DAEFuse)
        return model
    torch.manual_seed(0)
    return DAEFuse(config).eval().requires_grad_(False)


def calls(model: DAEFuse, height: int, width: int) -> dict[str, tuple[Callable[[], object], float]]:
    """What is measured, each with the factor that its time is multiplied by."""
    a, b = torch.rand(2, 1, 1, height, width)

    def fast(precision: str) -> Callable[[], object]:
        def run() -> object:
            model.precision = precision
            with torch.inference_mode():
                return model(a, b)

        return run

    def plain() -> object:
        with torch.inference_mode():
            return model.fuse(a, b)

    found: dict[str, tuple[Callable[[], object], float]] = {"plain float32": (plain, 1.0)}
    for precision, dtype in PRECISIONS.items():
        left, right = torch.rand(2, SIDE, SIDE).to(dtype)
        share = model.spec.macs_per_pixel * height * width / SIDE**3
        found[f"ours {precision}"] = (fast(precision), 1.0)
        found[f"floor {precision}"] = (lambda x=left, y=right: x @ y, share)
    return found


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


def difference(model: DAEFuse, height: int, width: int) -> tuple[float, float]:
    """Mean and largest difference between bf16 and float32, in a result from 0 to 1."""
    a, b = torch.rand(2, 1, 1, height, width)
    found = {}
    with torch.inference_mode():
        for model.precision in PRECISIONS:
            found[model.precision] = model(a, b)
    apart = (found["bf16"] - found["float32"]).abs()
    return apart.mean().item(), apart.max().item()


def table(model: DAEFuse, size: str, repeats: int) -> None:
    """All rows for one size."""
    width, height = map(int, size.split("x"))
    seconds = measure(calls(model, height, width), repeats)
    floors = {precision: statistics.median(seconds[f"floor {precision}"]) for precision in PRECISIONS}
    plain = statistics.median(seconds["plain float32"])
    print(f"\n{size}\n{'':<16}{'seconds':>28}{'plain/this':>12}{'this/floor':>12}")
    for name, found in seconds.items():
        median = statistics.median(found)
        spread = f"{median:.3f} [{min(found):.3f} - {max(found):.3f}]"
        print(f"{name:<16}{spread:>28}{plain / median:>12.2f}{median / floors[name.split()[1]]:>12.2f}")
    mean, largest = difference(model, height, width)
    print(f"bf16 against float32 on noise: mean {mean:.1e}, largest {largest:.1e}")


def header(model: DAEFuse, threads: int, repeats: int) -> None:
    """What was measured on what."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    print(f"{name}, {os.cpu_count()} cores, {threads} threads, torch {torch.__version__}")
    print(f"one pair, {repeats} repeats, median [best - worst]; load average {os.getloadavg()[0]:.2f}")
    config, spec = model.config, model.spec
    print(f"{config.channels} embedding channels, {config.cross_heads} heads, {config.cross_grid}^2 keys at most")
    print(
        f"{spec.parameters:,} weights, {spec.macs_per_pixel:,} multiply-accumulates a pixel without tokens' attention"
    )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT; may be repeated; 640x480 if absent")
    parser.add_argument("--config", choices=("tiny", "base"), default="tiny", help="which size without --weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--weights", type=Path, help="weights of daefuse, of any size; random if absent")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = network(DAEFuseConfig.of_size(args.config), args.weights)
    header(model, args.threads, args.repeats)
    for size in args.size or ("640x480",):
        table(model, size, args.repeats)


if __name__ == "__main__":
    main()
