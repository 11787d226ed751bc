"""What the fused pictures are good for: the tasks of `polyfuse downstream` on the pictures of a benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polyfuse.benchmark.methods import ModelMethod
from polyfuse.benchmark.plan import Plan, Work
from polyfuse.benchmark.results import Store, Unit
from polyfuse.benchmark.suite import NAME, DetectionConfig, TargetsConfig
from polyfuse.downstream.rows import BASELINES, SOURCES, TRIVIAL, Contestants, Row
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.evaluation.tables import Grid
from polyfuse.fusion.options import FuseOptions
from polyfuse.io import Pair, peek_size
from polyfuse.io.pairs import list_pictures
from polyfuse.io.source import counted, shown

FOLDER = "downstream"
"""Folder, in that of a benchmark, with what detectors found."""


@dataclass(frozen=True)
class TaskTable:
    """The outcome of one task."""

    title: str
    """What was measured, and on what."""
    grid: Grid
    """The table."""


@dataclass(frozen=True)
class Places:
    """Where relative paths of tasks count from."""

    data: Path | None
    """Folder of the data."""
    suite: Path
    """Folder of the suite."""

    def of(self, path: str) -> Path:
        """The path, below the data if it is there, else below the suite's folder."""
        below = [folder / path for folder in (self.data, self.suite) if folder is not None]
        return next((place for place in below if place.exists()), below[-1])


def num_tasks(plan: Plan) -> int:
    """How many tables `carry_out` yields."""
    return len(plan.suite.detection) + len(plan.suite.targets)


def carry_out(plan: Plan, store: Store, places: Places, *, device: str = "cpu") -> Iterator[TaskTable | PolyfuseError]:
    """Carry out every task of a suite, yielding a table, or the error that kept it from one.

    Args:
        plan: All of whose pictures are there.
        store: With the pictures.
        places: Where labels and masks are.
        device: Where detectors run.
    """
    works = {work.set.name: work for work in plan.works}
    jobs: list[tuple[str, TargetsConfig | DetectionConfig]] = [
        *plan.suite.targets.items(),
        *plan.suite.detection.items(),
    ]
    for name, config in jobs:
        try:
            if config.set not in works:
                raise InputError(f"the set {shown(config.set)} is missing: get it first")
            if not plan.suite.pictures:
                raise InputError("fused pictures are not kept: set pictures = true in the suite")
            contestants = _contestants(plan, works[config.set], store)
            if isinstance(config, TargetsConfig):
                yield TaskTable(f"Targets: {name}, on {config.set}", _targets(config, contestants, places))
            else:
                yield TaskTable(
                    f"Detection: {name}, on {config.set}", _detection(config, contestants, store, places, device)
                )
        except PolyfuseError as error:
            yield type(error)(f"task {shown(name)}: {error}")


def _contestants(plan: Plan, work: Work, store: Store) -> Contestants:
    """Each source alone, average and maximum, and the methods that have every picture."""
    rows = [Row(name, "source") for name in SOURCES] + [Row(name, "baseline") for name in BASELINES]
    for method in plan.methods_of(work.set.name):
        if method.name in TRIVIAL:
            raise InputError(f"a method is called {method.name}, as a row that is always there: choose another name")
        if isinstance(method, ModelMethod):
            files = {pair.name: store.picture(Unit(work.set.name, method.name, pair.name)) for pair in work.set.pairs}
        else:
            files = dict(method.files[work.set.name])
        if all(pair.name in files and files[pair.name].is_file() for pair in work.set.pairs):
            rows.append(Row(method.name, "folder", files))
    return Contestants(work.set.pairs, tuple(rows), FuseOptions(bit_depth="8"))


def _of(contestants: Contestants, pairs: list[Pair]) -> Contestants:
    """The same on some of the pairs."""
    return Contestants(tuple(pairs), contestants.rows, contestants.options)


def _targets(config: TargetsConfig, contestants: Contestants, places: Places) -> Grid:
    """Measure every row on the pairs that have a mask."""
    from polyfuse.downstream.targets.comparison import TargetReport, grid, measure_rows, read_target

    folder = places.of(config.masks)
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give the one with the masks")
    by_stem = {path.stem: path for path in list_pictures(folder)}
    stems = {pair.name: config.pattern.replace(NAME, pair.name) for pair in contestants.pairs}
    pairs = [pair for pair in contestants.pairs if stems[pair.name] in by_stem]
    if not pairs:
        raise InputError(f"{shown(folder)} has no mask of any pair: check the pattern {shown(config.pattern)}")
    some = _of(contestants, pairs)
    masks = {pair.name: read_target(by_stem[stems[pair.name]], peek_size(pair.a)) for pair in pairs}
    scores: dict[str, list[object]] = {row.name: [] for row in some.rows}
    for row, _, score in measure_rows(some, masks):
        scores[row.name].append(score)
    names = tuple(pair.name for pair in pairs)
    report = TargetReport(names, some.rows, {name: tuple(found) for name, found in scores.items()})  # type: ignore[arg-type]
    return grid(report)


def _detection(config: DetectionConfig, contestants: Contestants, store: Store, places: Places, device: str) -> Grid:
    """Detect in every row of the labelled pairs; what was found in an earlier run is kept."""
    from polyfuse.downstream.detection.labels import read_truth
    from polyfuse.downstream.detection.report import grid
    from polyfuse.downstream.detection.run import compare, find_in_row, open_detector
    from polyfuse.downstream.detection.scoring import require_coco_eval

    require_coco_eval()
    sizes = {pair.name: peek_size(pair.a) for pair in contestants.pairs}
    truth = read_truth(places.of(config.labels), sizes, skip_absent=True).merged(config.merge)
    pairs = [pair for pair in contestants.pairs if pair.name in truth.boxes]
    if not pairs:
        raise InputError(f"{shown(config.labels)} labels no pair of the set: check the names")
    some, truth = _of(contestants, pairs), truth.of([pair.name for pair in pairs])
    detector = open_detector(config.detector, Path(config.onnx), truth, merge=config.merge, device=device, threads=None)
    unknown = [label for label in truth.classes if label not in detector.classes]
    notes = [f"{counted(len(pairs), 'pair')} of {len(contestants.pairs)} are labelled"]
    if unknown:
        truth = truth.chosen(label for label in truth.classes if label not in unknown)
        notes.append(f"classes that the detector does not know, not scored: {', '.join(unknown)}")
    found = {row.name: (row.kind, find_in_row(some, row, detector, store.folder / FOLDER)) for row in some.rows}
    return grid(compare(found, truth, notes=tuple(notes)))
