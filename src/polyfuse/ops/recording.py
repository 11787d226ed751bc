"""Whether an export records the operators that run: then compiled and size-dependent forms are not for it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def is_recording() -> bool:
    """Whether `torch.onnx.export` or `torch.jit.trace` is recording."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]  # public, and without types


def recorded_sizes(*sides: int) -> tuple[Tensor, ...]:
    """Sizes of a tensor as what they are while operators are recorded: scalars, of which formulas can be made."""
    return tuple(cast(Tensor, side) for side in sides)
