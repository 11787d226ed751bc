"""Data sets to train on: their folder layouts, packs of their luma, and crops of these."""

from polyfuse.data.layouts import PairSet, find_set
from polyfuse.data.pack import Pack, PackItem, write_pack

__all__ = ["Pack", "PackItem", "PairSet", "find_set", "write_pack"]
