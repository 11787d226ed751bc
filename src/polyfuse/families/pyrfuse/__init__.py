"""PyrFuse: chooses inside a Laplacian pyramid whose detail to take. Ours."""

from polyfuse.families.pyrfuse.model import PyrFuse
from polyfuse.families.pyrfuse.network import PyrFuseConfig

__all__ = ["PyrFuse", "PyrFuseConfig"]
