"""FNet: what each of its three codes gives, and what the learned thresholds did."""

from polyfuse.explain.fnet.findings import PARTS, FNetFindings, Part, find
from polyfuse.explain.fnet.statistics import EstimateStatistics

__all__ = ["PARTS", "EstimateStatistics", "FNetFindings", "Part", "find"]
