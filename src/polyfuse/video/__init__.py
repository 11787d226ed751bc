"""Clips and folders of frames in and out, one range and one set of conventions for all of them."""

from polyfuse.video.clip import fuse_clip
from polyfuse.video.codecs import ClipOptions
from polyfuse.video.frames import fuse_frames
from polyfuse.video.run import ClipResult

__all__ = ["ClipOptions", "ClipResult", "fuse_clip", "fuse_frames"]
