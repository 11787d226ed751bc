"""FMI: information that 3x3 windows of a feature of the fused picture share with the sources."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from polyfuse.metrics import fmi_features
from polyfuse.metrics.metric import Added, Metric
from polyfuse.metrics.statistics import Match, Plane

Feature = Callable[[Tensor], Tensor]

SIDE = 3
ENTRIES = SIDE * SIDE
CHUNK = 2048
"""Windows computed at a time: their 9x9 tables stay in cache."""


def window_shares(picture: Tensor, starts: Tensor) -> Tensor:
    """Windows as distributions over their nine pixels: less their minimum, over their sum.

    Args:
        picture: (H, W).
        starts: (M,) flat index of each window's first pixel; no window may be constant.

    Returns:
        (9, M), pixels column by column as the definition counts them.
    """
    width = picture.shape[-1]
    offsets = [row * width + column for column in range(SIDE) for row in range(SIDE)]
    values = picture.reshape(-1)[starts + torch.tensor(offsets, device=starts.device)[:, None]]
    values = values - values.amin(dim=0)
    return values / values.sum(dim=0)


def shared_information(source: Tensor, fused: Tensor) -> Tensor:
    """2 I / (H + H) of pairs of distributions over nine positions, none of them uniform.

    The joint distribution is not measured. It mixes independence with the strongest coupling that the cumulative sums
    allow (the Frechet bound), in the share that gives the positions the correlation of the two distributions.

    Args:
        source: (9, M), each column summing to one.
        fused: Same shape.

    Returns:
        (M,).
    """
    correlation = _correlation(source, fused)
    # the lower bound for one order of positions is the upper bound for the reverse
    source = torch.where(correlation < 0, source.flip(0), source)
    upper_source, upper_fused = source.cumsum(0), fused.cumsum(0)
    bound = torch.minimum(upper_fused[:, None], upper_source)
    covariance = torch.addcmul(bound, upper_fused[:, None], upper_source, value=-1).flatten(0, 1).sum(dim=0)
    share = correlation.abs_().mul_(_spread(source)).mul_(_spread(fused))
    share = torch.where(covariance > 0, share / covariance, 0.0)
    # a cell of the coupling is the overlap of two steps of the cumulative sums
    coupling = bound.sub_(torch.maximum((upper_fused - fused)[:, None], upper_source - source)).clamp_(min=0)
    joint = coupling.mul_(share).addcmul_((fused * (1 - share))[:, None], source)
    separate = _entropy(source) + _entropy(fused)
    information = separate - _entropy(joint.flatten(0, 1))
    return torch.where(separate > 0, 2 * information / separate, 0.0)


def _correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson correlation of the entries, (M,)."""
    x, y = x - 1 / ENTRIES, y - 1 / ENTRIES
    return (x * y).sum(dim=0) / ((x * x).sum(dim=0) * (y * y).sum(dim=0)).sqrt_()


def _spread(shares: Tensor) -> Tensor:
    """Standard deviation of the position, (M,)."""
    position = torch.arange(ENTRIES, dtype=shares.dtype, device=shares.device)[:, None]
    return (shares * (position - (shares * position).sum(dim=0)).square()).sum(dim=0).sqrt_()


def _entropy(shares: Tensor) -> Tensor:
    """-sum p ln|p|, (M,); entries of the joint distribution may be negative."""
    logs = shares.abs().clamp_(min=torch.finfo(shares.dtype).tiny).log_()
    return logs.mul_(shares).sum(dim=0).neg_()


def _mean_information(source: Tensor, fused: Tensor) -> Tensor:
    """Mean over the windows of two (H, W) feature pictures, a scalar."""
    equal = _largest((source - fused).abs()) == 0
    varied = _varied(source) & _varied(fused)
    # equal windows count 1; a constant one beside any other has no information to share
    rows, columns = (varied & ~equal).nonzero(as_tuple=True)
    total = equal.sum().to(source)
    for starts in (rows * source.shape[-1] + columns).split(CHUNK):
        total += shared_information(window_shares(source, starts), window_shares(fused, starts)).sum()
    return total / equal.numel()


def _varied(x: Tensor) -> Tensor:
    """Mask of the windows of (H, W) that are not constant."""
    return _largest(x) > -_largest(-x)


def _largest(x: Tensor) -> Tensor:
    """Largest value of each window of (H, W); several times faster than `max_pool2d` in float64."""
    for axis in (0, 1):
        size = x.shape[axis] - SIDE + 1
        x = torch.stack([x.narrow(axis, shift, size) for shift in range(SIDE)]).amax(dim=0)
    return x


def _term(match: Match, *, feature: Feature) -> Tensor:
    source, fused = (_picture(plane, feature) for plane in (match.source, match.fused))
    return torch.stack([_mean_information(x, y) for x, y in zip(source, fused, strict=True)])


def _picture(plane: Plane, feature: Feature) -> Tensor:
    return plane.once(("fmi", feature), lambda: feature(plane.values))


def _fmi(
    name: str,
    title: str,
    feature: Feature,
    note: str,
    fooled: str,
    quirks: str,
    *,
    cost: Literal["b", "c"] = "c",
    package: str | None = None,
) -> Metric:
    """The metric of one feature."""
    variant = Added(note=note, term=partial(_term, feature=feature), mean=True, min_size=SIDE)
    return Metric(
        name=name,
        title=f"feature mutual information, {title}",
        direction="up",
        bounds=(float("-inf"), float("inf")),
        cost=cost,
        formula="mean over 3x3 windows and both sources of 2 I(x,f) / (H(x) + H(f)), x and f the windows scaled to "
        "sum 1; their joint distribution is phi D + (1 - phi) f x, D the Frechet bound of the cumulative sums, phi "
        "the share that matches the correlation of x and f; equal windows count 1",
        source="Haghighat, Razian 2014 (fast form); Haghighat, Aghagolzadeh, Seyedarabi 2011",
        rewards="Windows whose profile follows a source's.",
        fooled=fooled,
        quirks=f"{quirks} phi may exceed 1, so a few windows count more than 1.",
        variants={"canonical": variant, "linfeng": variant},
        package=package,
    )


_COPIES = "A copy of one source has one perfect term."

fmi_none = _fmi(
    "FMI_none",
    "grey levels",
    fmi_features.pixels,
    "the pixels themselves, mean of both",
    _COPIES,
    "Not what Linfeng's set prints as FMI_pixel: that is FMI_edge.",
)
fmi_gradient = _fmi(
    "FMI_gradient",
    "horizontal gradient",
    fmi_features.gradient,
    "horizontal derivative alone, mean of both",
    _COPIES,
    "Vertical derivatives do not count, so turning the pictures changes it.",
)
fmi_edge = _fmi(
    "FMI_edge",
    "edges",
    fmi_features.edges,
    "thinned Sobel edges, mean of both; printed as FMI_pixel by Linfeng's set",
    "Most windows hold no edge in any picture and count 1: a featureless picture scores high.",
    "Linfeng's set prints it as FMI_pixel. MATLAB's own thinning could not be run: compare its values to 0.05.",
    cost="b",
)
fmi_dct = _fmi(
    "FMI_dct",
    "cosine coefficients",
    fmi_features.dct,
    "DCT of the whole picture, mean of both",
    _COPIES + " Windows of coefficients are no places in the picture.",
    "Coefficients of the whole picture, not of 8x8 blocks.",
)
fmi_wavelet = _fmi(
    "FMI_wavelet",
    "wavelet coefficients",
    fmi_features.wavelet,
    "one level of the discrete Meyer wavelet, mean of both; printed as FMI_w by Linfeng's set",
    _COPIES,
    "Bands are scaled together to 0..1 per picture, so equal flat areas count 0 or 1 by the rest of the picture. Needs "
    "PyWavelets, whose filter differs from MATLAB's in the last digits.",
    package="pywt",
)
