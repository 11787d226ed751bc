"""Fusion as a service: `polyfuse serve` answers over HTTP with what `polyfuse fuse` and `polyfuse evaluate` make."""

from polyfuse.service.server import serve
from polyfuse.service.settings import Limits, Settings

__all__ = ["Limits", "Settings", "serve"]
