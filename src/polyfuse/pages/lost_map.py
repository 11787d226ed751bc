"""LOST maps for pages: where visible structure of a source is gone, as transparent pictures (spec visibility 1)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from polyfuse.ops.visibility import LOST_BELOW, NUM_SCALES, Scale, Stronger, kept_share, scales, stronger

ORANGE, VIOLET = (255, 150, 40), (175, 110, 255)
"""Colours of what is missing of a and of b, those of `polyfuse explain --lost`."""
_LEAST, _MOST = 110, 230
"""Opacity, of 255, where structure is lost at one scale alone and where it is at all of them."""


class LostMaps:
    """Maps of the fused pictures of one pair; what they need of the sources is computed once.

    Args:
        a: First source, (H, W) luma in [0, 1].
        b: Second source, same size.
    """

    def __init__(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
        self._seen = [scales(_tensor(plane)) for plane in (a, b)]
        self._strongest = [stronger(one, other) for one, other in zip(*self._seen, strict=True)]

    def __call__(self, fused: NDArray[np.float64]) -> bytes | None:
        """A PNG with a palette: orange where structure of a is gone, violet where of b, the denser at the more scales.

        None where the picture is too small for the measure (a side below 11 pixels).
        """
        seen = scales(_tensor(fused))
        if not seen:
            return None
        return _png(_counted(seen, self._seen, self._strongest, fused.shape))


def _tensor(plane: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane))[None]


def _counted(
    fused: Sequence[Scale], sources: Sequence[Sequence[Scale]], strongest: Sequence[Stronger], size: tuple[int, ...]
) -> NDArray[np.uint8]:
    """(H, W): 0 where nothing is lost, 1 to 4 scales at which a is, 5 to 8 for b; the larger count wins."""
    of_a, of_b = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for level, (one, a, b, where) in enumerate(zip(fused, *sources, strongest, strict=True)):
        lost = where.visible & (kept_share(one, a, b, where) < LOST_BELOW)
        for counts, mask in ((of_a, lost & where.is_a), (of_b, lost & ~where.is_a)):
            large = mask[0].numpy().repeat(2**level, axis=0).repeat(2**level, axis=1)
            counts[: large.shape[0], : large.shape[1]] += large[: size[0], : size[1]]
    return np.where(of_a >= of_b, of_a, of_b + NUM_SCALES).astype(np.uint8)


def _png(indices: NDArray[np.uint8]) -> bytes:
    steps = [_LEAST + (_MOST - _LEAST) * step // (NUM_SCALES - 1) for step in range(NUM_SCALES)]
    picture, content = Image.fromarray(indices), BytesIO()
    picture.putpalette([0, 0, 0, *(ORANGE * NUM_SCALES), *(VIOLET * NUM_SCALES)])
    picture.save(content, "PNG", compress_level=9, transparency=bytes([0, *steps, *steps]))
    return content.getvalue()
