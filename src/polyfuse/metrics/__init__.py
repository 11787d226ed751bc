"""Fusion metrics: each once, under the conventions of every toolbox of the field.

from polyfuse.metrics import score, vif
vif(fused, a, b, protocol="cddfuse")                  # (N,) float64
score(fused, a, b, metrics=["MI", "VIF", "Qabf"]).values
"""

from polyfuse.metrics.ag import ag
from polyfuse.metrics.catalogue import METRICS, Scores, find_metric, metrics_of, score
from polyfuse.metrics.cc import cc
from polyfuse.metrics.ce import ce
from polyfuse.metrics.ei import ei
from polyfuse.metrics.en import en
from polyfuse.metrics.metric import ARROWS, Metric, UndefinedMetricWarning
from polyfuse.metrics.mi import mi
from polyfuse.metrics.mse import mse
from polyfuse.metrics.nmi import nmi
from polyfuse.metrics.protocols import PROTOCOLS, Protocol, find_protocol
from polyfuse.metrics.psnr import psnr
from polyfuse.metrics.qabf import qabf
from polyfuse.metrics.rmse import rmse
from polyfuse.metrics.scd import scd
from polyfuse.metrics.sd import sd
from polyfuse.metrics.sf import sf
from polyfuse.metrics.ssim import ssim
from polyfuse.metrics.vif import vif

__all__ = [
    "ARROWS",
    "METRICS",
    "PROTOCOLS",
    "Metric",
    "Protocol",
    "Scores",
    "UndefinedMetricWarning",
    "ag",
    "cc",
    "ce",
    "ei",
    "en",
    "find_metric",
    "find_protocol",
    "metrics_of",
    "mi",
    "mse",
    "nmi",
    "psnr",
    "qabf",
    "rmse",
    "scd",
    "score",
    "sd",
    "sf",
    "ssim",
    "vif",
]
