"""Clips: frames with time stamps in and out, one range and one set of conventions for all of them."""

from polyfuse.video.clip import fuse_clip
from polyfuse.video.codecs import ClipOptions
from polyfuse.video.reader import is_clip
from polyfuse.video.run import ClipResult

__all__ = ["ClipOptions", "ClipResult", "fuse_clip", "is_clip"]
