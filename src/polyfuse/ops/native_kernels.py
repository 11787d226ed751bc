"""The compiled modules: whether they were built, and what of them this processor can run.

"lzsc" codes pictures for FNet, "maps" works on maps (H, W, C) for the other networks, "pyramid" filters planes, and
"colour" takes the luma out of 8-bit RGB and puts it back. Where a module was not built or the processor lacks its
instructions, callers go the way of PyTorch or NumPy.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KERNELS = ("lzsc", "maps", "pyramid", "colour")
"""All modules by name."""
OF_MODELS = ("lzsc", "maps", "pyramid")
"""Those that models call; "colour" is called around them and changes no bit."""


@functools.cache
def kernel(name: str) -> ModuleType | None:
    """The module of that name; None where the package was built without a compiler."""
    try:
        return import_module(f"polyfuse.ops._{name}")
    except ImportError:
        return None


class Kernel:
    """A module, of which the caller knows that it was built, with the instruction set that it is called for.

    Its functions are those of the module. Each use is told to whoever listens by `uses_noted`.
    """

    def __init__(self, name: str, instructions: str) -> None:
        module = kernel(name)
        assert module is not None
        self._use, self._module = (name, instructions), module

    def __getattr__(self, function: str) -> Any:
        for uses in _listeners:
            uses.add(self._use)
        return getattr(self._module, function)


Uses = set[tuple[str, str]]
"""Names of kernels, each with an instruction set it was called for."""
_listeners: tuple[Uses, ...] = ()
_changing = threading.Lock()


@contextmanager
def uses_noted(uses: Uses) -> Iterator[None]:
    """Add to `uses` what kernels are called while the body runs, by any thread: parts have threads of their own."""
    global _listeners
    with _changing:
        _listeners = (*_listeners, uses)
    try:
        yield
    finally:
        with _changing:
            first = next(index for index, other in enumerate(_listeners) if other is uses)
            _listeners = _listeners[:first] + _listeners[first + 1 :]


@functools.cache
def instruction_set(name: str, wanted: tuple[str, ...]) -> str | None:
    """The first of `wanted` that the kernel `name` has and the processor knows; None where there is none."""
    module = kernel(name)
    return next((choice for choice in wanted if module is not None and module.supports(choice)), None)


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
