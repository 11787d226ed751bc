"""Maps of a fused picture: where visible structure of a source is gone, and which source its structure came from.

Both look at local statistics in boxes of 11x11 pixels (spec visibility 1). Pictures of more than `LARGEST` pixels are
first halved, as often as needed, by means of 2x2 pixels; their maps are smaller than they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.visibility import LOST_BELOW, NUM_SCALES, STEADY, Scale, box_mean, kept_share, scales, stronger

ORANGE, VIOLET = (255, 150, 40), (175, 110, 255)
"""Colours of what is missing of a and of b, those of `polyfuse explain --lost`."""
LARGEST = 2_000_000
"""Pixels for which maps are computed at full size."""
_LEAST, _MOST = 110, 230
"""Opacity, of 255, where structure is lost at one scale alone and where it is at all of them."""
_PLAIN = 0.02
"""Contrast (standard deviation, white is 1) below which structure tells less and less of where it came from."""


@dataclass(frozen=True, eq=False)
class Maps:
    """The maps of one fused picture, as PNG files."""

    lost: bytes
    """Transparent; orange where structure of a is gone, violet where of b, denser where at more of four scales."""
    share: bytes
    """Grey: white where the structure came from a, black where from b, grey where from both, or where there is none."""


class PairMaps:
    """Maps of the fused pictures of one pair; what they need of the sources is computed once.

    Args:
        a: First source, (H, W) luma in [0, 1].
        b: Second source, same size.
    """

    def __init__(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
        self._a, self._b = (scales(_tensor(plane)) for plane in (a, b))
        self._strongest = [stronger(one, other) for one, other in zip(self._a, self._b, strict=True)]

    def __call__(self, fused: NDArray[np.float64]) -> Maps | None:
        """The maps of a picture of the same size; None where a side is below 11 pixels, too small for them."""
        plane = _tensor(fused)
        seen = scales(plane)
        return Maps(self._lost(seen, plane.shape[-2:]), _share(seen[0], self._a[0], self._b[0])) if seen else None

    def _lost(self, fused: tuple[Scale, ...], size: tuple[int, ...]) -> bytes:
        """Indices into a palette: 0 where nothing is lost, 1 to 4 scales at which a is, 5 to 8 for b."""
        of_a, of_b = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        for level, (one, a, b, where) in enumerate(zip(fused, self._a, self._b, self._strongest, strict=True)):
            lost = where.visible & (kept_share(one, a, b, where) < LOST_BELOW)
            for counts, mask in ((of_a, lost & where.is_a), (of_b, lost & ~where.is_a)):
                large = mask[0].numpy().repeat(2**level, axis=0).repeat(2**level, axis=1)
                counts[: large.shape[0], : large.shape[1]] += large[: size[0], : size[1]]
        indices = np.where(of_a >= of_b, of_a, of_b + np.uint8(NUM_SCALES))
        steps = [_LEAST + (_MOST - _LEAST) * step // (NUM_SCALES - 1) for step in range(NUM_SCALES)]
        picture, content = Image.fromarray(indices.astype(np.uint8)), BytesIO()
        picture.putpalette([0, 0, 0, *(ORANGE * NUM_SCALES), *(VIOLET * NUM_SCALES)])
        picture.save(content, "PNG", compress_level=9, transparency=bytes([0, *steps, *steps]))
        return content.getvalue()


def _tensor(plane: NDArray[np.float64]) -> Tensor:
    """(1, H, W), halved until it is no larger than `LARGEST`."""
    tensor = torch.from_numpy(np.ascontiguousarray(plane))[None]
    while tensor.numel() > LARGEST:
        tensor = functional.avg_pool2d(tensor, 2)
    return tensor


def share_of_a(fused: Scale, a: Scale, b: Scale) -> Tensor:
    """Share of a in the local structure of a fused picture, (N, H, W) in [0, 1]; 0.5 where neither gave any.

    In each box the fused picture is fitted by x a + y b, least squares about the means, x and y not negative; what a
    source gave is its coefficient times its standard deviation there. Source: ours.
    """
    covariance = box_mean(a.padded * b.padded).addcmul_(a.mean, b.mean, value=-1)
    with_a = box_mean(a.padded * fused.padded).addcmul_(a.mean, fused.mean, value=-1)
    with_b = box_mean(b.padded * fused.padded).addcmul_(b.mean, fused.mean, value=-1)
    power_a, power_b = a.variance + STEADY, b.variance + STEADY
    determinant = power_a * power_b - covariance.square()
    x = (with_a * power_b - with_b * covariance) / determinant
    y = (with_b * power_a - with_a * covariance) / determinant
    alone_a, alone_b = (with_a / power_a).clamp_(min=0), (with_b / power_b).clamp_(min=0)
    x, y = torch.where(y < 0, alone_a, x.clamp(min=0)), torch.where(x < 0, alone_b, y.clamp(min=0))
    gave_a, gave_b = x * a.variance.sqrt(), y * b.variance.sqrt()
    total = gave_a + gave_b
    certainty = (total / _PLAIN).clamp_(max=1)
    return 0.5 + certainty * (gave_a / total.clamp(min=STEADY) - 0.5)


def _share(fused: Scale, a: Scale, b: Scale) -> bytes:
    levels = share_of_a(fused, a, b)[0].mul(255).round_().to(torch.uint8).numpy()
    content = BytesIO()
    Image.fromarray(levels).save(content, "PNG", compress_level=6)
    return content.getvalue()
