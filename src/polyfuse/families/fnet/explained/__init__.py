"""FNet: what each of its three codes gives, and what the learned thresholds did."""

from polyfuse.families.fnet.explained.findings import PARTS, FNetFindings, Part, find
from polyfuse.families.fnet.explained.statistics import EstimateStatistics

__all__ = ["PARTS", "EstimateStatistics", "FNetFindings", "Part", "find"]
