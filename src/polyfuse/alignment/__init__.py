"""Pictures of two cameras brought together: what a warp is, its file, and how it is applied."""

from polyfuse.alignment.files import read_warp, write_warp
from polyfuse.alignment.warp import Warp

__all__ = ["Warp", "read_warp", "write_warp"]
