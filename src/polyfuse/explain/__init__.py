"""How a model came to its result: what it took from which source, what it found there; as numbers and pictures."""

from polyfuse.drawing.claims import Claim
from polyfuse.drawing.findings import Findings
from polyfuse.explain.claims import ClaimsReport, Estimate, measure_claims
from polyfuse.explain.claims_tables import check_claims_ready, claims_text, save_claims
from polyfuse.explain.files import check_ready, save
from polyfuse.explain.lost import LostFindings, LostScale
from polyfuse.explain.report import Explanation, explain, explain_lost

__all__ = [
    "Claim",
    "ClaimsReport",
    "Estimate",
    "Explanation",
    "Findings",
    "LostFindings",
    "LostScale",
    "check_claims_ready",
    "check_ready",
    "claims_text",
    "explain",
    "explain_lost",
    "measure_claims",
    "save",
    "save_claims",
]
