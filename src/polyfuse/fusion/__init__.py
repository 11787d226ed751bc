"""From two pictures to a fused one: conventions, tiles, the model, and the way back to the file's depth and colour."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from polyfuse.fusion.batch import Outcome, Writing, fuse_pairs
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.pair import fuse
from polyfuse.fusion.result import Result
from polyfuse.io import Source

if TYPE_CHECKING:
    from polyfuse.fusion.tensors import fuse_tensors

__all__ = ["FuseOptions", "Outcome", "Result", "Source", "Writing", "fuse", "fuse_pairs", "fuse_tensors"]


def __getattr__(name: str) -> Any:
    """Load what takes tensors when it is asked for: pictures can be fused where there is no PyTorch."""
    if name != "fuse_tensors":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("polyfuse.fusion.tensors").fuse_tensors
