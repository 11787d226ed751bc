"""What fusing on the workers of Ray brings and costs: pairs a second, seconds to start, overhead on small pairs.

Run it after installing polyfuse[ray], on an otherwise idle machine:

    python benchmarks/ray_scaling.py
    python benchmarks/ray_scaling.py --model fnet-t.road --size 640x480 --pairs 200 --workers 1 2 --repeats 3
    python benchmarks/ray_scaling.py --markdown            # the block of docs/clusters.md

Pairs are drawn once, written as PNG and fused into PNG with sidecars, reading and writing included: by one process, and
by Ray with each number of workers, all with one thread. Contestants take turns. "s to the first" is what a user waits
for the first result: start of Ray, of the workers and of the model (which one process has loaded before). "pairs/s"
counts what came after it. "ms more" is what a pair takes of a worker's time beyond what it takes in one process; with
pairs of 64x64, in which next to nothing is computed, that is the cost of handing pairs out.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from polyfuse import load, registry
from polyfuse.cluster.fusing import fuse_on_workers
from polyfuse.cluster.mirror import Mirror
from polyfuse.cluster.session import Workers
from polyfuse.fusion import FuseOptions, Outcome, Writing, fuse_pairs
from polyfuse.io import Pair, find_pairs, write_picture

Timed = tuple[float, float, int]
"""Seconds until the last result, until the first, and pairs that came later than that."""


def draw(folder: Path, size: str, pairs: int) -> list[Pair]:
    """Pairs with smooth and noisy content, so that PNG takes the time it takes of real ones."""
    width, height = map(int, size.split("x"))
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    ramp = (128 + 60 * np.sin(rows / 23) + 60 * np.cos(columns / 31)).astype(np.float32)
    for index in range(pairs):
        noise = generator.normal(0, 4, (height, width, 4))
        both = np.clip(ramp[..., None] + noise, 0, 255).astype(np.uint8)
        write_picture(folder / f"ir/{index:05d}.png", both[..., 0])
        write_picture(folder / f"vi/{index:05d}.png", both[..., 1:])
    return find_pairs(folder / "ir", folder / "vi")


def timed(outcomes: Iterator[Outcome], total: int) -> Timed:
    """Take the time of a run."""
    started = time.perf_counter()
    arrived = []
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
        arrived.append(time.perf_counter() - started)
    if len(arrived) != total:
        raise RuntimeError(f"{len(arrived)} of {total} pairs came back")
    # Those of the first block come together with the first pair.
    return arrived[-1], arrived[0], sum(at > arrived[0] + 0.02 for at in arrived)


def measure(model: str, pairs: list[Pair], numbers: list[int], repeats: int) -> dict[int, list[Timed]]:
    """Runs of one process (0) and of each number of workers, in turn."""
    loaded, runs = load(model), {number: [] for number in (0, *numbers)}
    for _ in range(repeats):
        for number in runs:
            with tempfile.TemporaryDirectory() as folder:
                jobs = [(pair, Path(folder, "fused", f"{pair.name}.png")) for pair in pairs]
                if number == 0:
                    outcomes = fuse_pairs(jobs, loaded, FuseOptions())
                else:
                    outcomes = fuse_on_workers(
                        jobs, partial(registry.load, model), FuseOptions(), Mirror(Path(folder, "mirror")),
                        workers=Workers(number=number), writing=Writing(),
                    )  # fmt: skip
                runs[number].append(timed(outcomes, len(jobs)))
    return runs


def lines_of(size: str, runs: dict[int, list[Timed]], pairs: int) -> list[list[str]]:
    """Rows of the table: who, pairs a second once it runs, ratio, seconds to the first result, ms a pair."""
    rows, base = [], 0.0
    for number, times in runs.items():
        rate = statistics.median(count / (whole - first) for whole, first, count in times)
        base = base or rate
        who = "one process" if number == 0 else f"Ray, {number} worker{'s' * (number > 1)}"
        first = statistics.median(first for _, first, _ in times)
        cells = [size, who, str(pairs), f"{rate:.2f}", f"{rate / base:.2f}", f"{first:.1f}"]
        rows.append([*cells, f"{1000 * (max(number, 1) / rate - 1 / base):+.1f}"])
    return rows


HEAD = ["size", "who", "pairs", "pairs/s", "over one process", "s to the first", "ms more a pair and worker"]


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fnet-t.road")
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT")
    parser.add_argument("--pairs", type=int, default=96)
    parser.add_argument("--small", type=int, default=400, help="pairs of 64x64; 0 leaves them out")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", action="store_true", help="print a table for the docs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    print(
        f"{processor or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {args.model}, "
        f"one thread a worker, median of {args.repeats}, reading and writing PNG included"
    )
    rows = []
    for size, pairs in ((args.size, args.pairs), ("64x64", args.small)):
        if pairs:
            folder = Path(tempfile.mkdtemp())
            try:
                rows += lines_of(
                    size, measure(args.model, draw(folder, size, pairs), args.workers, args.repeats), pairs
                )
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    if args.markdown:
        print("\n".join(f"| {' | '.join(row)} |" for row in (HEAD, ["---"] * len(HEAD), *rows)))
    else:
        widths = [max(len(row[k]) for row in (HEAD, *rows)) for k in range(len(HEAD))]
        print(
            "\n".join(
                "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (HEAD, *rows)
            )
        )


if __name__ == "__main__":
    main()
