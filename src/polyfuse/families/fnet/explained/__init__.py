"""FNet: what each of its three codes gives, and what the learned thresholds did."""

from polyfuse.families.fnet.explained.claims import CLAIMS, measure
from polyfuse.families.fnet.explained.findings import find
from polyfuse.families.fnet.explained.sheets import draw

__all__ = ["CLAIMS", "draw", "find", "measure"]
