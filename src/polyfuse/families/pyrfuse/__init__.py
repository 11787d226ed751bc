"""PyrFuse: chooses inside a Laplacian pyramid whose detail to take; PyrFuse-T: the same in real time on a CPU. Ours."""

from polyfuse.families.pyrfuse.model import PyrFuse
from polyfuse.families.pyrfuse.network import PyrFuseConfig
from polyfuse.families.pyrfuse.real_time import PyrFuseT
from polyfuse.families.pyrfuse.real_time_network import PyrFuseTConfig

__all__ = ["PyrFuse", "PyrFuseConfig", "PyrFuseT", "PyrFuseTConfig"]
