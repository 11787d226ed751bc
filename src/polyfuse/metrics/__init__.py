"""Fusion metrics: each once, under the conventions of every toolbox of the field.

from polyfuse.metrics import score, vif
vif(fused, a, b, protocol="cddfuse")                  # (N,) float64
score(fused, a, b, metrics=["MI", "VIF", "Qabf"]).values
"""

from polyfuse.metrics.ag import ag
from polyfuse.metrics.catalogue import METRICS, Scores, computable_metrics, find_metric, metrics_of, score
from polyfuse.metrics.cc import cc
from polyfuse.metrics.cd import cd
from polyfuse.metrics.ce import ce
from polyfuse.metrics.ei import ei
from polyfuse.metrics.en import en
from polyfuse.metrics.flatsd import flatsd
from polyfuse.metrics.fmi import fmi_dct, fmi_edge, fmi_gradient, fmi_none, fmi_wavelet
from polyfuse.metrics.labf import labf
from polyfuse.metrics.lost import lost, lostmax
from polyfuse.metrics.mef_ssim import mef_ssim
from polyfuse.metrics.metric import ARROWS, Metric, UndefinedMetricWarning
from polyfuse.metrics.mi import mi
from polyfuse.metrics.ms_ssim import ms_ssim
from polyfuse.metrics.mse import mse
from polyfuse.metrics.nabf import nabf
from polyfuse.metrics.nabf_petrovic import nabf_petrovic
from polyfuse.metrics.ncie import ncie
from polyfuse.metrics.nmi import nmi
from polyfuse.metrics.protocols import PROTOCOLS, Protocol, find_protocol
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

mef_ms_ssim = mef_ssim  # the name in METRICS, in lower case, as for every other metric

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
    "cd",
    "ce",
    "computable_metrics",
    "ei",
    "en",
    "find_metric",
    "find_protocol",
    "flatsd",
    "fmi_dct",
    "fmi_edge",
    "fmi_gradient",
    "fmi_none",
    "fmi_wavelet",
    "labf",
    "lost",
    "lostmax",
    "mef_ms_ssim",
    "mef_ssim",
    "metrics_of",
    "mi",
    "ms_ssim",
    "mse",
    "nabf",
    "nabf_petrovic",
    "ncie",
    "nmi",
    "psnr",
    "qabf",
    "qabf_petrovic",
    "qc",
    "qcb",
    "qcv",
    "qg",
    "qs",
    "qsf",
    "qw",
    "qy",
    "rank",
    "rmse",
    "scd",
    "score",
    "sd",
    "sf",
    "ssim",
    "te",
    "vif",
    "viff",
    "vis",
]
