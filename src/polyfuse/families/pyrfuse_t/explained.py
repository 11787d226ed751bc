"""PyrFuse-T: which source gave the detail where; the findings and sheets are PyrFuse's."""

from polyfuse.families.pyrfuse.explained import draw, find

__all__ = ["draw", "find"]
