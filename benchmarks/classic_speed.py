"""Time of the classic methods beside a network, as ratios, interleaved.

Run it after installing polyfuse, on an otherwise idle machine:

    python benchmarks/classic_speed.py
    python benchmarks/classic_speed.py --models mgff laplacian --beside fnet-t16.road --size 320x240 --threads 2

Each is called with two tensors in float32 and nothing is read or written. Every repeat calls all of them once, in turn,
after one call each to warm up; the table has the median, best and worst of a method and its median over the network's.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

import torch

from polyfuse import list_models, load
from polyfuse.families.spec import FusionModel
from polyfuse.ops.threads import threads_for_strips
from polyfuse.registry import FAMILIES


def classics() -> list[str]:
    """Names of all classic methods."""
    return [entry.name for entry in list_models() if not FAMILIES[entry.family].learned]


def measure(models: dict[str, FusionModel], size: str, repeats: int) -> dict[str, list[float]]:
    """Seconds of every call."""
    width, height = map(int, size.split("x"))
    a, b = torch.rand(2, 1, 1, height, width, generator=torch.Generator().manual_seed(0))
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(repeats + 1):
        for name, model in models.items():
            started = time.perf_counter()
            with torch.inference_mode(), threads_for_strips(model.works_in_parts):
                model(a, b)
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=classics(), help="all if absent")
    parser.add_argument("--beside", default="fnet-t16.road", help="what the ratios are to")
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT; may be repeated; 640x480 if absent")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    processor = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    print(f"{processor}, {os.cpu_count()} cores, {args.threads} threads, torch {torch.__version__}")
    print(f"one pair, float32, {args.repeats} repeats, median [best - worst]; load average {os.getloadavg()[0]:.2f}")
    models = {name: load(name) for name in dict.fromkeys([args.beside, *args.models])}
    for size in args.size or ["640x480"]:
        seconds = measure(models, size, args.repeats)
        beside = statistics.median(seconds[args.beside])
        print(f"\n{size}\n{'':<16}{'milliseconds':>28}{'over ' + args.beside:>24}")
        for name, times in seconds.items():
            median = statistics.median(times)
            spread = f"{median * 1e3:.1f} [{min(times) * 1e3:.1f} - {max(times) * 1e3:.1f}]"
            print(f"{name:<16}{spread:>28}{median / beside:>24.2f}")


if __name__ == "__main__":
    main()
