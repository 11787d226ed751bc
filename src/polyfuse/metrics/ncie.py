"""NCIE: how strongly the three pictures depend on each other, from the eigenvalues of their dependence matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polyfuse.metrics.cc import pearson
from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.mi import mutual_information
from polyfuse.metrics.statistics import Match, Statistics
from polyfuse.metrics.te import is_undefined

LEVEL_BITS = 8.0
NUM_PICTURES = 3


def between_sources(pictures: Statistics) -> Match:
    """The first source beside the second."""
    return pictures.a.once(("beside", pictures.b), lambda: Match(pictures.a, pictures.b))


def _entropy_of_eigenvalues(a_b: Tensor, a_f: Tensor, b_f: Tensor) -> Tensor:
    """1 + sum (r/3) log2(r/3) / 8, r the eigenvalues of the matrix of dependences; NaN where a dependence is."""
    bad = (a_b + a_f + b_f).isnan()
    one = torch.ones_like(a_b)
    matrix = torch.stack([one, a_b, a_f, a_b, one, b_f, a_f, b_f, one], dim=1).view(-1, NUM_PICTURES, NUM_PICTURES)
    eigenvalues = torch.linalg.eigvalsh(torch.where(bad[:, None, None], 0.0, matrix))
    shares = eigenvalues.clamp(min=0) / NUM_PICTURES  # rounding can leave -1e-17
    value = 1 + torch.special.xlogy(shares, shares).sum(dim=1) / (math.log(2) * LEVEL_BITS)
    return torch.where(bad, torch.nan, value)


def _of_information(pictures: Statistics) -> Tensor:
    matches = (between_sources(pictures), pictures.match_a, pictures.match_b)
    bits = [mutual_information(match.stretched("zero")) / (math.log(2) * LEVEL_BITS) for match in matches]
    return _entropy_of_eigenvalues(*bits)


def _as_published(pictures: Statistics) -> Tensor:
    undefined = is_undefined(pictures.a) | is_undefined(pictures.b) | is_undefined(pictures.fused)
    return torch.where(undefined, torch.nan, _of_information(pictures))


def _of_correlation(pictures: Statistics) -> Tensor:
    matches = (between_sources(pictures), pictures.match_a, pictures.match_b)
    return _entropy_of_eigenvalues(*(pearson(match.source, match.fused, undefined=torch.nan) for match in matches))


ncie = Metric(
    name="NCIE",
    title="nonlinear correlation information entropy",
    direction="up",
    bounds=(1 - math.log2(NUM_PICTURES) / LEVEL_BITS, 1.0),
    cost="a",
    formula="NCIE = 1 + sum_i (r_i / 3) log2(r_i / 3) / 8, r the eigenvalues of the matrix of I(X;Y) / 8 bits between "
    "A, B and F with ones on its diagonal, on pictures stretched to 0..255",
    source="Wang, Shen, Zhang, Zhang 2005; as fusion metric Wang, Shen, Jin 2008",
    rewards="Grey levels that depend on the sources' levels.",
    fooled="As MI: a copy of one source has 0.86 against 0.81 of two published networks on six VIFB pairs, the pixel "
    "maximum 0.84.",
    quirks="Values lie in a narrow band just above 0.8019: differences begin in the third digit. The survey's code "
    "takes Pearson's correlation for the dependence.",
    variants={
        "canonical": Joint(note="mutual information of stretched pictures", compute=_of_information),
        "liu2012": Joint(note="the same; no value where a picture is constant and not black", compute=_as_published),
        "survey": Joint(note="Pearson's correlation in the matrix; no value for a constant picture",
                        compute=_of_correlation),
    },
)  # fmt: skip
