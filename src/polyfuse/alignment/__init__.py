"""Pictures of two cameras brought together: what a warp is, its file, how it is found and how it is applied."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from polyfuse.alignment.files import read_warp, write_warp
from polyfuse.alignment.warp import Warp

if TYPE_CHECKING:
    from polyfuse.alignment.check import seems_off
    from polyfuse.alignment.points import warp_of_points
    from polyfuse.alignment.vote import find_warp

__all__ = ["Warp", "find_warp", "read_warp", "seems_off", "warp_of_points", "write_warp"]

_LATER = {
    "find_warp": "polyfuse.alignment.vote",
    "seems_off": "polyfuse.alignment.check",
    "warp_of_points": "polyfuse.alignment.points",
}
"""What finds a warp needs torch, which those who read or apply one do not load."""


def __getattr__(name: str) -> Any:
    """Load what finds warps when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
