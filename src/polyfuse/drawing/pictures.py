"""The pair and its result as every sheet shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pictures:
    """Two sources, what a model made of them, and what all three are called."""

    names: tuple[str, str]
    """What the sources a and b are called in captions."""
    source_a: NDArray[np.uint8]
    """a as the model's range shows it, (H, W) or (H, W, 3)."""
    source_b: NDArray[np.uint8]
    """b likewise."""
    fused: NDArray[np.uint8]
    """The result in 8 bits, (H, W) or (H, W, 3)."""
    record: dict[str, Any]
    """Model, sources, size and conventions."""
