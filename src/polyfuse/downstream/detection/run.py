"""One comparison from end to end: fuse what is missing, detect in every row, score, and compare with the sources."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from polyfuse._version import __version__
from polyfuse.downstream.detection.description import Description, read_description
from polyfuse.downstream.detection.found import Found
from polyfuse.downstream.detection.onnx_detector import OnnxDetector
from polyfuse.downstream.detection.predictions import Kept
from polyfuse.downstream.detection.scoring import (
    Difference,
    RowScore,
    counted_classes,
    differences,
    require_coco_eval,
    score_row,
)
from polyfuse.downstream.detection.truth import Truth
from polyfuse.downstream.rows import SOURCES, Contestants, Row
from polyfuse.errors import InputError
from polyfuse.evaluation.published import PublishedTable
from polyfuse.io import Pair

DETECTIONS = "detections"
"""Folder, in that of a run, with what was found: detections/DETECTOR/ROW.json."""
SAVE_EVERY = 100
"""Pictures after which what was found so far is written."""
OnPicture = Callable[[str, str], None]
"""Takes the names of a row and of a pair, once the row's picture is done."""


@dataclass(frozen=True)
class RowResult:
    """What came of one row."""

    name: str
    """Its name."""
    kind: str
    """As of `Row`, or "predictions" for boxes found elsewhere."""
    score: RowScore
    """Its scores."""
    found: Mapping[str, Found]
    """What was found, by picture."""


@dataclass(frozen=True)
class Comparison:
    """All rows of a comparison on the same pictures."""

    rows: tuple[RowResult, ...]
    """In the order of tables."""
    truth: Truth
    """Of the pictures that were scored."""
    counted: tuple[str, ...]
    """Classes that means are taken over."""
    best_source: str | None
    """The better one of the rows of one source by AP50; None where neither is there."""
    differences: Mapping[str, Difference]
    """To the best source, of all other rows."""
    recall_score: float
    """Least score of what recall counts."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What was compared and how, for records."""
    notes: tuple[str, ...] = ()
    """What the user should know."""
    published: tuple[PublishedTable, ...] = ()
    """What papers print of the same, below our rows."""


def open_detector(
    name: str, path: Path, truth: Truth, *, merge: Mapping[str, str], device: str, threads: int | None
) -> OnnxDetector:
    """A detector by its description and file, with the classes of the labels.

    Where the description merges a class that the labels tell apart (bus, where they know cars and buses), it is not
    merged. Names of classes are compared without regard to case.

    Args:
        name: Of a description in the box, or a file that ends in .toml.
        path: The ONNX file.
        truth: The labels, merged already.
        merge: What the user merges: new name by old one.
        device: Where it runs.
        threads: Of one call.

    Raises:
        InputError: If it knows none of the classes.
    """
    description = _with_classes(read_description(name), truth, merge)
    detector = OnnxDetector(path, description, device=device, threads=threads)
    if not set(detector.classes) & set(truth.classes):
        raise InputError(
            f"the detector finds none of the labelled classes ({', '.join(truth.classes)}): pass --merge, for example "
            "--merge person=People"
        )
    return detector


def _with_classes(description: Description, truth: Truth, merge: Mapping[str, str]) -> Description:
    """The description with classes spelled as in the labels, and merged as far as the labels need it."""
    spelled = {label.lower(): label for label in truth.classes}
    names = {name: spelled.get(name.lower(), name) for name in description.classes}
    classes = tuple(names[name] for name in description.classes)
    merged = {names[old]: spelled.get(new.lower(), new) for old, new in description.merge.items()}
    merged = {old: new for old, new in merged.items() if old not in truth.classes}
    users = {names.get(old, old): new for old, new in merge.items() if names.get(old, old) in classes}
    return replace(description, classes=classes, merge={**merged, **users})


def find_in_row(
    contestants: Contestants,
    row: Row,
    detector: OnnxDetector,
    folder: Path,
    *,
    workers: int = 1,
    on_picture: OnPicture | None = None,
) -> dict[str, Found]:
    """Run the detector on every picture of a row.

    A picture with the same pixels is not looked at again by the same detector, in this run or a later one.

    Args:
        contestants: Of the comparison.
        row: One of its rows.
        detector: Ready to run.
        folder: Of the run.
        workers: Pictures that are worked on at a time.
        on_picture: Called after each.

    Raises:
        InputError: The first picture that cannot be read or detected in.
    """
    looking = _Looking(contestants, row, detector, folder)
    results: dict[str, Found] = {}
    waiting: deque[tuple[Pair, Future[Found]]] = deque()

    def take() -> None:
        pair, looked = waiting.popleft()
        results[pair.name] = looked.result()
        if len(results) % SAVE_EVERY == 0:
            looking.kept.save()
        if on_picture is not None:
            on_picture(row.name, pair.name)

    with ThreadPoolExecutor(workers) as pool:
        try:
            for pair in contestants.pairs:
                waiting.append((pair, pool.submit(looking, pair)))
                if len(waiting) > 2 * workers:
                    take()
            while waiting:
                take()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            looking.kept.save()
    return results


class _Looking:
    """Looks for what is in the pictures of a row, unless an earlier run did; several threads may call it at a time.

    Args:
        contestants: Of the comparison.
        row: One of its rows.
        detector: Ready to run.
        folder: Of the run.
    """

    def __init__(self, contestants: Contestants, row: Row, detector: OnnxDetector, folder: Path) -> None:
        self._contestants, self._row, self._detector = contestants, row, detector
        description = detector.description
        path = folder / DETECTIONS / quote(description.name, safe="") / f"{quote(row.name, safe=' +')}.json"
        self.kept = Kept(
            path, {"polyfuse": __version__, "onnx_sha256": detector.digest, "description": asdict(description)}
        )

    def __call__(self, pair: Pair) -> Found:
        """What is in the picture of a pair."""
        picture = self._contestants.picture(self._row, pair)
        digest = hashlib.sha256(picture.tobytes() + str(picture.shape).encode()).hexdigest()
        earlier = self.kept.get(pair.name, digest)
        if earlier is not None:
            return earlier
        boxes = self._detector(picture, f"{pair.name} of {self._row.name}")
        self.kept.put(pair.name, digest, boxes)
        return boxes


def compare(
    found: Mapping[str, tuple[str, Mapping[str, Found]]],
    truth: Truth,
    *,
    counted: tuple[str, ...] | None = None,
    recall_score: float = 0.3,
    settings: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Comparison:
    """Score all rows and compare them with the better one of the two sources.

    Args:
        found: Kind and boxes of each row by its name, in order.
        truth: Of the pictures that are scored.
        counted: Classes that means are taken over; None: those with enough boxes, see `counted_classes`.
        recall_score: Least score of what recall counts.
        settings: For records.
        notes: What the user should know beside what is said here.

    Raises:
        InputError: If a class asked for has no box.
        DependencyError: If faster-coco-eval is missing.
    """
    require_coco_eval()
    empty = [label for label in counted or () if not truth.num_boxes(label)]
    if empty:
        raise InputError(f"no box of the class {empty[0]!r} counts in these pictures: leave it out of --classes")
    chosen = counted or counted_classes(truth)
    rows = tuple(
        RowResult(name, kind, score_row(boxes, truth, counted=chosen, recall_score=recall_score), boxes)
        for name, (kind, boxes) in found.items()
    )
    scores = {row.name: row.score for row in rows}
    sources = [name for name in SOURCES if name in scores]
    best = max(sources, key=lambda name: scores[name].means.ap50, default=None)
    against = {} if best is None else differences(scores, best, chosen)
    few = [label for label in truth.classes if truth.num_boxes(label) and label not in chosen]
    told = [*notes, *truth.notes]
    if few:
        numbers = ", ".join(f"{label} {truth.num_boxes(label)}" for label in few)
        told.append(f"classes of few boxes, not in the means: {numbers}")
    empty = [label for label in truth.classes if not truth.num_boxes(label)]
    if empty:
        told.append(f"classes without a box that counts, not scored: {', '.join(empty)}")
    if best is None:
        told.append("neither source is among the rows: what fusion gains cannot be told")
    return Comparison(rows, truth, chosen, best, against, recall_score, settings or {}, tuple(told))
