"""How long each model takes for a pair: all in one run, in turns, so that what else the machine does hits all alike."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from polyfuse.benchmark.methods import ModelMethod
from polyfuse.benchmark.suite import TimingConfig
from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation.report import versions
from polyfuse.families.spec import FusionModel
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.io import Pair, Picture, read_picture, write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, read_bytes_of
from polyfuse.transforms import resize

FILE = "timings.json"
SCHEMA = 1
PAUSE = 0.02
"""Seconds before each turn: threads that shared the work of the one before still spin for milliseconds."""


@dataclass(frozen=True)
class Timed:
    """One model at one size."""

    method: str
    """Its name."""
    size: str
    """Width and height."""
    median: float
    """Seconds for a pair, from pixels to pixels."""
    low: float
    """Seconds of the fastest turn."""
    high: float
    """Seconds of the slowest turn."""
    turns: int
    """How many there were."""
    ratio: float
    """Median over that of the reference."""


@dataclass(frozen=True)
class Timings:
    """All models, measured in one run."""

    machine: str
    """Processor, cores and system."""
    threads: int
    """Threads of PyTorch."""
    device: str
    """Where models ran."""
    load: float
    """Load average of the machine before the run: more than a little, and the numbers say less."""
    reference: str
    """Model whose ratio is 1."""
    rows: tuple[Timed, ...]
    """By size, then as the suite has the models."""
    made_by: Mapping[str, Any]
    """Models, sizes and versions."""

    def fits(self, methods: Sequence[ModelMethod], config: TimingConfig, device: str) -> bool:
        """Whether this is what measuring on this machine would give again."""
        here = (machine(), torch.get_num_threads(), device)
        return here == (self.machine, self.threads, self.device) and self.made_by == made_by(methods, config)


def measure(
    methods: Sequence[ModelMethod], pair: Pair, config: TimingConfig, *, device: str = "cpu"
) -> Iterator[str | Timings]:
    """Time all models, yielding a line for each turn done and at last the timings.

    A turn is one call of `polyfuse.fuse` with decoded pictures: neither reading nor writing counts.

    Raises:
        UsageError: If the reference is none of the models.
        InputError: If the pair cannot be read.
    """
    names = [method.name for method in methods]
    reference = config.reference or names[0]
    if reference not in names:
        raise UsageError(f"timing.reference {reference!r} is none of the models: use one of {', '.join(names)}.")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    models = {method.name: method.load(device) for method in methods}
    seconds: dict[tuple[str, str], list[float]] = {}
    for size in config.sizes:
        a, b = (_at(read_picture(path), size) for path in (pair.a, pair.b))
        for method in methods:
            _turn(method, models[method.name], a, b)
            yield f"{method.name} at {size}: warm"
        for turn in range(config.repeats):
            for method in methods:
                done = seconds.setdefault((size, method.name), [])
                if turn == 0 or sum(done) < config.seconds:
                    done.append(_turn(method, models[method.name], a, b))
                yield f"{method.name} at {size}: turn {turn + 1}"
    yield Timings(
        machine(),
        torch.get_num_threads(),
        device,
        load,
        reference,
        tuple(_row(seconds, size, name, reference) for size in config.sizes for name in names),
        made_by(methods, config),
    )


def num_turns(methods: Sequence[ModelMethod], config: TimingConfig) -> int:
    """How many lines `measure` yields before the timings."""
    return len(methods) * len(config.sizes) * (config.repeats + 1)


def made_by(methods: Sequence[ModelMethod], config: TimingConfig) -> dict[str, Any]:
    """What has to be the same for timings of an earlier run to be kept."""
    facts = {"timing": asdict(config), "models": {method.name: dict(method.made_by) for method in methods}}
    plain: dict[str, Any] = json.loads(json.dumps({**facts, "versions": versions()}))
    return plain


def _at(picture: Picture, size: str) -> Picture:
    width, height = map(int, size.split("x"))
    return replace(picture, array=resize(picture.array, (height, width)))


def _turn(method: ModelMethod, model: FusionModel, a: Picture, b: Picture) -> float:
    """Seconds of one call."""
    time.sleep(PAUSE)
    started = time.perf_counter()
    fuse_pictures(a, b, model, method.options)
    return time.perf_counter() - started


def _row(seconds: Mapping[tuple[str, str], Sequence[float]], size: str, name: str, reference: str) -> Timed:
    turns, other = seconds[size, name], seconds[size, reference]
    median = statistics.median(turns)
    return Timed(name, size, median, min(turns), max(turns), len(turns), median / statistics.median(other))


def machine() -> str:
    """Processor, cores and system of this machine, on one line."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{name or platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}"


def write_timings(folder: Path, timings: Timings) -> Path:
    """Write them as timings.json.

    Raises:
        OutputError: If that cannot be written.
    """
    text = json.dumps({"schema": SCHEMA, **asdict(timings)}, indent=2, ensure_ascii=False) + "\n"
    return write_text(folder / FILE, text, overwrite=True)


def read_timings(folder: Path) -> Timings | None:
    """Timings of an earlier run; None if there are none or the file is damaged."""
    try:
        values = parse_json(read_bytes_of(folder / FILE, MAX_RECORD, what="record"))
        rows = tuple(Timed(**row) for row in values.pop("rows"))
        values.pop("schema")
        return Timings(**values, rows=rows)
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        return None
