"""From two pictures to a fused one: conventions, tiles, the model, and the way back to the file's depth and colour."""

from polyfuse.fusion.batch import Outcome, Writing, fuse_pairs
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.pair import fuse
from polyfuse.fusion.result import Result
from polyfuse.fusion.tensors import fuse_tensors
from polyfuse.io import Source

__all__ = ["FuseOptions", "Outcome", "Result", "Source", "Writing", "fuse", "fuse_pairs", "fuse_tensors"]
