"""From pictures of any size to the network's work size and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from polyfuse.ops.padding import reflect_indices
from polyfuse.ops.recording import is_recording, recorded_sizes

MIN_SIDE = 16
"""Smaller pictures are first continued by their edge pixels to the right and downwards."""


@dataclass(frozen=True)
class Frame:
    """A picture's place in the work size, in which it is mirrored once on all sides."""

    height: int
    """Rows of the picture."""
    width: int
    """Columns of the picture."""
    patch: int
    """The work size is a multiple of this."""
    margin: int
    """Mirrored pixels above and to the left; below and to the right come those up to the next multiple."""

    def pad(self, x: Tensor) -> Tensor:
        """(N, C, height, width) at the work size."""
        for axis, size in ((-2, self.height), (-1, self.width)):
            indices = self._indices(size, x.device)
            if len(indices) > size:
                x = x.index_select(axis, indices)
        return x

    def crop(self, x: Tensor) -> Tensor:
        """The picture's part of (N, C, H, W) at the work size."""
        return x[..., self.margin : self.margin + self.height, self.margin : self.margin + self.width]

    def _indices(self, size: int, device: torch.device) -> Tensor:
        """Row or column of the picture for each one of the work size."""
        # while an export records operators sizes are tensors, and what `max` says of one picture would hold for all
        whole = cast(int, recorded_sizes(size)[0].clamp(min=MIN_SIDE)) if is_recording() else max(size, MIN_SIDE)
        after = self.margin + -(whole + 2 * self.margin) % self.patch
        return reflect_indices(whole, after, device)[after - self.margin :].clamp(max=size - 1)
