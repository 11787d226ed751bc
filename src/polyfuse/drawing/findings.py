"""What every family's findings have in common: the raw result, numbers, and drawings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from polyfuse.drawing.canvas import Canvas
    from polyfuse.explain.report import Explanation


@dataclass(frozen=True, eq=False)
class Findings(ABC):
    """What a model of one family found in one pair."""

    fused_luma: NDArray[np.float32]
    """(H, W), the model's output, neither stretched nor clipped."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """The family's part of numbers.json, as plain JSON values."""

    @abstractmethod
    def drawings(self, explanation: Explanation) -> Iterator[tuple[str, Canvas]]:
        """Name and sheet of every picture, drawn when it is asked for; "overview" comes first."""
