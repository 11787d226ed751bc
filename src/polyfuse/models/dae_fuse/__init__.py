"""DAE-Fuse: an adversarial autoencoder and cross attention between two modalities."""

from polyfuse.models.dae_fuse.config import DAEFuseConfig
from polyfuse.models.dae_fuse.discriminator import Discriminator
from polyfuse.models.dae_fuse.network import DAEFuse

__all__ = ["DAEFuse", "DAEFuseConfig", "Discriminator"]
