"""DAE-Fuse: an adversarial autoencoder and cross attention between two modalities."""

from polyfuse.families.daefuse.config import DAEFuseConfig
from polyfuse.families.daefuse.discriminator import Discriminator
from polyfuse.families.daefuse.model import DAEFuse

__all__ = ["DAEFuse", "DAEFuseConfig", "Discriminator"]
