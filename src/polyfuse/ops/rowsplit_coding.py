"""Sparse coding in plain PyTorch by row-split convolutions: training everywhere, inference where no compiled form fits.

A convolution library pads the single output channel of a K -> 1 convolution to its vector width and does mostly useless
work. Split by kernel rows it does not: a K -> m reduction is a 1 x size convolution to size * m maps, of which map
(m, dy) shifted by dy - size // 2 rows adds to output m; a c -> K expansion is a 1 x size convolution over size * c
row-shifted planes. Numbers equal the two-dimensional convolution's up to rounding. Everything runs channels-last.

Without gradients the rows are worked off in bands, so that the 64-channel maps stay in cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.precision import Precision
from polyfuse.ops.sparse_coding import CodingForm, CodingStep, bf16_keeping_sums, bf16_rest, step_reductions
from polyfuse.ops.threshold import (
    apply_threshold,
    fast_sigmoidal_threshold,
    inner_product,
    on_hand,
    sigmoidal_threshold_,
)

BAND_VALUES = 1 << 19  # values of one band of a code map on a CPU: 2 MiB


def coding_form(*, training: bool, precision: Precision) -> CodingForm:
    """Return the differentiable form, or the banded one for inference with the operands `precision` names."""
    operand = torch.bfloat16 if precision == "bf16" else None
    if training:
        return partial(code_and_read_differentiable, operand=operand)

    def code_and_read_in_bands(e: Tensor, steps: Sequence[CodingStep], reads: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=precision == "tf32"):
            return _InBands(e, steps, operand or e.dtype).run(reads)

    return code_and_read_in_bands


def expand(planes: Tensor, weight: Tensor, operand: torch.dtype | None = None) -> Tensor:
    """Zero-padded convolution (N, c, H, W) -> (N, K, H, W) with `weight` (K, c, size, size), row split.

    Both are multiplied as `operand`, by default as they are; the result has the dtype of `planes`.
    """
    operand = operand or planes.dtype
    return expand_rows(pad_rows(planes.to(operand), weight.shape[-1]), weight.to(operand)).to(planes.dtype)


def reduce(code: Tensor, weight: Tensor, operand: torch.dtype | None = None) -> Tensor:
    """Zero-padded convolution (N, K, H, W) -> (N, m, H, W) with `weight` (m, K, size, size), row split.

    Both are multiplied as `operand`, by default as they are; kernel rows are summed in the dtype of `code`.
    """
    operand = operand or code.dtype
    rows = reduce_rows(code.to(operand), weight.to(operand)).to(code.dtype)
    return gather_rows(rows.contiguous(), weight.shape[-1])


def pad_rows(planes: Tensor, size: int) -> Tensor:
    """(N, c, H, W) to (N, H + size - 1, c, W) with zero rows above and below: shifted rows are then mere views."""
    return functional.pad(planes, (0, 0, size // 2, size // 2)).transpose(1, 2).contiguous()


def expand_rows(padded: Tensor, weight: Tensor) -> Tensor:
    """1 x size convolution of shifted rows, (N, h + size - 1, c, W) -> (N, K, h, W)."""
    size = weight.shape[-1]
    rows = padded.unfold(1, padded.shape[1] - size + 1, 1).flatten(1, 2).transpose(-1, -2)  # (N, size * c, h, W)
    split = weight.transpose(1, 2).flatten(1, 2)[:, :, None].contiguous(memory_format=torch.channels_last)
    return functional.conv2d(rows.contiguous(memory_format=torch.channels_last), split, padding=(0, size // 2))


def reduce_rows(code: Tensor, weight: Tensor) -> Tensor:
    """1 x size convolution (N, K, H, W) -> (N, m * size, H, W); map m * size + dy belongs to kernel row dy."""
    split = weight.transpose(1, 2).flatten(0, 1)[:, :, None].contiguous(memory_format=torch.channels_last)
    return functional.conv2d(code, split, padding=(0, weight.shape[-1] // 2))


def gather_rows(rows: Tensor, size: int) -> Tensor:
    """Add the maps of `reduce_rows` up, each moved by its kernel row: (N, m * size, H, W) -> (N, m, H, W)."""
    maps, height = rows.unflatten(1, (-1, size)), rows.shape[-2]
    total: Tensor = maps[:, :, size // 2].clone()
    for dy in range(size):
        shift = dy - size // 2
        if shift and abs(shift) < height:
            first, last = max(0, -shift), min(height, height - shift)
            total[:, :, first:last] += maps[:, :, dy, first + shift : last + shift]
    return total


def code_and_read_differentiable(
    e: Tensor, steps: Sequence[CodingStep], reads: Sequence[Tensor], *, operand: torch.dtype | None = None
) -> list[Tensor]:
    """`CodingForm` with gradients; `operand` is what the convolutions multiply, their gradients included.

    Planes, sums, codes and thresholds stay in the dtype of `e`. Unlike in inference the pictures are simply rounded: an
    8-bit value loses at most half a level to bfloat16, without bias. On one thread bfloat16 takes 0.41 s for a step of
    FNet with 4 x 64 x 64 where float32 takes 0.66 s.
    """
    count = e.shape[1]
    reduced: list[Tensor] = []  # what `down` of the coming step makes of the code before it, if there is one
    reduced_prev: list[Tensor] = []  # what its `down_prev` makes of the code before that
    waiting: list[Tensor] = []  # the same for the step after it
    x = x_prev = e.new_empty(0)
    outputs = e.new_empty(0)
    for k, step in enumerate(steps):
        pre = expand(torch.cat([e, *reduced, *reduced_prev], dim=1), torch.cat(step.expansions, dim=1), operand)
        if step.keep is not None:
            pre = _add_scaled(pre, x, step.keep)
        if step.keep_prev is not None:
            pre = _add_scaled(pre, x_prev, step.keep_prev)
        x_prev, x = x, _threshold(step, pre)
        outputs = reduce(x, torch.cat(step_reductions(steps, k, reads)), operand)
        reduced, reduced_prev, waiting = [outputs[:, :count]], waiting, [outputs[:, count:]]
    return list(outputs.split(1, dim=1))


class _AddScaled(torch.autograd.Function):
    """total + scale * x for a scalar tensor `scale`, whose gradient is one pass instead of three."""

    @staticmethod
    def forward(ctx: Any, total: Tensor, x: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(x, scale)
        number = on_hand(scale)
        return total.add(x, alpha=number) if isinstance(number, float) else torch.addcmul(total, x, number)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, scale = ctx.saved_tensors
        return grad, grad * scale, inner_product(grad, x).reshape(scale.shape)


def _add_scaled(total: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """Sum of `total` and `scale` times `x`, with a cheap gradient."""
    result: Tensor = _AddScaled.apply(total, x, scale)  # type: ignore[no-untyped-call]
    return result


class _InBands:
    """The planes and codes of a batch while it is being coded band by band.

    Args:
        e: Planes to code, (N, c, H, W).
        steps: The block as data.
        operand: What the convolutions multiply; sums of the codes and thresholds stay in the dtype of `e`.
    """

    def __init__(self, e: Tensor, steps: Sequence[CodingStep], operand: torch.dtype) -> None:
        self.e, self.steps, self.size, self.operand = e, steps, steps[0].input.shape[-1], operand
        self.count, height = e.shape[1], e.shape[2]
        band = height
        if e.device.type == "cpu":
            band = max(1, BAND_VALUES // (steps[0].input.shape[0] * e.shape[0] * e.shape[3]))
        self.bands = [slice(first, min(first + band, height)) for first in range(0, height, band)]
        self.scratch: dict[torch.Size, tuple[Tensor, Tensor]] = {}
        self.codes: list[Tensor | None] = [None] * len(self.bands)
        self.codes_prev: list[Tensor | None] = [None] * len(self.bands)

    def run(self, reads: Sequence[Tensor]) -> list[Tensor]:
        """Go through all steps; returns one (N, 1, H, W) per read."""
        reduced: list[Tensor] = []
        reduced_prev: list[Tensor] = []
        waiting: list[Tensor] = []
        outputs = self.e
        split = self.operand == torch.bfloat16
        e = torch.cat([self.e, bf16_rest(self.e)], dim=1) if split else self.e
        for k, step in enumerate(self.steps):
            expansions = [step.input, *step.expansions] if split else step.expansions
            reductions = torch.cat(step_reductions(self.steps, k, reads))
            if split and k + 1 == len(self.steps):
                reductions = bf16_keeping_sums(reductions)
            planes = torch.cat([e, *reduced, *reduced_prev], dim=1)
            outputs = self._step(step, planes, torch.cat(expansions, dim=1), reductions)
            reduced, reduced_prev, waiting = [outputs[:, : self.count]], waiting, [outputs[:, self.count :]]
        return list(outputs.split(1, dim=1))

    def _scratch_like(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Two buffers for thresholding a band, the same for every band of that height."""
        if code.shape not in self.scratch:
            self.scratch[code.shape] = (torch.empty_like(code), torch.empty_like(code))
        return self.scratch[code.shape]

    def _step(self, step: CodingStep, planes: Tensor, expansions: Tensor, reductions: Tensor) -> Tensor:
        """Code one estimate and return the planes its reductions make."""
        expansions, reductions = expansions.to(self.operand), reductions.to(self.operand)
        padded = pad_rows(planes.to(self.operand), self.size)
        batch, _, height, width = planes.shape
        rows = planes.new_empty(batch, len(reductions) * self.size, height, width)
        for index, band in enumerate(self.bands):
            pre = expand_rows(padded[:, band.start : band.stop + self.size - 1], expansions).to(planes.dtype)
            old, older = self.codes[index], self.codes_prev[index]
            if old is not None and step.keep is not None:
                pre.addcmul_(old, step.keep)
            if older is not None and step.keep_prev is not None:
                pre.addcmul_(older, step.keep_prev)
            x = _threshold(step, pre, self._scratch_like(pre))
            self.codes[index], self.codes_prev[index] = x, old
            rows[:, :, band] = reduce_rows(x.to(self.operand), reductions)
        return gather_rows(rows, self.size)


def _threshold(step: CodingStep, pre: Tensor, scratch: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """The thresholded code of a step; without gradients `pre` may be overwritten."""
    if step.threshold != "sigmoidal":
        return apply_threshold(step.threshold, pre, step.theta, steepness=step.steepness, shrink=step.shrink)
    if torch.is_grad_enabled():
        return fast_sigmoidal_threshold(pre, step.theta, steepness=step.steepness, shrink=step.shrink)
    theta = float(step.theta)
    return sigmoidal_threshold_(pre, theta, steepness=step.steepness, shrink=step.shrink, scratch=scratch)
