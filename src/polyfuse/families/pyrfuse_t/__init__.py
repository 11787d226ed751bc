"""PyrFuse-T: PyrFuse in real time on a CPU, for clips and live pictures. Ours."""

from polyfuse.families.pyrfuse_t.model import PyrFuseT
from polyfuse.families.pyrfuse_t.network import PyrFuseTConfig

__all__ = ["PyrFuseT", "PyrFuseTConfig"]
