"""FNet-T: a small student of FNet that fuses in real time on a CPU."""

from polyfuse.families.fnet_t.model import FNetT
from polyfuse.families.fnet_t.network import FNetTConfig

__all__ = ["FNetT", "FNetTConfig"]
