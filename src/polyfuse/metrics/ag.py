"""AG: average gradient."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Alone, Metric
from polyfuse.metrics.statistics import Plane


def _squared_strength(x: Tensor) -> Tensor:
    """gx^2 + gy^2 of central differences, one-sided at the border; an axis of one pixel has gradient zero."""
    total = torch.zeros_like(x)
    for axis in (1, 2):
        size = x.shape[axis]
        if size == 1:
            continue
        total.narrow(axis, 0, 1).add_((x.narrow(axis, 1, 1) - x.narrow(axis, 0, 1)).square())
        total.narrow(axis, size - 1, 1).add_((x.narrow(axis, size - 1, 1) - x.narrow(axis, size - 2, 1)).square())
        if size > 2:
            central = x.narrow(axis, 2, size - 2) - x.narrow(axis, 0, size - 2)
            total.narrow(axis, 1, size - 2).add_(central.square(), alpha=0.25)
    return total


def _gradient(fused: Plane, *, halved: bool = True) -> Tensor:
    squared = fused.once("squared gradient", lambda: _squared_strength(fused.values))
    return (squared / 2 if halved else squared).sqrt().mean(dim=(1, 2))


def _inner_mean(fused: Plane) -> Tensor:
    """Average gradient divided by (H - 1)(W - 1) instead of by the number of pixels summed."""
    height, width = fused.values.shape[1:]
    return _gradient(fused) * (height * width / ((height - 1) * (width - 1)))


_PLAIN = Alone(note="mean over all pixels", compute=_gradient)

ag = Metric(
    name="AG",
    title="average gradient",
    direction="none",
    bounds=(0.0, 255.0),
    cost="a",
    needs_sources=False,
    formula="AG = mean(sqrt((gx^2 + gy^2) / 2)), gx and gy central differences, one-sided at the border",
    source="Cui et al. 2015",
    rewards="Slopes everywhere: texture and edges.",
    fooled="Noise and halos raise it; it never looks at the sources.",
    quirks="VIFB and Linfeng divide by (H - 1)(W - 1), about 0.5 % more at 640x480; SMFNet leaves out the half under "
    "the root, a factor of 1.414.",
    variants={
        "canonical": _PLAIN,
        "cddfuse": _PLAIN,
        "smfnet": Alone(note="AG1: no half under the root", compute=partial(_gradient, halved=False)),
        "linfeng": Alone(note="divided by (H - 1)(W - 1)", compute=_inner_mean, min_size=2),
        "linfeng_workbook": Alone(note="divided by (H - 1)(W - 1)", compute=_inner_mean, min_size=2),
        "survey": _PLAIN,
        "vifb": Alone(note="divided by (H - 1)(W - 1); per channel, averaged", compute=_inner_mean, min_size=2),
    },
)
