"""How a model came to its result: what it took from which source, what it found there; as numbers and pictures."""

from polyfuse.drawing.findings import Findings
from polyfuse.explain.files import check_ready, save
from polyfuse.explain.lost import LostFindings, LostScale
from polyfuse.explain.report import Explanation, explain, explain_lost

__all__ = ["Explanation", "Findings", "LostFindings", "LostScale", "check_ready", "explain", "explain_lost", "save"]
