"""How a model came to its result: what it took from which source, what its thresholds did; as numbers and pictures."""

from polyfuse.explain.files import check_ready, save
from polyfuse.explain.report import Explanation, Part, explain
from polyfuse.explain.statistics import EstimateStatistics

__all__ = ["EstimateStatistics", "Explanation", "Part", "check_ready", "explain", "save"]
