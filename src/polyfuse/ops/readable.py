"""Whether the values of a tensor can be read as they lie: there are several kinds of tensors whose values cannot."""

from __future__ import annotations

import torch
from torch import Tensor


def why_unreadable(x: Tensor) -> str | None:
    """What kind of tensor `x` is and what to do, "is ...: do ...", if it has no strided values; else None."""
    if x.is_nested:
        return "is a nested tensor: give its pictures one by one"
    if hasattr(x, "fake_mode"):  # it says that it lies on a processor and has no values all the same
        return "is a fake tensor and has no values: give a real one"
    if x.is_meta:
        return "is a meta tensor and has no values: build it on a device"
    if x.layout != torch.strided:
        return f"is a tensor of layout {x.layout}: pass x.to_dense()"
    if x.is_quantized:
        return "is a quantised tensor: pass x.dequantize()"
    return None
