"""Black where no sensor saw anything, exactly."""

from __future__ import annotations

import torch
from torch import Tensor


def keep_black(fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return `fused` with 0 wherever both sources are 0; all (N, 1, H, W).

    The background of a medical scan says "outside the body"; a faint halo around the head would say otherwise.

    Source: ours.

    >>> keep_black(torch.tensor([[[[0.1, 0.2]]]]), torch.tensor([[[[0.0, 0.5]]]]), torch.zeros(1, 1, 1, 2))
    tensor([[[[0.0000, 0.2000]]]])
    """
    return torch.where((a == 0) & (b == 0), 0.0, fused)
