"""CC: correlation of each source with the fused picture."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.statistics import Match, Plane


def pearson(first: Plane, second: Plane, *, undefined: float) -> Tensor:
    """Pearson correlation of two pictures.

    Args:
        first: N pictures.
        second: As many of the same size.
        undefined: Value where one of them is constant.

    Returns:
        (N,) in [-1, 1].
    """
    x, y = first.centred.flatten(1), second.centred.flatten(1)
    scale = (energy(first) * energy(second)).sqrt()
    return torch.where(scale > 0, (x * y).sum(dim=1) / scale, undefined).clamp(-1, 1)


def energy(plane: Plane) -> Tensor:
    """Sum of the squared deviations from the mean, (N,); exactly zero for a constant picture."""
    return plane.once("energy", lambda: plane.centred.square().sum(dim=(1, 2)))


def _correlation(match: Match, *, undefined: float) -> Tensor:
    return pearson(match.source, match.fused, undefined=undefined)


_PLAIN = Added(
    note="mean of both; no value for a constant picture", term=partial(_correlation, undefined=torch.nan), mean=True
)

cc = Metric(
    name="CC",
    title="correlation coefficient",
    direction="up",
    bounds=(-1.0, 1.0),
    cost="a",
    formula="CC = (r(A,F) + r(B,F)) / 2, r Pearson's correlation",
    source="Deshmukh, Bhosale 2010",
    rewards="Brightness that rises and falls with both sources.",
    fooled="The average of the sources is close to the best value there is, at half the contrast.",
    quirks="None: the toolboxes agree. Canonical counts a constant picture as uncorrelated.",
    variants={
        "canonical": Added(note="mean of both; 0 for a constant picture", term=partial(_correlation, undefined=0.0),
                           mean=True),
        "cddfuse": _PLAIN,
        "linfeng": _PLAIN,
        "linfeng_workbook": _PLAIN,
        "survey": _PLAIN,
    },
)  # fmt: skip
