"""SMFNet: base, detail and graph features, what each is good for, gates, scales and attention."""

from polyfuse.families.smfnet.explained.claims import CLAIMS, measure
from polyfuse.families.smfnet.explained.findings import find
from polyfuse.families.smfnet.explained.sheets import draw

__all__ = ["CLAIMS", "draw", "find", "measure"]
