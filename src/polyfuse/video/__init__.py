"""Clips: frames with time stamps in and out, one range and one set of conventions for all of them, no flicker."""

from polyfuse.video.clip import ClipResult, fuse_clip
from polyfuse.video.codecs import ClipOptions
from polyfuse.video.reader import is_clip

__all__ = ["ClipOptions", "ClipResult", "fuse_clip", "is_clip"]
