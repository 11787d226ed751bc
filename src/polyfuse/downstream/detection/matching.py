"""Which found box is right: matching as COCO does it, for drawings, recall at a score, and resampling of pictures.

Best score first, each found box takes the free true box that it overlaps most, if that is at least the threshold. What
takes no true box but lies in an ignored one counts for nothing. Of one class and picture, the best 100 are looked at.

Source: cocodataset.org, "Detection evaluation"; equal to faster-coco-eval, see tests/downstream/test_scoring.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.detection.found import NOTHING, Found
from polyfuse.downstream.detection.truth import TrueBox

MOST = 100
"""Found boxes of one class that are looked at in a picture."""
RIGHT, WRONG, IGNORED = 1, 0, -1
"""What becomes of a found box."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""At these the precision is read off, as COCO does."""


@dataclass(frozen=True, eq=False)
class Matched:
    """The found boxes of one class in one picture, best first."""

    scores: NDArray[np.float64]
    """(N,)."""
    verdicts: NDArray[np.int8]
    """(N,): RIGHT, WRONG or IGNORED."""
    takes: NDArray[np.int64]
    """(N,): index of the true box that each takes, -1 for none."""
    num_true: int
    """True boxes that count."""


def overlaps(found: NDArray[np.float64], true: NDArray[np.float64], ignored: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area that two boxes share, over that of both together; with an ignored one, over that of the found box.

    Args:
        found: (N, 4) edges.
        true: (M, 4) edges.
        ignored: (M,).

    Returns:
        (N, M) in [0, 1].
    """
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, 2:], true[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_found = (found[:, 2:] - found[:, :2]).prod(axis=1)[:, None]
    area_true = (true[:, 2:] - true[:, :2]).prod(axis=1)[None]
    whole = np.where(ignored[None], area_found, area_found + area_true - shared)
    shares = np.zeros(shared.shape)
    np.divide(shared, whole, out=shares, where=whole > 0)
    return shares


def match(found: Found, true: Sequence[TrueBox], threshold: float = 0.5) -> Matched:
    """Match the boxes of one class in one picture.

    Args:
        found: Of one class.
        true: Of the same.
        threshold: Least overlap.
    """
    kept = min(len(found), MOST)
    ignored = np.array([box.ignored for box in true], dtype=bool)
    edges = np.array([box.edges for box in true], dtype=np.float64).reshape(-1, 4)
    shares = overlaps(found.edges[:kept], edges, ignored)
    verdicts = np.full(kept, WRONG, np.int8)
    takes = np.full(kept, -1, np.int64)
    taken = np.zeros(len(true), dtype=bool)
    for index in range(kept):
        for counts, verdict in ((~ignored & ~taken, RIGHT), (ignored, IGNORED)):
            share = np.where(counts, shares[index], -1.0)
            # Of equal overlaps the last one, as in COCO's loop.
            best = len(share) - 1 - int(share[::-1].argmax()) if len(share) else -1
            if best >= 0 and share[best] >= min(threshold, 1 - 1e-10):
                verdicts[index], takes[index] = verdict, best
                taken[best] = True
                break
    return Matched(found.scores[:kept], verdicts, takes, int((~ignored).sum()))


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """All found boxes of one class, best first, without those that count for nothing."""

    pictures: NDArray[np.int64]
    """(N,): index of the picture of each."""
    scores: NDArray[np.float64]
    """(N,)."""
    right: NDArray[np.bool_]
    """(N,)."""
    num_true: NDArray[np.float64]
    """True boxes that count, of each picture."""

    def average_precision(self, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """AP at the threshold of the matching, over 101 recalls.

        Args:
            weights: (draws, pictures), how often each picture is in a draw; None is one draw with each picture once.

        Returns:
            (draws,) in [0, 1]; NaN for draws without a true box.
        """
        if weights is None:
            weights = np.ones((1, len(self.num_true)))
        totals = weights @ self.num_true
        times = weights[:, self.pictures]
        right = np.cumsum(times * self.right, axis=1)
        wrong = np.cumsum(times * ~self.right, axis=1)
        results = np.full(len(weights), np.nan)
        for draw, total in enumerate(totals):
            if total > 0:
                results[draw] = _area(right[draw], wrong[draw], total)
        return results

    def recall(self, score: float) -> float:
        """Share of the true boxes that are found with at least that score; NaN without true boxes."""
        total = float(self.num_true.sum())
        return float(self.right[self.scores >= score].sum()) / total if total else float("nan")


def _area(right: NDArray[np.float64], wrong: NDArray[np.float64], total: float) -> float:
    """Mean of the precision at 101 recalls, from the numbers right and wrong down to each found box."""
    precision = right / np.maximum(right + wrong, np.finfo(np.float64).tiny)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(right / total, RECALLS, side="left")
    return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())


def match_class(
    label: str, found: Mapping[str, Found], true: Mapping[str, Sequence[TrueBox]], threshold: float = 0.5
) -> ClassMatches:
    """Match one class in all pictures.

    Args:
        label: The class.
        found: By picture; a picture that is not in it has nothing found.
        true: All boxes by picture, in the order that `ClassMatches.pictures` counts.
        threshold: Least overlap.
    """
    parts = [
        match(found.get(name, NOTHING).of_class(label), [box for box in boxes if box.label == label], threshold)
        for name, boxes in true.items()
    ]
    pictures = np.repeat(np.arange(len(parts)), [len(part.scores) for part in parts])
    scores = np.concatenate([part.scores for part in parts]) if parts else np.zeros(0)
    verdicts = np.concatenate([part.verdicts for part in parts]) if parts else np.zeros(0, np.int8)
    order = np.argsort(-scores, kind="stable")
    order = order[verdicts[order] != IGNORED]
    num_true = np.array([part.num_true for part in parts], dtype=np.float64)
    return ClassMatches(pictures[order], scores[order], verdicts[order] == RIGHT, num_true)
