"""Every metric by name, and one call that computes many of them together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from torch import Tensor

from polyfuse.errors import UsageError
from polyfuse.metrics.ag import ag
from polyfuse.metrics.cc import cc
from polyfuse.metrics.cd import cd
from polyfuse.metrics.ce import ce
from polyfuse.metrics.ei import ei
from polyfuse.metrics.en import en
from polyfuse.metrics.flatsd import flatsd
from polyfuse.metrics.fmi import fmi_dct, fmi_edge, fmi_gradient, fmi_none, fmi_wavelet
from polyfuse.metrics.inputs import prepare
from polyfuse.metrics.labf import labf
from polyfuse.metrics.lost import lost, lostmax
from polyfuse.metrics.mef_ssim import mef_ssim
from polyfuse.metrics.metric import Metric
from polyfuse.metrics.mi import mi
from polyfuse.metrics.ms_ssim import ms_ssim
from polyfuse.metrics.mse import mse
from polyfuse.metrics.nabf import nabf
from polyfuse.metrics.nabf_petrovic import nabf_petrovic
from polyfuse.metrics.ncie import ncie
from polyfuse.metrics.nmi import nmi
from polyfuse.metrics.protocols import find_protocol
from polyfuse.metrics.psnr import psnr
from polyfuse.metrics.qabf import qabf
from polyfuse.metrics.qabf_petrovic import qabf_petrovic
from polyfuse.metrics.qc import qc
from polyfuse.metrics.qcb import qcb
from polyfuse.metrics.qcv import qcv
from polyfuse.metrics.qg import qg
from polyfuse.metrics.qs import qs
from polyfuse.metrics.qsf import qsf
from polyfuse.metrics.qw import qw
from polyfuse.metrics.qy import qy
from polyfuse.metrics.rank import rank
from polyfuse.metrics.rmse import rmse
from polyfuse.metrics.scd import scd
from polyfuse.metrics.sd import sd
from polyfuse.metrics.sf import sf
from polyfuse.metrics.ssim import ssim
from polyfuse.metrics.te import te
from polyfuse.metrics.vif import vif
from polyfuse.metrics.viff import viff
from polyfuse.metrics.vis import vis

_ORDER = (
    *(en, sd, sf, ag, ei),
    *(mi, nmi, ce, te, ncie, scd, cc, mse, rmse, psnr),
    *(vif, viff),
    *(qabf, nabf, labf, qabf_petrovic, nabf_petrovic, qg, qsf),
    *(ssim, ms_ssim, mef_ssim, qy, qs, qw, qc),
    *(qcb, qcv),
    *(vis, lost, lostmax, flatsd, cd, rank),
    *(fmi_none, fmi_gradient, fmi_edge, fmi_dct, fmi_wavelet),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ORDER}
"""Every metric by the name tables print."""


def find_metric(name: str) -> Metric:
    """Return the metric of that name; case does not matter.

    Raises:
        UsageError: If there is none; the nearest names are given.
    """
    by_lower = {known.lower(): metric for known, metric in METRICS.items()}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4)
    known = [by_lower[match].name for match in near] or list(METRICS)
    raise UsageError(f"there is no metric {name!r}: did you mean {', '.join(known)}? `polyfuse metrics` has all.")


def metrics_of(protocol: str) -> list[Metric]:
    """Every metric that `protocol` has, in the catalogue's order.

    Raises:
        UsageError: If the protocol is unknown.
    """
    find_protocol(protocol)
    return [metric for metric in METRICS.values() if protocol in metric.variants]


def computable_metrics(protocol: str) -> list[Metric]:
    """The metrics of `protocol` that this installation can compute: all but those whose optional package is missing."""
    return [metric for metric in metrics_of(protocol) if metric.package is None or find_spec(metric.package)]


@dataclass(frozen=True, eq=False)
class Scores:
    """Values of several metrics under one protocol."""

    protocol: str
    """Name of the protocol whose conventions they follow."""
    values: dict[str, Tensor]
    """Values of each metric, (N,) float64, by its name."""
    terms: dict[str, tuple[Tensor, Tensor]]
    """Term of a and term of b, (N,) float64 each, by metric name; only for the metrics asked for."""


def score(
    fused: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    metrics: Iterable[str | Metric] | None = None,
    protocol: str = "cddfuse",
    terms: Sequence[str] = (),
    data_range: float | None = None,
    clip: bool = False,
) -> Scores:
    """Score each picture of a batch by several metrics at once; what they share is computed once.

    Args:
        fused: (N, 1 or 3, H, W), see `Metric`.
        a: First source, same N, H and W.
        b: Second source.
        metrics: Names or metrics; None for all that the protocol has and this installation can compute.
        protocol: Whose conventions to follow.
        terms: Names of metrics whose one-sided terms are wanted too.
        data_range: Value of white, see `Metric`.
        clip: Cut values out of range instead of refusing them.

    Raises:
        InputError: As for a metric by itself.
        UsageError: If a metric or the protocol is unknown, or the protocol does not have a metric.

    >>> import torch
    >>> picture = torch.arange(4096, dtype=torch.float64).view(1, 1, 64, 64) / 4095
    >>> round(score(picture, picture, picture, metrics=["VIF", "SSIM"]).values["VIF"].item(), 6)
    2.0
    """
    rules = find_protocol(protocol)
    if metrics is None:
        chosen = computable_metrics(protocol)
    else:
        chosen = [find_metric(metric) if isinstance(metric, str) else metric for metric in metrics]
    for metric in chosen:
        metric.variant(protocol)
    pictures = prepare(fused, a, b, rules, data_range=data_range, clip=clip)
    return Scores(
        protocol,
        {metric.name: metric.value(pictures, protocol) for metric in chosen},
        {name: find_metric(name).one_sided(pictures, protocol) for name in terms},
    )
