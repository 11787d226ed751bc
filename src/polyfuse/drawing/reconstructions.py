"""What the decoder makes of either source alone, for the families that have learned to do that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.canvas import Canvas, signed, signed_scale
from polyfuse.drawing.maps import as_array
from polyfuse.drawing.panels import Panel, Row, as_picture8, sheet
from polyfuse.drawing.pictures import Pictures


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A source and what came back of it."""

    source: NDArray[np.float32]
    """(H, W) in [0, 1], as the network got it."""
    made: NDArray[np.float32]
    """(H, W)."""

    @classmethod
    def of(cls, source: Tensor, made: Tensor) -> Reconstruction:
        """From two tensors of (1, 1, H, W)."""
        return cls(as_array(source[0, 0]), as_array(made[0, 0]))

    @property
    def error(self) -> NDArray[np.float32]:
        """(H, W), what came back less the source."""
        return self.made - self.source

    def numbers(self) -> dict[str, float]:
        """How large the error is."""
        return {"rms_error": float(np.sqrt(np.square(self.error).mean())), "mean_error": float(self.error.mean())}


def reconstruction_sheet(pictures: Pictures, reconstructions: dict[str, Reconstruction]) -> Canvas:
    """A row for each source, "a" and "b": as the network got it, what came back, and the error."""
    rows = [_row(source, name, reconstructions[source]) for source, name in zip("ab", pictures.names, strict=True)]
    line = (
        "Each source goes through encoder and decoder alone, as in the first stage of training. What is wrong here is "
        "lost before any fusion;\nweights whose decoder learned other things in the second stage may fail here and "
        "still fuse well."
    )
    return sheet("What comes back of each source", line, rows, 4.4)


def _row(source: str, name: str, reconstruction: Reconstruction) -> Row:
    """Source "a" or "b", called `name` in captions."""
    error = reconstruction.error
    sizes = reconstruction.numbers()
    mean = signed(sizes["mean_error"], 4)
    line = f"root mean square error {sizes['rms_error']:.4f}, mean error {mean} (black 0, white 1)"
    panels = (
        Panel("as the network got it", as_picture8(reconstruction.source)),
        Panel("what came back", as_picture8(reconstruction.made)),
        Panel("error (red: too bright, blue: too dark)", error, signed_scale(error)),
    )
    return Row(f"{source}: {name}", line, panels)
