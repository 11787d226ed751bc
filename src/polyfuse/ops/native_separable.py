"""The compiled block of a 1x1, a depthwise 3x3 and another 1x1 convolution on bfloat16 maps with the channels last.

See `native/separable.h`; inference on a CPU that multiplies bfloat16. Elsewhere callers go the way of PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.native_kernels import check_map, check_rows
from polyfuse.ops.native_maps_sets import MAX_CHANNELS, maps_kernel, supports_maps
from polyfuse.ops.native_packing import pair_words

LANES = 16
BLOCK = 64  # columns that are worked on together, as in native/separable.h
MAX_WIDE = 3 * MAX_CHANNELS
Activation = Literal["none", "relu6", "gelu"]
CODES: dict[Activation, int] = {"none": 0, "relu6": 1, "gelu": 2}


class Filters(NamedTuple):
    """Weight and bias of a convolution, as of `nn.Conv2d`."""

    weight: Tensor
    bias: Tensor | None


class Norm(NamedTuple):
    """Layer normalisation over the channels of a pixel."""

    weight: Tensor
    bias: Tensor
    epsilon: float


@dataclass(frozen=True)
class Block:
    """What is computed: x -> [norm] -> expand -> mix -> [reduce] -> [+ norm(x) + x]."""

    expand: Filters
    """First convolution, 1x1, weight (M, C, 1, 1)."""
    mix: Filters
    """Second, 3x3 and depthwise, weight (M, 1, 3, 3)."""
    reduce: Filters | None
    """Third, 1x1, weight (O, M, 1, 1); without it the M channels of the second come out."""
    norm: Norm | None
    """Layer normalisation of the input before the first convolution, if any."""
    activations: tuple[Activation, Activation, Activation]
    """What follows on each of the three convolutions."""
    reflect: bool
    """Whether `mix` sees its input mirrored around the border, instead of zeros."""
    residual: bool
    """Whether the input and its norm are added."""


def takes(block: Block, dtype: torch.dtype) -> bool:
    """Whether the kernel computes `block` on maps of `dtype`."""
    wide, channels = block.expand.weight.shape[:2]
    depthwise = block.mix.weight.shape[1] == 1
    even = channels % 2 == 0 and wide % 2 == 0
    bf16 = dtype == torch.bfloat16 and supports_maps(block.expand.weight.device, dtype, channels)
    return bf16 and depthwise and even and wide <= MAX_WIDE


class Separable:
    """The kernel with the weights of one block.

    Args:
        block: One that `takes` accepts.
    """

    def __init__(self, block: Block) -> None:
        module = maps_kernel()
        self._module, self._block = module, block
        self._wide = len(block.expand.weight)
        self._outputs = self._wide if block.reduce is None else len(block.reduce.weight)
        taps = _in_lanes(block.mix.weight.flatten(1).T)
        # kept, because the kernel gets bare addresses
        self._packed = [*_pointwise(block.expand), taps, _bias(block.mix)]
        self._packed += [] if block.reduce is None else _pointwise(block.reduce)
        self._weights = tuple(x.data_ptr() for x in self._packed) + (0, 0) * (block.reduce is None)
        self._norm: tuple[float, ...] = (0, 0, 0.0)
        if block.norm is not None:
            scale = [x.float().contiguous() for x in block.norm[:2]]
            self._packed += scale
            self._norm = (*(x.data_ptr() for x in scale), block.norm.epsilon)
        self._codes = tuple(CODES[activation] for activation in block.activations)

    def __call__(self, x: Tensor, rows: slice, out: Tensor | None = None) -> Tensor:
        """(H, W, C) to those `rows` of the result, (rows, W, O), put into a contiguous `out` if given.

        Raises:
            ValueError: If a map is not bfloat16 of that shape on the CPU, or the rows are not those of x.
        """
        block = self._block
        x = x if x.stride(-1) == 1 and block.norm is None else x.contiguous()
        height, width, channels = *x.shape[:2], block.expand.weight.shape[1]
        check_map("x", x, (height, width, channels), torch.bfloat16)
        check_rows(rows, height)
        shape = (rows.stop - rows.start, width, self._outputs)
        result = x.new_empty(shape) if out is None else out
        check_map("out", result, shape, torch.bfloat16)
        if not result.is_contiguous():
            raise ValueError(f"out has strides {result.stride()}: the kernel needs contiguous maps")
        self._module.separable(
            x.data_ptr(), (height, width, x.stride(0), x.stride(1)), (rows.start, len(result)),
            (channels, self._wide, self._outputs), self._norm, self._weights, self._codes,
            int(block.reflect), int(block.residual), result.data_ptr(),
        )  # fmt: skip
        return result


def _pointwise(filters: Filters) -> list[Tensor]:
    """Weight and bias of a 1x1 convolution as the kernel reads them."""
    columns = _in_lanes(filters.weight.flatten(1).T)
    return [pair_words(columns[0::2], columns[1::2]).contiguous(), _bias(filters)]


def _bias(filters: Filters) -> Tensor:
    """Biases in whole vectors; zeros where the convolution has none."""
    return _in_lanes(filters.weight.new_zeros(len(filters.weight)) if filters.bias is None else filters.bias)


def _in_lanes(x: Tensor) -> Tensor:
    """Float32 with zeros at the end of the last dimension, in whole vectors."""
    return functional.pad(x.float(), (0, -x.shape[-1] % LANES)).contiguous()
