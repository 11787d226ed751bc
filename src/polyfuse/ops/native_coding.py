"""Sparse coding by the compiled kernel `native/lzsc.c`: inference on a CPU in float32 or with bf16 operands.

Rows are worked off in bands by a few threads; a result depends neither on the bands nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from polyfuse.ops import native_kernels
from polyfuse.ops.native_kernels import Kernel
from polyfuse.ops.native_packing import Plane, expansion_weights, operand_words, reduction_weights
from polyfuse.ops.precision import BF16_SET, Precision
from polyfuse.ops.sparse_coding import CodingForm, CodingStep, bf16_keeping_sums, step_reductions
from polyfuse.ops.threads import threads

KERNEL, CHANNELS, TILE = 9, 64, 48  # as in native/lzsc.c
MARGIN = KERNEL // 2
BANDS_PER_THREAD = 8  # so that no thread waits long for another at the end of a step
FLOAT32_SETS = ("avx512", "avx2", "portable")
FIRST_EXACT_STEP = 2  # before it nearly all of a code is zero, and rounding the picture changes little


def instruction_set(precision: Precision) -> str | None:
    """Name of the best instruction set for `precision` here; bf16 needs a processor that multiplies bf16 itself."""
    return native_kernels.instruction_set("lzsc", (BF16_SET,) if precision == "bf16" else FLOAT32_SETS)


def supports(example: Tensor, steps: Sequence[CodingStep]) -> bool:
    """Whether the kernel computes these steps: CPU, float32, 64 channels, 9 x 9, sigmoidal threshold, 1 or 2 planes."""
    return (
        instruction_set("float32") is not None
        # the weights too: the kernel gets bare addresses
        and all(x.device.type == "cpu" and x.dtype == torch.float32 for x in (example, steps[0].input))
        and steps[0].input.shape[0] == CHANNELS
        and steps[0].input.shape[1] <= 2
        and steps[0].input.shape[-1] == KERNEL
        and steps[0].threshold == "sigmoidal"
    )


def coding_form(precision: Precision) -> CodingForm:
    """Return the form for `precision`; float32 where the processor does not multiply bf16 itself."""
    low = precision == "bf16" and instruction_set("bf16") is not None
    name = instruction_set("bf16" if low else "float32")
    assert name is not None

    memory = _Memory()

    def code_and_read(e: Tensor, steps: Sequence[CodingStep], reads: Sequence[Tensor]) -> list[Tensor]:
        with torch.no_grad(), ThreadPoolExecutor(threads()) as pool:
            pictures = [_Picture(name, picture, pool, memory).run(steps, reads) for picture in e]
        return [torch.stack(planes)[:, None] for planes in zip(*pictures, strict=True)]

    return code_and_read


class _Memory:
    """Large buffers by name, kept for the next picture: fresh pages cost more than the thresholds."""

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def take(self, name: str, size: int) -> Tensor:
        """Return `size` float32 values whose content is arbitrary."""
        if name not in self._buffers or self._buffers[name].numel() < size:
            self._buffers[name] = torch.empty(size)
        return self._buffers[name]


class _Picture:
    """The planes and codes of one picture while it is being coded.

    Args:
        name: Instruction set.
        e: Planes to code, (c, H, W).
        pool: Threads that work off the bands.
        memory: Where the large buffers come from.
    """

    def __init__(self, name: str, e: Tensor, pool: ThreadPoolExecutor, memory: _Memory) -> None:
        self.name, self.pool, self.memory, self.bf16 = name, pool, memory, name == BF16_SET
        self.count, self.height, self.width = e.shape
        self.tiles = -(-self.width // TILE)
        self.stride = self.tiles * TILE + 2 * KERNEL
        self.e = self._empty_planes(self.count)
        self.e[:, MARGIN : MARGIN + self.height, MARGIN : MARGIN + self.width] = e.numpy()
        code_size = self.height * self.tiles * CHANNELS * TILE
        self.old, self.older = memory.take("old", code_size), memory.take("older", code_size)

    def run(self, steps: Sequence[CodingStep], reads: Sequence[Tensor]) -> list[Tensor]:
        """Go through all steps; returns one (H, W) plane per read."""
        reduced: list[Plane] = []  # what `down` of the coming step makes of the code before it
        reduced_prev: list[Plane] = []  # what its `down_prev` makes of the code before that
        waiting: list[Plane] = []  # the same for the step after it
        for k, step in enumerate(steps):
            planes = [*self.e, *reduced, *reduced_prev]
            reductions, last = torch.cat(step_reductions(steps, k, reads)), k + 1 == len(steps)
            if last and self.bf16:
                reductions = bf16_keeping_sums(reductions)
            exact = self.bf16 and self.count == 1 and k >= FIRST_EXACT_STEP
            outputs = list(self._step(step, planes, reductions, exact_first=exact, store=not last))
            reduced, reduced_prev, waiting = outputs[: self.count], waiting, outputs[self.count :]
            self.old, self.older = self.older, self.old
        rows, columns = slice(MARGIN, MARGIN + self.height), slice(MARGIN, MARGIN + self.width)
        return [torch.from_numpy(output[rows, columns].copy()) for output in outputs]

    def _empty_planes(self, count: int) -> Plane:
        """`count` planes of zeros, borders included, (count, H + 8, stride)."""
        return np.zeros((count, self.height + 2 * MARGIN, self.stride), np.float32)

    def _step(
        self, step: CodingStep, planes: list[Plane], reductions: Tensor, *, exact_first: bool, store: bool
    ) -> Plane:
        """Code one estimate and return the padded planes its reductions make, (outputs, H + 8, stride)."""
        module = Kernel("lzsc", self.name)
        how = {"bf16": self.bf16, "exact_first": exact_first}
        up, taps = expansion_weights(torch.cat(step.expansions, dim=1), **how)
        words = operand_words(planes, module, **how)
        down = reduction_weights(reductions, bf16=self.bf16)
        count = len(reductions)
        partial = self.memory.take("partial", count * KERNEL * self.height * self.stride)
        theta = float(step.theta)
        shape = (self.height, self.width, self.tiles, self.stride)
        keep = [0.0 if value is None else float(value) for value in (step.keep, step.keep_prev)]
        addresses = tuple(word.ctypes.data for word in words)

        def code(band: tuple[int, int]) -> None:
            module.step(
                self.name, band, shape, addresses, taps, up.data_ptr(), self.old.data_ptr(), self.older.data_ptr(),
                down.data_ptr(), partial.data_ptr(), count, int(store), tuple(keep),
                (theta, step.shrink * theta, step.steepness),
            )  # fmt: skip

        self._in_bands(code)
        outputs = self._empty_planes(count)

        def gather(band: tuple[int, int]) -> None:
            for index, output in enumerate(outputs):
                sizes = (self.height, self.width, self.stride)
                module.gather(band, sizes, partial.data_ptr(), index, output.ctypes.data)

        self._in_bands(gather)
        return outputs

    def _in_bands(self, work: Callable[[tuple[int, int]], None]) -> None:
        """Call `work` with first and last row (exclusive) of every band, by whichever thread is free."""
        rows = -(-self.height // (BANDS_PER_THREAD * threads()))
        bands = [(row, min(row + rows, self.height)) for row in range(0, self.height, rows)]
        list(self.pool.map(work, bands))
