"""What SMFNet's attentions take from a whole picture, and where their matrices come from when it comes in tiles."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from polyfuse.models.smfnet.attention import NORM_FLOOR, ChannelAttention


@dataclass(eq=False)
class Statistics:
    """Sums over pixels that determine the matrices of one attention; they add up over strips and tiles."""

    attend: ChannelAttention
    """Which attention."""
    products: Tensor = field(init=False)
    """q k^T between all channels, (c, c); only those within a head are used."""
    squares: Tensor = field(init=False)
    """Squared norms of q and of k, (2, c)."""

    def __post_init__(self) -> None:
        """Start from nothing."""
        channels, device = self.attend.channels, self.attend.temperature.device
        # float64: sums over millions of pixels
        self.products = torch.zeros(channels, channels, dtype=torch.float64, device=device)
        self.squares = torch.zeros(2, channels, dtype=torch.float64, device=device)

    def add(self, query: Tensor, key: Tensor) -> None:
        """Add some pixels, both (rows, columns, c)."""
        exact = self.attend.temperature.dtype
        query, key = (x.flatten(0, 1).to(exact) for x in (query, key))
        self.products += query.T @ key
        self.squares[0] += query.square().sum(dim=0)
        self.squares[1] += key.square().sum(dim=0)

    def merge(self, other: Statistics) -> None:
        """Add the pixels of `other`."""
        self.products += other.products
        self.squares += other.squares

    def matrix(self) -> Tensor:
        """P of all heads as one (c, c) matrix that is zero between heads."""
        norms_query, norms_key = self.squares.sqrt().clamp_min(NORM_FLOOR)
        cosines = self.products / (norms_query[:, None] * norms_key)
        temperature = self.attend.temperature
        heads = len(temperature)
        size = len(cosines) // heads
        own = cosines.unflatten(0, (heads, size)).unflatten(2, (heads, size))
        per_head = torch.stack([own[head, :, head] for head in range(heads)]) * temperature
        blocks: Tensor = torch.block_diag(*per_head.softmax(dim=-1))
        return blocks.to(temperature.dtype)


class Matrices:
    """Attention matrices by place: those already known, the others of the window in work itself."""

    def __init__(self) -> None:
        self.known: dict[str, Tensor] = {}

    def measure(self, place: str, attend: ChannelAttention) -> Statistics | None:
        """Fresh statistics to add the window's pixels to; None where the matrix is known."""
        return None if place in self.known else Statistics(attend)

    def settle(self, measured: dict[str, Statistics | None]) -> list[Tensor]:
        """The matrix at each place, (c, c), from what `measure` gave for it."""
        return [self.known[place] if found is None else found.matrix() for place, found in measured.items()]

    def counted(self, x: Tensor, rows: slice) -> Tensor:
        """What counts of these `rows` of the window, (H, W, C)."""
        return x


class Pending(Exception):
    """A matrix is due that all windows must be measured for first."""


class Survey(Matrices):
    """Matrices of a picture that comes in windows, over and over again; each round makes those known that are due next.

    Windows overlap; only their inner parts count.
    """

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, Statistics] = {}
        self._inner: tuple[slice, slice] = (slice(0, 0), slice(0, 0))

    def open_window(self, inner: tuple[slice, slice]) -> None:
        """What comes now is a window whose `inner` rows and columns count."""
        self._inner = inner

    def counted(self, x: Tensor, rows: slice) -> Tensor:
        """The part of these `rows` that no other window has."""
        inner, columns = self._inner
        first, last = max(rows.start, inner.start) - rows.start, min(rows.stop, inner.stop) - rows.start
        return x[first : max(first, last), columns]

    def settle(self, measured: dict[str, Statistics | None]) -> list[Tensor]:
        """The matrix at each place if all are known; else put down what was measured.

        Raises:
            Pending: If one is not known yet.
        """
        pending = {place: found for place, found in measured.items() if found is not None}
        for place, found in pending.items():
            if place in self._found:
                self._found[place].merge(found)
            else:
                self._found[place] = found
        if pending:
            raise Pending
        return super().settle(measured)

    def conclude(self) -> None:
        """All windows were seen: what was measured becomes known."""
        self.known |= {place: found.matrix() for place, found in self._found.items()}
        self._found = {}
