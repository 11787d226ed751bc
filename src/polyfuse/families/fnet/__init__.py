"""FNet: interpretable fusion by learned l0 convolutional sparse coding."""

from polyfuse.families.fnet.inverse import IFNet, IFNetConfig
from polyfuse.families.fnet.network import FNet, FNetConfig

__all__ = ["FNet", "FNetConfig", "IFNet", "IFNetConfig"]
