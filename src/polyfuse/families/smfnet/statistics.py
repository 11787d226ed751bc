"""What SMFNet's attentions need to know of a whole picture, and how they get it when it comes in tiles."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from polyfuse.families.smfnet.attention import NORM_FLOOR, ChannelAttention
from polyfuse.layers import strips
from polyfuse.ops import native_maps


@dataclass(eq=False)
class Statistics:
    """Sums over pixels that determine the matrices of one attention; they add up over strips and tiles."""

    attend: ChannelAttention
    """The attention whose matrices they determine."""
    rows: int
    """Number of rows of the window, or an upper bound."""
    products: Tensor = field(init=False)
    """q k^T within each head, (heads, c / heads, c / heads)."""
    squares: Tensor = field(init=False)
    """Squared norms of q and of k, (2, c)."""

    def __post_init__(self) -> None:
        """Set all sums to zero."""
        channels, heads, device = self.attend.channels, self.attend.heads, self.attend.temperature.device
        # float64: sums over millions of pixels
        self.products = torch.zeros(heads, *(2 * [channels // heads]), dtype=torch.float64, device=device)
        self.squares = torch.zeros(2, channels, dtype=torch.float64, device=device)
        # One tensor for the sums of all strips: tensors of their own would lie between the memory that strips free and
        # allocate again, which then no longer fits; the process grew by whole maps.
        size = self.products.numel() + self.squares.numel()
        self._strips = torch.zeros(-(-self.rows // strips.MIN_ROWS), size, dtype=torch.float64, device=device)

    def add(self, row: int, query: Tensor, key: Tensor) -> None:
        """Add a strip that begins at `row`, both (rows, columns, c); strips come in any order, from any thread.

        They begin `strips.MIN_ROWS` or more apart, as those of `each_strip` do.
        """
        products, squares = _counted(query, key, self.attend)
        torch.cat([products.flatten(), squares.flatten()], out=self._strips[row // strips.MIN_ROWS])

    def merge(self, other: Statistics) -> None:
        """Add the pixels of `other`, another window."""
        for statistics in (self, other):
            statistics._settle()
        self.products += other.products
        self.squares += other.squares

    def _settle(self) -> None:
        """Add up what strips gave, in an order that does not depend on threads."""
        products, squares = self._strips.sum(dim=0).split([self.products.numel(), self.squares.numel()])
        self.products += products.view_as(self.products)
        self.squares += squares.view_as(self.squares)
        self._strips.zero_()

    def matrix(self) -> Tensor:
        """P of all heads as one (c, c) matrix that is zero between heads."""
        self._settle()
        temperature = self.attend.temperature
        norms_query, norms_key = self.squares.sqrt().clamp_min(NORM_FLOOR).view(2, len(temperature), -1)
        cosines = self.products / (norms_query[:, :, None] * norms_key[:, None, :])
        blocks: Tensor = torch.block_diag(*(cosines * temperature).softmax(dim=-1))
        return blocks.to(temperature.dtype)


def _counted(query: Tensor, key: Tensor, attend: ChannelAttention) -> tuple[Tensor, Tensor]:
    """What these pixels, (rows, columns, c), add to `products` and `squares`."""
    if native_maps.counts(query, attend.heads):
        products, squares = native_maps.count(query, key, attend.heads)
        return products.unflatten(0, (attend.heads, -1)), squares
    exact = attend.temperature.dtype
    query, key = (x.flatten(0, 1).to(exact) for x in (query, key))
    # all heads in one product, of which the blocks on the diagonal are wanted
    products = (query.T @ key).unflatten(0, (attend.heads, -1)).unflatten(2, (attend.heads, -1))
    own = products.diagonal(dim1=0, dim2=2).permute(2, 0, 1)
    return own, torch.stack([x.square().sum(dim=0) for x in (query, key)])


class Matrices:
    """Attention matrices by place: known ones, and those measured in the window being fused."""

    def __init__(self) -> None:
        self.known: dict[str, Tensor] = {}

    def measure(self, place: str, attend: ChannelAttention, rows: int) -> Statistics | None:
        """Fresh statistics to add the pixels of a window of `rows` to; None where the matrix is known."""
        return None if place in self.known else Statistics(attend, rows)

    def settle(self, measured: dict[str, Statistics | None]) -> list[Tensor]:
        """The matrix at each place, (c, c), from what `measure` gave for it."""
        return [
            self.known[place] if statistics is None else statistics.matrix() for place, statistics in measured.items()
        ]

    def counted(self, query: Tensor, key: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """The pixels of these `rows` of the window that count, here all; both are (rows, columns, c)."""
        return query, key


class Pending(Exception):
    """A matrix is needed for which all windows must be measured first."""


class Survey(Matrices):
    """Matrices of a picture in windows. In each round over all windows, those become known that are needed next.

    Windows overlap; only their inner parts count.
    """

    def __init__(self) -> None:
        super().__init__()
        self._measured: dict[str, Statistics] = {}
        self._inner: tuple[slice, slice] = (slice(0, 0), slice(0, 0))

    def open_window(self, inner: tuple[slice, slice]) -> None:
        """Begin a window, of which only the `inner` rows and columns count."""
        self._inner = inner

    def counted(self, query: Tensor, key: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """The part of these `rows` that no other window has."""
        inner, columns = self._inner
        first, last = max(rows.start, inner.start) - rows.start, min(rows.stop, inner.stop) - rows.start
        own = (slice(first, max(first, last)), columns)
        return query[own], key[own]

    def settle(self, measured: dict[str, Statistics | None]) -> list[Tensor]:
        """The matrix at each place if all are known; else keep what was measured.

        Raises:
            Pending: If one is not known yet.
        """
        pending = {place: statistics for place, statistics in measured.items() if statistics is not None}
        for place, statistics in pending.items():
            if place in self._measured:
                self._measured[place].merge(statistics)
            else:
                self._measured[place] = statistics
        if pending:
            raise Pending
        return super().settle(measured)

    def conclude(self) -> None:
        """End a round over all windows: the matrices measured in it become known."""
        self.known |= {place: statistics.matrix() for place, statistics in self._measured.items()}
        self._measured = {}
