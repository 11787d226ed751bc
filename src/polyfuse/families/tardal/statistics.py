"""Mean and variance that TarDAL's batch normalisations scale by: stored, of the picture, or of all its tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

Normalise = Callable[[nn.BatchNorm2d, Tensor], Tensor]
"""Applies a batch normalisation to (N, C, H, W)."""


class Pending(Exception):
    """The statistics of a layer are not known yet: what comes after it cannot be computed."""


def scaled(norm: nn.BatchNorm2d, x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """`x` normalised by a given mean and variance of each channel, (C,) both."""
    return functional.batch_norm(x, mean, variance, norm.weight, norm.bias, eps=norm.eps)


def by_stored(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Normalise by the statistics that the weights hold."""
    return scaled(norm, x, cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var))


def by_picture(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Normalise each picture of the batch by its own mean and biased variance."""
    return torch.cat([scaled(norm, one, *_moments(one)) for one in x.split(1)])


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of each channel, (C,) both."""
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    return mean, variance


class Survey:
    """Normalise the tiles of a picture by the statistics of the whole; layers become known one after the other.

    In a round over all tiles the first layer that is not known adds up its sums and ends the work on each tile by
    `Pending`; `conclude` makes it known.
    """

    def __init__(self) -> None:
        self._known: dict[nn.BatchNorm2d, tuple[Tensor, Tensor]] = {}
        self._measured: nn.BatchNorm2d | None = None
        self._pixels = 0
        self._sums: Tensor | None = None
        self._inner: tuple[slice, slice] = (slice(None), slice(None))

    def open_tile(self, inner: tuple[slice, slice]) -> None:
        """Say which rows and columns of the next tile belong to no other."""
        self._inner = inner

    def __call__(self, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
        """Normalise a tile, (1, C, h, w).

        Raises:
            Pending: If the layer is not known yet; the tile is counted.
        """
        if norm in self._known:
            return scaled(norm, x, *self._known[norm])
        own = x[0][(slice(None), *self._inner)].flatten(1).double()  # sums over millions of pixels
        sums = torch.stack([own.sum(dim=1), own.square().sum(dim=1)])
        self._sums = sums if self._sums is None else self._sums + sums
        self._measured, self._pixels = norm, self._pixels + own.shape[1]
        raise Pending

    def conclude(self, dtype: torch.dtype) -> None:
        """End a round over all tiles."""
        if self._measured is not None and self._sums is not None:
            mean, square = self._sums / self._pixels
            variance = (square - mean.square()).clamp_min(0)
            self._known[self._measured] = mean.to(dtype), variance.to(dtype)
        self._measured, self._sums, self._pixels = None, None, 0
