"""Trivial answers to score beside the methods: each source copied, their average, their maximum."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.evaluation.scoring import Evaluation, Scorer
from polyfuse.evaluation.triples import Method
from polyfuse.metrics import Metric, find_protocol
from polyfuse.metrics.inputs import PEAK, prepare

COPY_A, COPY_B, AVERAGE, MAXIMUM = (Method(n, "baseline") for n in ("copy a", "copy b", "average", "maximum"))
BASELINES = (COPY_A, COPY_B, AVERAGE, MAXIMUM)
"""In the order in which tables list them."""


def score_baselines(a: Tensor, b: Tensor, metrics: tuple[Metric, ...], protocol: str) -> dict[Method, Evaluation]:
    """Score the trivial answers by what the protocol sees: grey, or each channel.

    Args:
        a: First source, (1, C, H, W).
        b: Second source, same size.
        metrics: What to compute.
        protocol: Name of the protocol whose conventions hold.

    Returns:
        An evaluation for each of `BASELINES`. The average of whole levels is rounded half to even, as an 8-bit file
        would hold it.
    """
    seen = prepare(a, a, b, find_protocol(protocol), data_range=None, clip=False)
    one, other = seen.a.values[None], seen.b.values[None]  # (1, channels, H, W)
    score = Scorer(one, other, metrics, protocol, data_range=PEAK)
    return {method: score(picture) for method, picture in trivial_answers(one, other).items()}


def trivial_answers(a: Tensor, b: Tensor) -> dict[Method, Tensor]:
    """The picture that each of `BASELINES` makes of two tensors on the scale 0..255."""
    average = (a + b) / 2
    if bool(((a == a.round()) & (b == b.round())).all()):
        average = average.round()  # half to even
    return {COPY_A: a, COPY_B: b, AVERAGE: average, MAXIMUM: torch.maximum(a, b)}
