"""A graph that takes 8-bit pictures and gives one: ranges, luma and colour around a model, as tensors.

The same formulas as `polyfuse.transforms.colour` and the defaults of `fuse` for 8-bit files: full ranges, a grey,
colour from b, chroma pulled into the gamut. For programs that have camera frames and no polyfuse.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polyfuse.families.spec import FusionModel
from polyfuse.fusion.stretch import FLAT_BELOW
from polyfuse.transforms.colour import STUDIO_BLACK, STUDIO_WHITE

RED, BLUE = 0.299, 0.114
"""Weights of red and blue in luma; green has the rest. Source: ITU-R BT.601-7, section 2.5.1."""
GREEN = 1 - RED - BLUE
WHITE = 255.0


class ColourInside(nn.Module):
    """A model from uint8 to uint8, channels last as cameras have them.

    Args:
        model: What fuses the luma.
    """

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.model = model
        studio = model.provenance.luma == "studio"
        self.black = STUDIO_BLACK if studio else 0.0
        self.span = STUDIO_WHITE - STUDIO_BLACK if studio else 1.0
        self.pulls_in = model.provenance.rendering != "clip"
        self.is_stretched = model.spec.output == "minmax"

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a, (1, H, W, 1) uint8, with RGB b, (1, H, W, 3) uint8.

        Returns:
            (1, H, W, 3) uint8.
        """
        seen = a.permute(0, 3, 1, 2).float() / WHITE
        red, green, blue = (b.permute(0, 3, 1, 2).float() / WHITE).split(1, dim=1)
        luma = green + RED * (red - green) + BLUE * (blue - green)
        fused = self.model(seen, luma * self.span + self.black)
        if self.is_stretched:
            low, high = fused.amin(), fused.amax()
            is_flat = high - low < FLAT_BELOW
            fused = torch.where(is_flat, fused, (fused - low) / (high - low).clamp(min=FLAT_BELOW))
        fused = ((fused.clamp(0, 1) - self.black) / self.span).clamp(0, 1)
        shifts = [channel - luma for channel in (red, green, blue)]
        if self.pulls_in:
            factor = _chroma_factor(fused, torch.cat(shifts, dim=1))
            shifts = [factor * shift for shift in shifts]
        coloured = torch.cat([fused + shift for shift in shifts], dim=1).clamp(0, 1)
        return (coloured * WHITE).round().to(torch.uint8).permute(0, 2, 3, 1)


def _chroma_factor(y: Tensor, shifts: Tensor) -> Tensor:
    """Largest factor in [0, 1] that keeps luma y plus each shift in [0, 1]; see `transforms.colour._chroma_factor`."""
    smallest = torch.finfo(y.dtype).tiny
    up, down, room = shifts.amax(dim=1, keepdim=True), -shifts.amin(dim=1, keepdim=True), 1 - y
    above = room / torch.maximum(up, room).clamp(min=smallest)
    below = y / torch.maximum(down, y).clamp(min=smallest)
    return torch.minimum(above, below)
