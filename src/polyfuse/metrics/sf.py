"""SF: spatial frequency."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from polyfuse.metrics.metric import Alone, Metric
from polyfuse.metrics.statistics import Plane


def _frequency(fused: Plane, *, white: float = 1.0) -> Tensor:
    """Spatial frequency, each axis averaged over its own number of differences; an axis of one pixel counts zero."""
    x = fused.values
    total = x.new_zeros(x.shape[0])
    for axis in (1, 2):
        if x.shape[axis] > 1:
            total = total + x.diff(dim=axis).square().mean(dim=(1, 2))
    return total.sqrt() / white


def _side_by_side(fused: Plane) -> Tensor:
    """Spatial frequency of the channels laid side by side as one picture; the same number for each channel."""
    x = fused.values
    channels = fused.channels
    wide = x.unflatten(0, (-1, channels)).transpose(1, 2).flatten(2)  # (N, H, channels * W)
    sums = wide.diff(dim=1).square().sum(dim=(1, 2)) + wide.diff(dim=2).square().sum(dim=(1, 2))
    frequency: Tensor = (sums / wide[0].numel()).sqrt()
    return frequency.repeat_interleave(channels)


_PLAIN = Alone(note="each direction divided by its own number of differences", compute=_frequency)

sf = Metric(
    name="SF",
    title="spatial frequency",
    direction="none",
    bounds=(0.0, 255 * 2**0.5),
    cost="a",
    needs_sources=False,
    formula="SF = sqrt(mean(dx^2) + mean(dy^2)), dx and dy the differences of neighbours",
    source="Eskicioglu, Fisher 1995",
    rewards="Strong differences between neighbouring pixels.",
    fooled="Noise, sharpening halos and compression blocks raise it; it never looks at the sources.",
    quirks="VIFB divides by the number of pixels and lays colour channels side by side, so the jumps between them "
    "count.",
    variants={
        "canonical": _PLAIN,
        "cddfuse": _PLAIN,
        "smfnet": _PLAIN,
        "linfeng": _PLAIN,
        "linfeng_workbook": Alone(note="on 0..1: 255 times smaller", compute=partial(_frequency, white=255.0)),
        "survey": _PLAIN,
        "vifb": Alone(note="divided by all pixels; channels side by side as one picture", compute=_side_by_side),
    },
)
