"""The filters of AUIF: box means, and a bank of 3x3 filters there and back again."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from polyfuse.layers.bordered import bordered


def box_mean(x: Tensor, side: int) -> Tensor:
    """Mean over a square around each pixel, mirrored at the border; (N, 1, H, W) to the same."""
    x = bordered(x, side // 2, "reflect")
    return functional.avg_pool2d(functional.avg_pool2d(x, (side, 1), 1), (1, side), 1)


def there_and_back_plain(x: Tensor, bank: Tensor) -> Tensor:
    """K' * (K * x), both over a mirrored border, K' being K turned round.

    Args:
        x: (N, 1, H, W).
        bank: K, (C, 1, 3, 3).

    Returns:
        (N, 1, H, W).
    """
    spread = functional.conv2d(bordered(x, 1, "reflect"), bank)
    # official: a mirrored border here too, where a transposed convolution would differ
    return functional.conv2d(bordered(spread, 1, "reflect"), bank.transpose(0, 1).flip(-2, -1))


def there_and_back(x: Tensor, bank: Tensor) -> Tensor:
    """The same as `there_and_back_plain` up to rounding, with 25 products a pixel instead of 18 C.

    Both convolutions together are one of 5x5, the filters' correlation with themselves; only where K * x is mirrored,
    in the outermost pixels, are they not, and there the plain form is taken.
    """
    if min(x.shape[-2:]) < 3:
        return there_and_back_plain(x, bank)
    filters = bank.transpose(0, 1).double()
    both = functional.conv2d(functional.pad(filters, (2,) * 4), filters)
    out = functional.conv2d(bordered(x, 2, "reflect"), both.to(x.dtype))
    out[..., :1, :] = there_and_back_plain(x[..., :3, :], bank)[..., :1, :]
    out[..., -1:, :] = there_and_back_plain(x[..., -3:, :], bank)[..., -1:, :]
    out[..., :1] = there_and_back_plain(x[..., :3], bank)[..., :1]
    out[..., -1:] = there_and_back_plain(x[..., -3:], bank)[..., -1:]
    return out
