"""Time of the networks of other people beside ours, as ratios to one model.

Run it after installing polyfuse, on an otherwise idle machine:

    python benchmarks/peers_speed.py --size 640x480 --threads 1 --beside pyrfuse.road

Networks get random weights: speed does not depend on them. Repeats are interleaved; reading and writing do not count.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time

import torch

from polyfuse import load
from polyfuse.families.spec import FusionModel
from polyfuse.ops.threads import threads_for_strips
from polyfuse.registry import FAMILIES, published


def seconds(model: FusionModel, a: torch.Tensor, b: torch.Tensor) -> float:
    """Time of one call."""
    start = time.perf_counter()
    with torch.inference_mode(), threads_for_strips(model.works_in_parts):
        model(a, b)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="640x480", help="width x height")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--beside", default="pyrfuse.road", help="the model that the others are compared with")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    width, height = map(int, given.size.split("x"))
    a, b = torch.rand(2, 1, 1, height, width)
    models = {given.beside: load(given.beside)}
    models |= {name: FAMILIES[name].build({}).eval() for name in FAMILIES if published(name) is not None}
    times: dict[str, list[float]] = {name: [] for name in models}
    for repeat in range(given.repeats + 1):
        for name, model in models.items():
            taken = seconds(model, a, b)
            if repeat:  # the first round warms up
                times[name].append(taken)
    machine = f"{platform.processor()}, torch {torch.__version__}, {given.threads} threads"
    print(f"{machine}, {given.size}, median of {given.repeats}, least and most")
    base = statistics.median(times[given.beside])
    for name, values in times.items():
        median = statistics.median(values)
        shown = f"{name:<14}{median:8.3f} s  {min(values):.3f} to {max(values):.3f}"
        print(f"{shown}  {median / base:7.2f} x {given.beside}")


if __name__ == "__main__":
    main()
