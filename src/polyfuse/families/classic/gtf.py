"""Gradient transfer, GTF (Ma, Chen, Li and Huang 2016).

"Infrared and visible image fusion via gradient transfer and total variation minimization". The fused picture has the
infrared's intensities and the visible's gradients, both in the sense of the 1-norm: with fused = b + y it is the y
that minimises |y - (a - b)|_1 + lambda TV(y), isotropic total variation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.families.spec import FusionModel, ModelSpec

LAMBDA = 4.0
"""Weight of the gradients against the intensities."""
STEPS = 200
"""ours: of the primal-dual method of Chambolle and Pock (2011); the paper solves the same problem otherwise."""
PRIMAL, DUAL = 0.02, 6.25
"""Steps of that method; their product is the most that converges, 1/8."""
HALO = 64
"""ours: what tiles see of each other. Flat regions may be as large as the picture, so tiles are an approximation."""


class GTF(FusionModel):
    """Intensities of a, gradients of b: the two sources have roles and cannot be exchanged."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: the problem is one of the whole picture; tiles are blended."""
        return ModelSpec(
            family="gtf", receptive_radius=None, halo=HALO, blended=True, bytes_per_pixel=56, fixed_bytes=4 << 20
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        with torch.no_grad():  # the buffers of the solver are written in place
            change = _smoothed(a - b)
        return b + change


def _smoothed(target: Tensor) -> Tensor:
    """The y that minimises |y - target|_1 + lambda TV(y), nearly; (N, 1, H, W)."""
    y, ahead = target.clone(), target.clone()
    down, right = torch.zeros_like(y), torch.zeros_like(y)  # the last row of down and column of right stay 0
    for _ in range(STEPS):
        down[..., :-1, :].add_(ahead[..., 1:, :] - ahead[..., :-1, :], alpha=DUAL)
        right[..., :-1].add_(ahead[..., 1:] - ahead[..., :-1], alpha=DUAL)
        shorten = (down.square().addcmul_(right, right).sqrt_() / LAMBDA).clamp_(min=1)
        down.div_(shorten)
        right.div_(shorten)
        change = (y - target).add_(down, alpha=PRIMAL).add_(right, alpha=PRIMAL)
        change[..., 1:, :].sub_(down[..., :-1, :], alpha=PRIMAL)
        change[..., 1:].sub_(right[..., :-1], alpha=PRIMAL)
        after = change.sub_(change.clamp(-PRIMAL, PRIMAL)).add_(target)
        ahead = torch.sub(after, y, alpha=0.5).mul_(2)
        y = after
    return y
