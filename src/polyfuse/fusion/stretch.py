"""The output mapping "minmax": what of a model's raw output becomes black and what white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

FLAT_BELOW = 1e-6
"""A smaller span counts as constant, and a constant output stays as it is (spec/ambiguities S11)."""


@dataclass(frozen=True)
class OutputRange:
    """Raw values that become 0 and 1: measured on one picture, or one for all frames of a clip."""

    low: float
    """Becomes 0."""
    high: float
    """Becomes 1."""

    @classmethod
    def measured(cls, raw: NDArray[np.float32]) -> OutputRange:
        """Smallest and largest value of one raw output."""
        return cls(float(raw.min()), float(raw.max()))

    def stretch(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map `low` to 0 and `high` to 1, values outside beyond them."""
        if self.high - self.low < FLAT_BELOW:
            return raw
        return cast("NDArray[np.float32]", (raw - np.float32(self.low)) / np.float32(self.high - self.low))

    def joined(self, other: OutputRange) -> OutputRange:
        """The range that holds both."""
        return OutputRange(min(self.low, other.low), max(self.high, other.high))
