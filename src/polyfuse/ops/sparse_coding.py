"""Sparse coding as data: what its literal form in `layers/lzsc.py` and the fast forms in `ops` have in common.

A block of learned sparse coding is a list of `CodingStep`s. Starting from no code at all, step k computes

    x_k = S( W * e + up * (down * x_{k-1}) + up_prev * (down_prev * x_{k-2})
             + keep x_{k-1} + keep_prev x_{k-2} ; theta )

where `*` is a zero-padded convolution; signs and momenta are folded into `up`, `up_prev`, `keep` and `keep_prev`.
Written this way every expansion of a step reads a few planes and every reduction of a code makes a few planes, which
is what the fast forms exploit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from polyfuse.ops.threshold import SHRINK, STEEPNESS, ThresholdKind


@dataclass(frozen=True, eq=False)
class CodingStep:
    """One thresholded estimate of a sparse-coding block. Weights are (out, in, 9, 9) as in `torch.nn.Conv2d`."""

    theta: Tensor
    """Where the threshold lies, scalar tensor."""
    input: Tensor
    """W, the expansion of the planes e that are coded, (K, c, size, size)."""
    down: Tensor | None = None
    """Reduction of x_{k-1}, (c, K, size, size)."""
    up: Tensor | None = None
    """Expansion of what `down` makes of it, (K, c, size, size)."""
    down_prev: Tensor | None = None
    """Reduction of x_{k-2}, (c, K, size, size)."""
    up_prev: Tensor | None = None
    """Expansion of what `down_prev` makes of it, (K, c, size, size)."""
    keep: Tensor | None = None
    """Weight of x_{k-1} itself, scalar tensor."""
    keep_prev: Tensor | None = None
    """Weight of x_{k-2} itself, scalar tensor."""
    threshold: ThresholdKind = "sigmoidal"
    """Which thresholding function S is."""
    steepness: float = STEEPNESS
    """gamma: how steep the sigmoidal threshold is."""
    shrink: float = SHRINK
    """alpha: share of theta that the sigmoidal threshold takes off large values."""

    @property
    def expansions(self) -> list[Tensor]:
        """W, up, up_prev: what expands the planes e, d, d' of this step, in this order."""
        return [w for w in (self.input, self.up, self.up_prev) if w is not None]


def bf16_rest(x: Tensor) -> Tensor:
    """What rounding to bfloat16 leaves of `x`.

    The bf16 forms multiply bfloat16 and keep sums, codes and thresholds in float32. Rounding the pictures makes most of
    their error (0.43 grey levels of 255 in the mean on a RoadScene pair), so they take them as rounded value and rest.
    """
    return x - x.bfloat16().to(x.dtype)


def bf16_keeping_sums(weight: Tensor) -> Tensor:
    """Round (out, in, size, size) to values of bfloat16 such that every kernel keeps its sum.

    What rounding one tap leaves is handed on to the next smaller one. Codes are smooth, so the sums are what counts:
    plainly rounded read-outs darken a picture by 0.15 grey levels of 255.
    """
    taps = weight.flatten(2)
    order = taps.abs().argsort(dim=2, descending=True)
    ranked, rest = taps.gather(2, order), torch.zeros_like(taps[..., 0])
    for index in range(ranked.shape[2]):
        wanted = ranked[..., index] + rest
        ranked[..., index] = wanted.bfloat16().to(wanted.dtype)
        rest = wanted - ranked[..., index]
    return torch.empty_like(taps).scatter_(2, order, ranked).view_as(weight)


def step_reductions(steps: Sequence[CodingStep], k: int, reads: Sequence[Tensor]) -> list[Tensor]:
    """What is read off the code of step `k`: `down` of the next step, `down_prev` of the one after, or `reads`."""
    if k + 1 == len(steps):
        return list(reads)
    later = [steps[k + 1].down] + [step.down_prev for step in steps[k + 2 : k + 3]]
    return [weight for weight in later if weight is not None]


class CodingForm(Protocol):
    """A way to code planes and read the final code with some K -> 1 convolutions."""

    def __call__(self, e: Tensor, steps: Sequence[CodingStep], reads: Sequence[Tensor]) -> list[Tensor]:
        """Code `e`, (N, c, H, W), and return one (N, 1, H, W) per weight (1, K, size, size) in `reads`."""
        ...
