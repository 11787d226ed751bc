"""Means over the cells of a grid as products of matrices, for graphs whose sizes are not known when they are written.

PyTorch's own pooling has numbers in the graph where an exported model needs formulas of the picture's size.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def adaptive_weights(size: Tensor, cells: Tensor) -> Tensor:
    """Weights (cells, size) of `functional.adaptive_avg_pool2d` along one axis; both numbers are int64 scalars.

    >>> adaptive_weights(torch.tensor(3), torch.tensor(2))
    tensor([[0.5000, 0.5000, 0.0000],
            [0.0000, 0.5000, 0.5000]])
    """
    cell, place = torch.arange(_number(cells))[:, None], torch.arange(_number(size))
    first, behind = cell * size // cells, ((cell + 1) * size + cells - 1) // cells
    return _shares((place >= first) & (place < behind))


def block_weights(size: Tensor, side: Tensor) -> Tensor:
    """Weights (ceil(size / side), size) of `functional.avg_pool2d` along one axis; the last block may be cut off.

    >>> block_weights(torch.tensor(3), torch.tensor(2))
    tensor([[0.5000, 0.5000, 0.0000],
            [0.0000, 0.0000, 1.0000]])
    """
    cell, place = torch.arange(_number((size + side - 1) // side))[:, None], torch.arange(_number(size))
    return _shares(place // side == cell)


def means(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, h, w), given weights (h, H) along the columns and (w, W) along the rows."""
    made: Tensor = rows.to(x.dtype) @ x @ columns.to(x.dtype).transpose(0, 1)
    return made


def _number(size: Tensor) -> int:
    """A scalar for functions whose types say that they take numbers: they take scalars too, and so do graphs."""
    return cast(int, size)


def _shares(inside: Tensor) -> Tensor:
    """What is true in each row gets the same share of one."""
    counted = inside.float()
    return counted / counted.sum(dim=1, keepdim=True)
