"""What the compiled kernel "maps" takes: types, channels and instruction sets."""

from __future__ import annotations

import torch

from polyfuse.ops.native_kernels import Kernel, instruction_set

MAX_CHANNELS = 64
"""Most channels of a map that the kernel "maps" takes."""
MAPS_SETS: dict[torch.dtype, tuple[str, ...]] = {
    torch.bfloat16: ("avx512_bf16",),
    torch.float32: ("avx512", "avx2"),
}
"""Instruction sets of the kernel "maps", the best first."""


def maps_kernel(dtype: torch.dtype = torch.bfloat16) -> Kernel:
    """The module "maps", for callers that know from `supports_maps` that it is there."""
    instructions = maps_instruction_set(dtype)
    assert instructions is not None
    return Kernel("maps", instructions)


def maps_instruction_set(dtype: torch.dtype) -> str | None:
    """Name of the best instruction set for maps of `dtype` here."""
    return instruction_set("maps", MAPS_SETS.get(dtype, ()))


def supports_maps(device: torch.device, dtype: torch.dtype, channels: int) -> bool:
    """Whether the kernel "maps" takes maps of that device, type and number of channels."""
    return device.type == "cpu" and channels <= MAX_CHANNELS and maps_instruction_set(dtype) is not None
