"""AUIF: base and detail by ten unrolled iterations each. Not ours; see spec peers 5."""

from polyfuse.families.auif.network import AUIF

__all__ = ["AUIF"]
