"""The compiled modules: whether they were built, and what of them this processor can run.

"lzsc" codes pictures for FNet, "maps" works on maps (H, W, C) for the other networks. Where a module was not built or
the processor lacks its instructions, callers go the way of PyTorch.
"""

from __future__ import annotations

import functools
from importlib import import_module
from types import ModuleType

import torch

MAX_CHANNELS = 64
"""Most channels of a map that the kernel "maps" takes."""
MAPS_SETS: dict[torch.dtype, tuple[str, ...]] = {
    torch.bfloat16: ("avx512_bf16",),
    torch.float32: ("avx512", "avx2"),
}
"""Instruction sets of the kernel "maps", the best first."""


@functools.cache
def kernel(name: str) -> ModuleType | None:
    """The module "lzsc" or "maps"; None where the package was built without a compiler."""
    try:
        return import_module(f"polyfuse.ops._{name}")
    except ImportError:
        return None


def built_kernel(name: str) -> ModuleType:
    """The module, of which the caller knows that it was built."""
    module = kernel(name)
    assert module is not None
    return module


def maps_kernel() -> ModuleType:
    """The module "maps", for callers that know from `supports_maps` that it is there."""
    return built_kernel("maps")


@functools.cache
def instruction_set(name: str, wanted: tuple[str, ...]) -> str | None:
    """The first of `wanted` that the kernel `name` has and the processor knows; None where there is none."""
    module = kernel(name)
    return next((choice for choice in wanted if module is not None and module.supports(choice)), None)


def maps_instruction_set(dtype: torch.dtype) -> str | None:
    """Name of the best instruction set for maps of `dtype` here."""
    return instruction_set("maps", MAPS_SETS.get(dtype, ()))


def supports_maps(device: torch.device, dtype: torch.dtype, channels: int) -> bool:
    """Whether the kernel "maps" takes maps of that device, type and number of channels."""
    return device.type == "cpu" and channels <= MAX_CHANNELS and maps_instruction_set(dtype) is not None


def check_map(name: str, x: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Refuse a tensor whose address a kernel must not get: what lies there is taken as `shape` of `dtype`.

    Rows and pixels may lie apart, channels may not.

    Raises:
        ValueError: If it has another shape or type, is on no CPU, or its channels lie apart.
    """
    if x.shape != shape or x.dtype != dtype or not x.is_cpu:
        raise ValueError(f"{name} is {tuple(x.shape)} {x.dtype} on {x.device}: the kernel needs {shape} {dtype}")
    if x.stride(-1) != 1 and shape[-1] > 1:
        raise ValueError(f"{name} has strides {x.stride()}: the kernel needs channels that lie together")


def check_rows(rows: slice, height: int) -> None:
    """Refuse rows that do not lie within a map of `height` rows.

    Raises:
        ValueError: If they do not.
    """
    if not 0 <= rows.start <= rows.stop <= height:
        raise ValueError(f"rows {rows.start} to {rows.stop} are not within {height}: give rows of the map")
