"""EI: edge intensity."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from polyfuse.metrics.metric import Alone, Metric
from polyfuse.metrics.statistics import Plane
from polyfuse.ops.gradients import sobel_responses
from polyfuse.ops.padding import Border


def _intensity(fused: Plane, *, border: Border) -> Tensor:
    across, down = sobel_responses(fused.values, border)
    return (across.square() + down.square()).sqrt().mean(dim=(1, 2))


ei = Metric(
    name="EI",
    title="edge intensity",
    direction="none",
    bounds=(0.0, 255 * 20**0.5),
    cost="b",
    needs_sources=False,
    formula="EI = mean(sqrt(gx^2 + gy^2)), gx and gy Sobel responses, not divided by eight",
    source="Rajalingam, Priya 2018",
    rewards="Edges and texture.",
    fooled="Noise and halos raise it; it never looks at the sources.",
    quirks="The survey's code counts the picture's rim as an edge: 49.5 instead of 43.7 on one pair.",
    variants={
        "canonical": Alone(note="edge pixels repeated outside", compute=partial(_intensity, border="replicate")),
        "vifb": Alone(note="edge pixels repeated outside; per channel, averaged",
                      compute=partial(_intensity, border="replicate")),
        "survey": Alone(note="zero outside: the rim counts as an edge", compute=partial(_intensity, border="zeros")),
    },
)  # fmt: skip
