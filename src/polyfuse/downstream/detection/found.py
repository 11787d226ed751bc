"""What a detector found in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io.source import shown


@dataclass(frozen=True, eq=False)
class Found:
    """Boxes with class and score, best first."""

    edges: NDArray[np.float64]
    """(N, 4): x0, y0, x1, y1 in pixels of the picture."""
    scores: NDArray[np.float64]
    """(N,), finite; how sure the detector is, only their order matters."""
    labels: tuple[str, ...]
    """N classes."""

    def __len__(self) -> int:
        """How many boxes there are."""
        return len(self.scores)

    def of_class(self, label: str) -> Found:
        """Those of one class."""
        chosen = np.array([name == label for name in self.labels], dtype=bool)
        return Found(self.edges[chosen], self.scores[chosen], (label,) * int(chosen.sum()))

    def above(self, score: float) -> Found:
        """Those of at least that score."""
        chosen = self.scores >= score
        labels = tuple(label for label, keep in zip(self.labels, chosen, strict=True) if keep)
        return Found(self.edges[chosen], self.scores[chosen], labels)

    def merged(self, merge: Mapping[str, str]) -> Found:
        """The same with some classes under the name of another."""
        return Found(self.edges, self.scores, tuple(merge.get(label, label) for label in self.labels))


def found(edges: object, scores: object, labels: tuple[str, ...], *, where: str) -> Found:
    """Boxes put in order of their scores, equal ones as they came.

    Args:
        edges: N boxes, x0, y0, x1, y1.
        scores: N numbers.
        labels: N classes.
        where: What messages call the picture and who found them.

    Raises:
        InputError: If a score or an edge is NaN or infinite.
    """
    values = np.asarray(scores, dtype=np.float64).reshape(-1)
    boxes = np.asarray(edges, dtype=np.float64).reshape(-1, 4)
    for name, array in (("score", values), ("box", boxes)):
        if not np.isfinite(array).all():
            raise InputError(f"{shown(where)} has a {name} that is NaN or infinite: the detector is broken there")
    order = np.argsort(-values, kind="stable")
    return Found(boxes[order], values[order], tuple(labels[index] for index in order))


NOTHING = Found(np.zeros((0, 4)), np.zeros(0), ())
"""Of a picture in which nothing was found."""
