"""What every family's findings have in common: the raw result, and numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Findings(ABC):
    """What a model of one family found in one pair."""

    fused_luma: NDArray[np.float32]
    """(H, W), the model's output, neither stretched nor clipped."""

    @abstractmethod
    def numbers(self) -> dict[str, Any]:
        """The family's part of numbers.json, as plain JSON values."""
