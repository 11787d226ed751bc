"""Correlation of two tensors as one number, differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1.1920929e-07  # float32's, in the official SMFNet code


def correlation(x: Tensor, y: Tensor, *, per_sample: bool = False) -> Tensor:
    """sum(x y) / (eps + |x| |y|) of both tensors less their means, clamped to [-1, 1].

    Args:
        x: (N, ...).
        y: Same shape.
        per_sample: One value for each sample instead of one for the whole batch.

    Returns:
        A scalar, or (N,); 0 where either is constant.

    Source: SMFNet official code, which takes the whole batch at once.
    """
    x, y = (values.flatten(1) if per_sample else values.reshape(1, -1) for values in (x, y))
    x, y = x - x.mean(dim=1, keepdim=True), y - y.mean(dim=1, keepdim=True)
    norms = torch.linalg.vector_norm(x, dim=1) * torch.linalg.vector_norm(y, dim=1)
    coefficient: Tensor = ((x * y).sum(dim=1) / (EPSILON + norms)).clamp(-1, 1)
    return coefficient if per_sample else coefficient[0]
