"""Filters of the Laplacian pyramid compiled, for float32 planes on a CPU without gradients; see `native/pyramid.c`.

`shrink`, `expand` and `blur` equal those of `polyfuse.ops.pyramid`, which call them, to the bit. Bands of rows are
shared out among `polyfuse.ops.threads.threads()`; what comes out depends neither on the bands nor on the threads.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from polyfuse.ops.native_kernels import Kernel, instruction_set
from polyfuse.ops.recording import is_recording
from polyfuse.ops.threads import share_out, threads

SETS = ("avx512", "avx2", "portable")
"""Instruction sets of the kernel, the best first."""
WORTH_SHARING = 1 << 14
"""Pixels of a plane below which one thread does all: handing over takes longer."""
Shape = tuple[int, int]


def takes(*planes: Tensor) -> bool:
    """Whether the kernel takes such tensors (N, C, H, W): float32 on a CPU, not empty, no gradient or export."""
    if instruction_set("pyramid", SETS) is None or is_recording():
        return False
    if torch.is_grad_enabled() and any(plane.requires_grad for plane in planes):
        return False
    return all(
        plane.dtype == torch.float32
        and plane.is_cpu
        and plane.layout == torch.strided
        and plane.ndim == 4
        and plane.numel() > 0
        for plane in planes
    )


def shrink(x: Tensor) -> Tensor:
    """(N, C, H, W), one that `takes` accepts, to (N, C, ceil(H / 2), ceil(W / 2))."""
    return _filtered(_kernel().shrink, x, _half(x.shape), of=_size(x.shape))


def blur(x: Tensor) -> Tensor:
    """(N, C, H, W), one that `takes` accepts, to the same shape."""
    return _filtered(_kernel().blur, x, _size(x.shape), of=_size(x.shape))


def expand(x: Tensor, shape: torch.Size) -> Tensor:
    """(N, C, h, w), one that `takes` accepts, to (N, C, H, W); `shape` ends in (H, W), of which (h, w) is the half.

    Raises:
        ValueError: If it is not.
    """
    if _half(shape) != _size(x.shape):
        raise ValueError(f"{tuple(x.shape)} is not half of {tuple(shape)}: the kernel doubles sizes")
    return _filtered(_kernel().expand, x, _size(shape), of=_size(shape))


def energies(a: Tensor, b: Tensor, coarse_a: Tensor, coarse_b: Tensor) -> Tensor:
    """Local energies of two details, a less expanded coarse_a and b less expanded coarse_b, and their local product.

    Args:
        a: (N, 1, H, W), one that `takes` accepts.
        b: Same shape.
        coarse_a: What `shrink` makes of a.
        coarse_b: What it makes of b.

    Returns:
        (N, 3, ceil(H / 2), ceil(W / 2)), low-passed by `shrink`.
    """
    sources, made = _contiguous(a, b, coarse_a, coarse_b), a.new_empty(len(a), 3, *_half(a.shape))
    module, size = _kernel(), _size(a.shape)

    def work(part: tuple[int, int, int]) -> None:
        n, first, last = part
        planes = tuple(source[n, 0].data_ptr() for source in sources)
        module.energies(_name(), planes, size, (first, last), tuple(made[n, i].data_ptr() for i in range(3)))

    share_out(work, _bands(len(a), _half(a.shape)))
    return made


def combine(a: Tensor, b: Tensor, coarse_a: Tensor, coarse_b: Tensor, fused: Tensor, factors: Tensor) -> Tensor:
    """factor_a (a - coarse_a) + factor_b (b - coarse_b) + fused, with all but a and b expanded.

    Args:
        a: (N, 1, H, W), one that `takes` accepts.
        b: Same shape.
        coarse_a: (N, 1, ceil(H / 2), ceil(W / 2)).
        coarse_b: Likewise.
        fused: Likewise.
        factors: (N, 2, ceil(H / 2), ceil(W / 2)).

    Returns:
        (N, 1, H, W).
    """
    sources, (factors,) = _contiguous(a, b, coarse_a, coarse_b, fused), _contiguous(factors)
    module, size, made = _kernel(), _size(a.shape), torch.empty_like(sources[0])

    def work(part: tuple[int, int, int]) -> None:
        n, first, last = part
        *planes, coarse = (source[n, 0].data_ptr() for source in sources)
        more = (coarse, factors[n, 0].data_ptr(), factors[n, 1].data_ptr())
        module.combine(_name(), tuple(planes), more, size, (first, last), made[n, 0].data_ptr())

    share_out(work, _bands(len(a), size))
    return made


def _filtered(function: Callable[..., None], x: Tensor, size: Shape, of: Shape) -> Tensor:
    """Each plane of x through a filter to planes of `size`; `of` is the larger size of the two."""
    (x,) = _contiguous(x)
    made, name = x.new_empty(*x.shape[:2], *size), _name()
    planes, into = x.flatten(0, 1), made.flatten(0, 1)

    def work(part: tuple[int, int, int]) -> None:
        n, first, last = part
        function(name, planes[n].data_ptr(), of, (first, last), into[n].data_ptr())

    share_out(work, _bands(len(planes), size))
    return made


def _bands(count: int, size: Shape) -> list[tuple[int, int, int]]:
    """For each of `count` planes of `size` bands of rows: its number, the first row, and the one behind the last."""
    rows, columns = size
    each = threads() if rows * columns > WORTH_SHARING else 1
    edges = [rows * i // each for i in range(each + 1)]
    return [(n, *band) for n in range(count) for band in pairwise(edges) if band[0] < band[1]]


def _kernel() -> Kernel:
    """The compiled module, of which `takes` has said that it is there."""
    return Kernel("pyramid", _name())


def _name() -> str:
    """The best instruction set of this processor."""
    name = instruction_set("pyramid", SETS)
    assert name is not None
    return name


def _size(shape: torch.Size) -> Shape:
    """Height and width."""
    return shape[-2], shape[-1]


def _half(shape: torch.Size) -> Shape:
    """Height and width of the next coarser level."""
    return -(-shape[-2] // 2), -(-shape[-1] // 2)


def _contiguous(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The same values without gaps between rows, as the kernel reads them."""
    return tuple(tensor.detach().contiguous() for tensor in tensors)
