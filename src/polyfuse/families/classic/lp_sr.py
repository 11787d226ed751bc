"""Laplacian pyramid with sparse representation, LP-SR (Liu, Liu and Wang 2015).

"A general framework for image fusion based on multi-scale transform and sparse representation". Details of the
pyramid by larger magnitude with a majority of 3 x 3; the coarsest picture patch by patch: patches of 8 x 8 at every
place, less their mean, are coded by orthogonal matching pursuit; the patch, mean included, whose code has the larger
1-norm is taken, and patches are averaged where they overlap.

paper: a dictionary of 256 atoms learned by K-SVD from natural pictures. ours: 255 fixed cosines, so that nothing is
learned and no file is needed; at most 16 atoms a patch. On a tie, as where both patches are flat, the mean of both.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.spec import FusionModel, ModelSpec
from polyfuse.ops.boxes import most_of_nine
from polyfuse.ops.pyramid import expand, shrink
from polyfuse.ops.sparse_patches import cosine_dictionary, matching_pursuit

LEVELS = 4
SIDE = 8
"""Of a patch, pixels of the coarsest level."""
ATOMS_A_SIDE = 16
ERROR = 0.1
"""Length of the rest of a patch at which its code is done, white is 1."""
MOST_ATOMS = 16
AT_ONCE = 2048
"""Patches coded together, which bounds the memory."""


class LPSR(FusionModel):
    """Pyramid details by magnitude with a majority, base by the 1-norm of sparse codes."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: the pyramid's reach and that of patches on its coarsest level."""
        reach = sum(2 * 2**level for level in range(LEVELS)) * 2 + (SIDE - 1) * 2**LEVELS
        return ModelSpec(
            family="lp-sr",
            receptive_radius=reach,
            halo=-(-reach // 2**LEVELS) * 2**LEVELS,
            multiple_of=2**LEVELS,
            bytes_per_pixel=64,
            fixed_bytes=64 << 20,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape."""
        details = []
        for _ in range(LEVELS):
            smaller_a, smaller_b = shrink(a), shrink(b)
            detail_a, detail_b = a - expand(smaller_a, a.shape), b - expand(smaller_b, b.shape)
            of_a = most_of_nine(detail_a.abs() > detail_b.abs())
            details.append(torch.where(of_a, detail_a, detail_b))
            a, b = smaller_a, smaller_b
        fused = _fused_patches(a, b)
        for detail in reversed(details):
            fused = detail + expand(fused, detail.shape)
        return fused


def _fused_patches(a: Tensor, b: Tensor) -> Tensor:
    """Fuse two coarsest pictures, (N, 1, h, w), by the sparse codes of their patches."""
    height, width = a.shape[-2:]
    room = (0, max(0, SIDE - width), 0, max(0, SIDE - height))
    patches_a, patches_b = (
        functional.unfold(functional.pad(x, room, mode="replicate"), SIDE).transpose(1, 2) for x in (a, b)
    )
    number, places, size = patches_a.shape
    dictionary = cosine_dictionary(SIDE, ATOMS_A_SIDE).to(a)
    pairs = zip(patches_a.reshape(-1, size).split(AT_ONCE), patches_b.reshape(-1, size).split(AT_ONCE), strict=True)
    fused = torch.cat([_chosen(one, other, dictionary) for one, other in pairs]).reshape(number, places, size)
    shape = (max(height, SIDE), max(width, SIDE))
    total = functional.fold(fused.transpose(1, 2), shape, SIDE)
    counts = functional.fold(torch.ones_like(fused[:1]).transpose(1, 2), shape, SIDE)
    return (total / counts)[..., :height, :width]


def _chosen(a: Tensor, b: Tensor, dictionary: Tensor) -> Tensor:
    """Of each pair of patches, (P, D), the one with the larger code, as its code gives it."""
    mean_a, mean_b = a.mean(dim=1, keepdim=True), b.mean(dim=1, keepdim=True)
    coded_a, norm_a = matching_pursuit(a - mean_a, dictionary, ERROR, MOST_ATOMS)
    coded_b, norm_b = matching_pursuit(b - mean_b, dictionary, ERROR, MOST_ATOMS)
    share = ((norm_a > norm_b).to(a.dtype) + (norm_a >= norm_b).to(a.dtype))[:, None] * 0.5
    return share * (coded_a + mean_a) + (1 - share) * (coded_b + mean_b)
