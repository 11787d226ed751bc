"""DenseFuse: one dense encoder for both sources, whose features are averaged. Not ours; see spec peers 3."""

from polyfuse.families.densefuse.network import DenseFuse

__all__ = ["DenseFuse"]
