"""What is shown of an FNet: its three parts, their codes, and the figures of every threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array, energy_map, strongest_channels
from polyfuse.families.fnet.explained.statistics import (
    HISTOGRAM_LIMIT,
    NULL_BELOW,
    NUM_BINS,
    EstimateCounter,
    EstimateStatistics,
)
from polyfuse.families.spec import FusionModel

PARTS = ("u", "v", "z")
"""From a alone, from b alone, from both together; their contributions add up to the fused luma."""
_PROBE_SIDE = 8
"""Pixels, of the picture that is passed only to read the thresholds."""


@dataclass(frozen=True, eq=False)
class Part:
    """One of the three parts that the fused picture is made of."""

    contribution: NDArray[np.float32]
    """(H, W), its share of the fused luma, signed."""
    energy: NDArray[np.float32]
    """(H, W), root mean square of its code over the channels."""
    strongest: NDArray[np.float32]
    """(up to 16, H, W), the strongest channels of its code, signed, strongest first."""
    channels: tuple[int, ...]
    """Numbers of the channels in `strongest`."""
    num_channels: int
    """Number of channels of the code."""
    estimates: tuple[EstimateStatistics, ...]
    """What happened at each threshold."""


@dataclass(frozen=True, eq=False)
class FNetFindings(Findings):
    """Three parts that add up to the fused luma."""

    parts: dict[str, Part]
    """"u" (from a alone), "v" (from b alone) and "z" (from both together)."""

    def numbers(self) -> dict[str, Any]:
        """Thresholds, momenta and shares of every part and estimate."""
        return {
            "null_below": NULL_BELOW,
            "histogram": {"low": -HISTOGRAM_LIMIT, "high": HISTOGRAM_LIMIT, "bins": NUM_BINS},
            "blocks": {name: _block_numbers(part) for name, part in self.parts.items()},
        }


def part_titles(names: tuple[str, str]) -> dict[str, str]:
    """What the three parts are called in captions, by what the sources a and b are called."""
    a, b = names
    return {"u": f"From {a} alone", "v": f"From {b} alone", "z": "From both together"}


def find(model: FusionModel, a: Tensor, b: Tensor) -> FNetFindings:
    """One plain pass over a pair, (1, 1, H, W) each; what every threshold did is counted as it happens."""
    counter = EstimateCounter(read_thresholds(model, a))
    tensors = model.explain(a, b, counter)
    parts = {name: _part(name, tensors, counter) for name in PARTS}
    return FNetFindings(as_array(tensors["fused"][0, 0]), parts)


def read_thresholds(model: FusionModel, like: Tensor) -> dict[str, list[float]]:
    """Thresholds by block, read in a pass over a tiny picture with the type and device of `like`."""
    plane = torch.zeros((1, 1, _PROBE_SIDE, _PROBE_SIDE), dtype=like.dtype, device=like.device)
    tensors = model.explain(plane, plane)
    return {name: tensors[f"thresholds_{name}"].tolist() for name in PARTS}


def _part(name: str, tensors: dict[str, Tensor], counter: EstimateCounter) -> Part:
    """What is shown of one block, from what `FNet.explain` returned and what was counted meanwhile."""
    code = tensors[f"code_{name}"][0]
    channels = strongest_channels(code)
    return Part(
        as_array(tensors[f"fused_{name}"][0, 0]),
        as_array(energy_map(code)),
        as_array(code[channels]),
        tuple(channels),
        code.shape[0],
        counter.statistics(name, tensors[f"momenta_{name}"].tolist()),
    )


def _block_numbers(part: Part) -> dict[str, Any]:
    """One part of `FNetFindings.numbers`."""
    return {
        "mean_contribution": float(part.contribution.mean()),
        "channels": part.num_channels,
        "strongest_channels": list(part.channels),
        "estimates": [
            {
                "k": k,
                "threshold": estimate.threshold,
                "momentum": estimate.momentum,
                "share_below_threshold": estimate.below_threshold,
                "null_share_before": estimate.null_before,
                "null_share_after": estimate.null_after,
            }
            for k, estimate in enumerate(part.estimates)
        ],
    }
