"""SeAFusion: two branches of gradient residual dense blocks. Not ours; see spec peers 1."""

from polyfuse.families.seafusion.network import SeAFusion

__all__ = ["SeAFusion"]
