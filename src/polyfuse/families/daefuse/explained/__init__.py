"""DAE-Fuse: reconstructions, detail and base, where attention looks, which source each place depends on."""

from polyfuse.families.daefuse.explained.claims import CLAIMS, measure
from polyfuse.families.daefuse.explained.findings import find
from polyfuse.families.daefuse.explained.sheets import draw

__all__ = ["CLAIMS", "draw", "find", "measure"]
