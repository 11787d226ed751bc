"""SMFNet: semantic-aware, multi-guided fusion."""

from polyfuse.families.smfnet.config import SMFNetConfig
from polyfuse.families.smfnet.model import SMFNet
from polyfuse.families.smfnet.network import Features

__all__ = ["Features", "SMFNet", "SMFNetConfig"]
