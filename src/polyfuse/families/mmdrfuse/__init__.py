"""MMDRFuse: a student of two convolutions and 113 values. Not ours; see spec peers 4."""

from polyfuse.families.mmdrfuse.network import MMDRFuse

__all__ = ["MMDRFuse"]
