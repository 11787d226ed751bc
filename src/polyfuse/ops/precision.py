"""Arithmetic of the networks: the names it has, and which one this machine is fast in."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from polyfuse.ops.native_kernels import instruction_set
from polyfuse.ops.recording import is_recording

Precision = Literal["float32", "bf16", "tf32"]
"""Arithmetic of the convolutions: "bf16" multiplies bfloat16 and sums float32; "tf32" matters on CUDA alone."""
BF16_SET = "avx512_bf16"
"""Name of the instruction set that multiplies bfloat16 without widening it first."""


def best_precision() -> Precision:
    """bf16 where the kernel and the processor multiply it themselves, else float32."""
    return "bf16" if instruction_set("lzsc", (BF16_SET,)) is not None else "float32"


def needs_plain_form(module: nn.Module, *inputs: Tensor) -> bool:
    """Whether gradients are recorded for an input or a parameter of `module`, or operators for an export."""
    asked = torch.is_grad_enabled() and any(x.requires_grad for x in (*inputs, *module.parameters()))
    return asked or is_recording()
