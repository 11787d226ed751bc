"""Baselines and classic methods, one a file, called like any other model; of these MDLatLRR alone needs weights."""

from polyfuse.families.classic.adf import ADF
from polyfuse.families.classic.average import Average
from polyfuse.families.classic.contrast import Contrast
from polyfuse.families.classic.dtcwt import DTCWT
from polyfuse.families.classic.dwt import DWT
from polyfuse.families.classic.gff import GFF
from polyfuse.families.classic.gtf import GTF
from polyfuse.families.classic.hmsd_gf import HMSDGF
from polyfuse.families.classic.hybrid_msd import HybridMSD
from polyfuse.families.classic.laplacian import LEVELS, Laplacian
from polyfuse.families.classic.lp_sr import LPSR
from polyfuse.families.classic.maximum import Maximum
from polyfuse.families.classic.mdlatlrr import MDLatLRR
from polyfuse.families.classic.mgff import MGFF
from polyfuse.families.classic.ratio import Ratio
from polyfuse.families.classic.tsifvs import TSIFVS

__all__ = [
    "ADF",
    "DTCWT",
    "DWT",
    "GFF",
    "GTF",
    "HMSDGF",
    "LEVELS",
    "LPSR",
    "MGFF",
    "TSIFVS",
    "Average",
    "Contrast",
    "HybridMSD",
    "Laplacian",
    "MDLatLRR",
    "Maximum",
    "Ratio",
]
