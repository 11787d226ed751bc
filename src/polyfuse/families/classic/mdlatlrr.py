"""Multi-level decomposition by latent low-rank representation, MDLatLRR (Li, Wu and Kittler 2020).

"MDLatLRR: A novel decomposition method for infrared and visible image fusion", IEEE TIP 29, arXiv 1811.02291. A matrix
L of 256 x 256, learned once, gives the detail of a patch of 16 x 16 pixels. The detail of a picture is that of its
patches at every place, averaged where they overlap; the base is the rest, which is decomposed again. Details of both
sources are added patch by patch, weighed by the sums of their singular values (nuclear norms); bases are averaged.

All but the weights is linear. With m the mean of the sources, d_i half the difference of their bases before level i,
n the norms, and R for patches put back,

    fused = m + sum over levels of R(w_i L d_i),   w_i = (n_a - n_b) / (n_a + n_b),

which takes one product with L a level in place of two. The detail of a whole picture is its correlation with one kernel
of 31 x 31 (`detail_kernel`), since every pixel lies in 256 patches.

paper: patches lie inside the picture. ours: borders repeat the edge pixel, so that every pixel lies in 256 patches and
any size will do. paper: norms of all patches. ours: those of every fourth row and column, a sixteenth of them, and
bilinear between; `stride=1` is the paper's. ours: equal weights where neither source has detail. ours: L, by
`tools/learn_mdlatlrr.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel, ModelSpec, check_fields
from polyfuse.ops.recording import is_recording

SIDE = 16
"""Of a patch, pixels (the paper's n)."""
BLOCK = 64
"""Patches, or pixels, of one block in either direction, which bounds the memory."""
CHOICES = {"levels": (1, 2, 3, 4), "stride": (1, 2, 4)}
"""Values that the options may have; four levels are the most that the paper tries."""


@dataclass(frozen=True)
class MDLatLRRConfig:
    """Configuration of MDLatLRR."""

    levels: int = 2
    """How often the base is decomposed (the paper's r), 1 to 4."""
    stride: int = 4
    """Rows and columns from one patch whose norm is computed to the next: 1, as in the paper, 2 or 4."""

    def __post_init__(self) -> None:
        """Refuse values that the method does not have."""
        check_fields(self)
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} is {getattr(self, name)}: use {', '.join(map(str, allowed))}.")

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return asdict(self)


class MDLatLRR(FusionModel):
    """Details by nuclear norms of their patches, mean of the bases.

    Args:
        config: None for the defaults.
    """

    choices: ClassVar[Mapping[str, tuple[Any, ...]]] = CHOICES

    def __init__(self, config: MDLatLRRConfig | None = None) -> None:
        super().__init__()
        self.config = MDLatLRRConfig() if config is None else config
        self.projection = nn.Parameter(torch.zeros(SIDE * SIDE, SIDE * SIDE))

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> MDLatLRR:
        """A method without its matrix yet: details are 0."""
        return cls(MDLatLRRConfig(**values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts: patches reach 15 pixels a level, weights to the next norm; tiles start where norms do."""
        levels, stride = self.config.levels, self.config.stride
        reach = (SIDE - 1) * levels + stride - 1
        return ModelSpec(
            family="mdlatlrr",
            parameters=SIDE**4,
            receptive_radius=reach,
            halo=-(-reach // stride) * stride,
            multiple_of=stride,
            bytes_per_pixel=64,
            fixed_bytes=32 << 20,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W); the result has the same shape and may leave [0, 1]."""
        projection = self.projection.to(a)
        kernel = detail_kernel(projection)
        fused = (a + b) * 0.5
        for level in range(self.config.levels):
            if level:
                a, b = a - detail(a, kernel), b - detail(b, kernel)
            norm_a, norm_b = (nuclear_norms(x, projection, self.config.stride) for x in (a, b))
            weights = (norm_a - norm_b) / (norm_a + norm_b).clamp(min=torch.finfo(a.dtype).tiny)
            fused = fused + weighed_detail((a - b) * 0.5, weights, projection)
        return fused


def detail_kernel(projection: Tensor) -> Tensor:
    """What a picture is correlated with to get its detail.

    Pixel p has place o in the patch whose corner is p - o. The mean over these patches is the sum over o and q of
    L[o, q] x[p - o + q] / 256, so that the tap at q - o is the sum of the entries of L with that difference.

    Args:
        projection: L, (256, 256); row o and column q are places in a patch, row by row.

    Returns:
        (2 * 16 - 1, 2 * 16 - 1); the middle one is the pixel itself.
    """
    # row o of L, as a patch of q, lies at 15 - o: in reverse order the rows are overlapping patches of the kernel
    taps = functional.fold(projection.T.flip(1)[None], (2 * SIDE - 1, 2 * SIDE - 1), SIDE)
    return taps[0, 0] / SIDE**2


def detail(x: Tensor, kernel: Tensor) -> Tensor:
    """Details of pictures, (N, 1, H, W): the mean of L times patch over all patches that a pixel lies in."""
    padded = functional.pad(x, (SIDE - 1,) * 4, mode="replicate")
    details = torch.empty_like(x)
    for top, bottom, left, right in _blocks(*x.shape[-2:]):  # libraries unfold what they convolve in float64
        part = padded[..., top : bottom + 2 * (SIDE - 1), left : right + 2 * (SIDE - 1)]
        details[..., top:bottom, left:right] = functional.conv2d(part, kernel[None, None])
    return details


def nuclear_norms(x: Tensor, projection: Tensor, stride: int) -> Tensor:
    """Sums of the singular values of L times patch, as 16 x 16 pixels.

    Args:
        x: (N, 1, H, W), any size from 1 x 1; borders repeat the edge pixel.
        projection: L, (256, 256).
        stride: Rows and columns from one patch that is measured to the next, one of which has its corner at the first
            pixel; bilinear between them.

    Returns:
        (N, 1, H + 15, W + 15), the patches that touch the picture, in order.
    """
    if is_recording():  # else PyTorch prints all operators before it says which one is missing
        raise RuntimeError("there is no operator for singular values")
    height, width = x.shape[-2:]
    # corners from -16 on, so that the grid passes through pixel 0 for each stride, to the one behind the last pixel
    rows, columns = ((length + SIDE - 1) // stride + 2 for length in (height, width))
    end = (rows - 1) * stride - height, (columns - 1) * stride - width
    padded = functional.pad(x, (SIDE, end[1], SIDE, end[0]), mode="replicate")
    norms = x.new_empty(len(x), 1, rows, columns)
    for top, bottom, left, right in _blocks(rows, columns):
        part = padded[..., top * stride : (bottom - 1) * stride + SIDE, left * stride : (right - 1) * stride + SIDE]
        patches = projection @ functional.unfold(part, SIDE, stride=stride)
        values = torch.linalg.svdvals(patches.mT.reshape(len(x), -1, SIDE, SIDE))
        norms[..., top:bottom, left:right] = values.sum(dim=-1).reshape(len(x), 1, bottom - top, right - left)
    return _between(_between(norms, stride, -1), stride, -2)[..., 1 : height + SIDE, 1 : width + SIDE]


def weighed_detail(x: Tensor, weights: Tensor, projection: Tensor) -> Tensor:
    """Mean of weight times L times patch over the 256 patches that a pixel lies in.

    Args:
        x: (N, 1, H, W), any size from 1 x 1; borders repeat the edge pixel.
        weights: Of the patches that touch the picture, (N, 1, H + 15, W + 15).
        projection: L, (256, 256).

    Returns:
        The shape of x.
    """
    margin = SIDE - 1
    padded = functional.pad(x, (margin,) * 4, mode="replicate")
    total = torch.zeros_like(padded)
    for top, bottom, left, right in _blocks(*weights.shape[-2:]):
        part = (..., slice(top, bottom + margin), slice(left, right + margin))
        patches = projection @ functional.unfold(padded[part], SIDE)
        patches = patches * weights[..., top:bottom, left:right].flatten(2)
        total[part] += functional.fold(patches, (bottom - top + margin, right - left + margin), SIDE)
    return total[..., margin:-margin, margin:-margin] / SIDE**2


def _blocks(rows: int, columns: int) -> Iterator[tuple[int, int, int, int]]:
    """Top, bottom, left and right of the parts in which a grid of patches is gone through."""
    for top in range(0, rows, BLOCK):
        for left in range(0, columns, BLOCK):
            yield top, min(top + BLOCK, rows), left, min(left + BLOCK, columns)


def _between(values: Tensor, stride: int, axis: int) -> Tensor:
    """Linear interpolation along an axis, from the first value to `stride` - 1 places before where the last one lies.

    The same sums at every place, so that tiles have the weights of the whole picture.
    """
    here, there = (values.narrow(axis, start, values.shape[axis] - 1) for start in (0, 1))
    steps = [here * (1 - step / stride) + there * (step / stride) for step in range(stride)]
    return torch.stack(steps, dim=axis).flatten(axis - 1, axis)
