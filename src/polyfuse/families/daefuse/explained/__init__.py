"""DAE-Fuse: reconstructions, detail and base, where attention looks, which source each place depends on."""

from polyfuse.families.daefuse.explained.findings import DAEFuseFindings, find

__all__ = ["DAEFuseFindings", "find"]
