"""How maps become pictures: the energy of many channels, the strongest of them, and the scale each is shown on.

The FNet paper shows such pictures without saying how they were made; these definitions are ours (spec fnet 11).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NUM_STRONGEST = 16
PERCENTILES = (1.0, 99.0)
"""Each map is shown between these percentiles of its own values."""
FLAT_BELOW = 1e-6
"""A result whose values span less counts as constant and stays as it is, as in `polyfuse.fusion.stretch`."""


def as_array(values: Tensor) -> NDArray[np.float32]:
    """`values` in float32, in NumPy's memory."""
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array


def energy_map(code: Tensor) -> Tensor:
    """Root mean square over the channels: how much the code says about each place.

    Args:
        code: (K, H, W).

    Returns:
        (H, W), not negative, same unit as `code`.
    """
    energy: Tensor = torch.linalg.vector_norm(code, dim=0) / code.shape[0] ** 0.5
    return energy


def strongest_channels(code: Tensor, count: int = NUM_STRONGEST) -> list[int]:
    """Numbers of the channels with the largest root mean square over the picture, strongest first.

    Args:
        code: (K, H, W).
        count: How many; all of them where there are fewer.
    """
    strength = torch.linalg.vector_norm(code.flatten(1), dim=1)
    order = torch.argsort(strength, descending=True, stable=True)
    return [int(channel) for channel in order[:count]]


def shown_range(values: NDArray[Any]) -> tuple[float, float]:
    """1st and 99th percentile of `values`, apart from each other even for a constant map."""
    low, high = (float(limit) for limit in np.percentile(values, PERCENTILES))
    return low, max(high, low + 1e-6)


def shown_limit(*signed: NDArray[Any]) -> float:
    """Limit m of a scale from -m to m, zero in its middle, that holds the 1st to 99th percentile of every map given."""
    return max(1e-6, *(abs(limit) for values in signed for limit in shown_range(values)))


def stretched_like(values: NDArray[np.float32], reference: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values` on the scale on which the smallest value of `reference` is 0, black, and its largest is 1, white.

    This is how fusing stretches a result to its full range; one reference makes several results comparable.
    """
    low, high = float(reference.min()), float(reference.max())
    if high - low < FLAT_BELOW:
        return values
    stretched: NDArray[np.float32] = (values - np.float32(low)) / np.float32(high - low)
    return stretched
