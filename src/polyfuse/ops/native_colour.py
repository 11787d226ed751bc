"""Luma of 8-bit RGB and a new luma under its chroma, compiled, with the bits of NumPy's form; see `native/colour.c`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.ops.native_kernels import Kernel, instruction_set

SETS = ("avx512", "avx2", "portable")
"""Instruction sets of the kernel, the best first."""
CHANNELS = 3


def takes(rgb: NDArray[Any]) -> bool:
    """Whether the kernel takes a picture: (H, W, 3) uint8, not empty, pixels of a row without gaps."""
    fits = rgb.dtype == np.uint8 and rgb.ndim == 3 and rgb.shape[2] == CHANNELS and rgb.size > 0
    return fits and rgb.strides[1:] == (CHANNELS, 1) and instruction_set("colour", SETS) is not None


def luma(rgb: NDArray[np.uint8], *, studio: bool) -> NDArray[np.float32]:
    """`polyfuse.transforms.luma` of a picture that `takes` accepts, mapped to [0, 1] first: (H, W) float32."""
    height, width, _ = rgb.shape
    made, name = np.empty((height, width), np.float32), _name()
    address, row_step = _start(rgb), rgb.strides[0]
    Kernel("colour", name).luma(name, address, (height, width, row_step), studio, _start(made), width)
    return made


def merged(fused: NDArray[np.float32], rgb: NDArray[np.uint8], *, studio: bool, safe: bool) -> NDArray[np.uint8] | None:
    """`polyfuse.transforms.merge` of a luma, clipped to [0, 1], and the chroma of a picture, in 8 bits.

    Args:
        fused: (H, W) luma.
        rgb: One that `takes` accepts, of the same size.
        studio: Convention of the luma.
        safe: Whether chroma is pulled in where it leaves the gamut, or channels are clipped.

    Returns:
        (H, W, 3); None where a luma is not finite.
    """
    if fused.shape != rgb.shape[:2] or fused.dtype != np.float32:
        raise ValueError(f"luma is {fused.shape} {fused.dtype}: the kernel needs {rgb.shape[:2]} float32")
    if fused.strides[1] != fused.itemsize or fused.strides[0] % fused.itemsize:
        fused = np.ascontiguousarray(fused)
    made, name = np.empty(rgb.shape, np.uint8), _name()
    height, width = fused.shape
    step = fused.strides[0] // fused.itemsize
    is_finite = Kernel("colour", name).merge(
        name, _start(rgb), (height, width, rgb.strides[0]), (studio, safe), (_start(fused), step), _start(made)
    )
    return made if is_finite else None


def _start(array: NDArray[Any]) -> int:
    """Address of the first value."""
    return int(array.ctypes.data)


def _name() -> str:
    """The best instruction set of this processor."""
    name = instruction_set("colour", SETS)
    assert name is not None
    return name
