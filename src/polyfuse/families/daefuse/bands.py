"""How the energy of DAE-Fuse's features is spread over spatial frequencies."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.ops.frequencies import band_shares


@dataclass(frozen=True)
class Bands:
    """Bands of spatial frequency, lowest first."""

    edges: tuple[float, ...]
    """Where one band ends and the next begins, cycles per pixel."""
    names: tuple[str, ...]
    """What the bands are called, one more than there are edges."""

    def named(self, shares: Tensor) -> dict[str, float]:
        """Values of the bands, (number of bands,), by name."""
        return dict(zip(self.names, shares.tolist(), strict=True))


BANDS = Bands((1 / 16, 1 / 8, 1 / 4), ("to 1/16", "to 1/8", "to 1/4", "above 1/4"))
"""The low-frequency encoder, which works in patches of 8 pixels, can carry the lowest alone (spec daefuse 2.3)."""


def embedding_bands(model: DAEFuseNetwork, picture: Tensor, source: str) -> dict[str, Tensor]:
    """Share of energy per band in the channels of each branch, within the picture.

    Args:
        model: The network; one with a single encoder gives that one's alone.
        picture: (N, 1, H, W) in [0, 1].
        source: Modality, "a" or "b".

    Returns:
        "high" and "low", (N, number of bands) each; a row adds up to 1.
    """
    frame, config = model.frame(picture), model.config
    embedding = frame.crop(model.encode(frame.pad(picture), source)).to(picture.dtype)
    parts = embedding.split([config.high_width, config.low_width], dim=1)
    present = {name: part for name, part in zip(("high", "low"), parts, strict=True) if part.shape[1]}
    return {name: band_shares(part, BANDS.edges) for name, part in present.items()}
