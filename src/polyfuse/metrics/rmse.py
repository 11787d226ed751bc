"""RMSE: root of the mean squared error."""

from __future__ import annotations

from torch import Tensor

from polyfuse.metrics.metric import Added, Joint, Metric
from polyfuse.metrics.mse import squared_error
from polyfuse.metrics.statistics import Match, Statistics


def _root(pictures: Statistics) -> Tensor:
    return ((squared_error(pictures.match_a) + squared_error(pictures.match_b)) / 2).sqrt()


def root_over_pixels(match: Match) -> Tensor:
    """Root of the summed squared error, divided by the number of pixels, (N,)."""
    return (squared_error(match) / match.source.num_pixels).sqrt()


rmse = Metric(
    name="RMSE",
    title="root mean squared error",
    direction="down",
    bounds=(0.0, 255.0),
    cost="a",
    formula="RMSE = sqrt((mean (A - F)^2 + mean (B - F)^2) / 2)",
    source="general",
    rewards="Being close to both sources, pixel by pixel.",
    fooled="The average of the sources is close to the best picture there is by this measure.",
    quirks="VIFB takes the root of the sum and divides that by the number of pixels, so values depend on the "
    "picture's size.",
    variants={
        "canonical": Joint(note="root of the mean over both sources, on 0..255", compute=_root),
        "vifb": Added(note="root of the sum over the number of pixels; per channel, averaged", term=root_over_pixels,
                      mean=True),
    },
)  # fmt: skip
