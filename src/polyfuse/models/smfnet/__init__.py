"""SMFNet: semantic-aware, multi-guided fusion."""

from polyfuse.models.smfnet.config import SMFNetConfig
from polyfuse.models.smfnet.network import Features, SMFNet

__all__ = ["Features", "SMFNet", "SMFNetConfig"]
