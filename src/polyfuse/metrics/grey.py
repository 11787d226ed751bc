"""Colour to grey as each toolbox does it, down to the last rounded pixel."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.metrics.protocols import Grey

BT601 = (0.299, 0.587, 0.114)
MATLAB = (0.298936021293776, 0.587043074451121, 0.114020904255103)
PILLOW = (19595, 38470, 7471)
_PILLOW_HALF, _PILLOW_SHIFT = 32768, 16


def to_grey(rgb: Tensor, convention: Grey, *, whole_levels: bool) -> Tensor:
    """Grey of an RGB picture.

    Args:
        rgb: (N, 3, H, W) float64 on the scale 0..255.
        convention: "float64" (BT.601 weights), "opencv" (the same in float32 with two fused steps), "matlab" (rgb2gray,
            half rounds up) or "pillow" (integer weights of its mode L).
        whole_levels: Round to whole levels; "matlab" and "pillow" do so anyway.

    Returns:
        (N, 1, H, W) float64.

    Source: the toolboxes' readers, measured; 114 colour pictures without a differing pixel for "opencv".
    """
    red, green, blue = rgb.unbind(dim=1)
    if convention == "pillow":
        weighted = (PILLOW[0] * red + PILLOW[1] * green + PILLOW[2] * blue + _PILLOW_HALF).long()
        grey = (weighted >> _PILLOW_SHIFT).double()
    elif convention == "matlab":
        grey = half_up(MATLAB[0] * red + MATLAB[1] * green + MATLAB[2] * blue)
    elif convention == "opencv":
        grey = _fused_float32(red, green, blue)
        grey = grey.round() if whole_levels else grey
    else:
        grey = BT601[0] * red + BT601[1] * green + BT601[2] * blue
        grey = grey.round() if whole_levels else grey
    return grey[:, None]


def half_up(values: Tensor) -> Tensor:
    """Round non-negative values to whole levels, .5 upwards, as MATLAB does."""
    return (values + 0.5).floor()


def _fused_float32(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    """BT.601 in float32 with fused multiply-adds, emulated in float64: .5 cases fall as in OpenCV."""
    weights = torch.tensor(BT601, dtype=torch.float32).double()
    total = (green * weights[1]).float()
    for channel, weight in ((blue, weights[2]), (red, weights[0])):
        total = (channel * weight + total.double()).float()
    return total.double()
