"""Running a model in PyTorch on planes of NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.families.spec import FusionModel
from polyfuse.fusion.tiles import Tile
from polyfuse.ops.native_kernels import OF_MODELS, Uses, uses_noted
from polyfuse.ops.threads import threads_for_strips

Luma = NDArray[np.float32]
Windows = Callable[[], Iterator[tuple[Tile, Luma, Luma]]]
"""Each call goes over all tiles of one picture: a tile, and a and b of its outer part, (h, w)."""


@dataclass(frozen=True, eq=False)
class TorchRunner:
    """A model with what is noted of its runs."""

    model: FusionModel
    """Learned or classic, with its weights."""
    kernel_uses: Uses = field(default_factory=set)
    """Which compiled kernels ran so far."""

    def surveyed(self, windows: Windows) -> TorchRunner:
        """A runner that has measured the whole picture, for models that need it before they fuse tiles."""

        def tensors() -> Iterator[tuple[torch.Tensor, torch.Tensor, tuple[slice, slice]]]:
            return ((self.tensor(a), self.tensor(b), tile.crop) for tile, a, b in windows())

        with torch.inference_mode(), _memory_errors(), uses_noted(self.kernel_uses):
            return TorchRunner(self.model.surveyed(tensors), self.kernel_uses)

    def run(self, a: Luma, b: Luma) -> Luma:
        """Fuse two planes (h, w) in [0, 1]; returns the raw output, (h, w).

        Raises:
            MemoryError: If it does not fit into the device's memory.
        """
        one, other = self.tensor(a), self.tensor(b)
        works_in_parts = self.model.works_in_parts
        with torch.inference_mode(), _memory_errors(), threads_for_strips(works_in_parts), uses_noted(self.kernel_uses):
            return cast(Luma, self.model(one, other)[0, 0].float().cpu().numpy())

    def tensor(self, luma: Luma) -> torch.Tensor:
        """A plane as the model takes it, (1, 1, h, w): on its device and in its type."""
        with _memory_errors():
            return torch.from_numpy(np.ascontiguousarray(luma))[None, None].to(self.model.device, self.model.dtype)

    def facts(self) -> dict[str, Any]:
        """What the record of a result says of the run."""
        return {
            "device": str(self.model.device),
            "threads": torch.get_num_threads(),
            "kernels": {name: _instructions(name, self.kernel_uses) for name in OF_MODELS},
            "torch": torch.__version__,
        }


def _instructions(kernel: str, uses: Uses) -> str | None:
    """The instruction sets that a kernel was called for; None if it did not run."""
    return " and ".join(sorted(instructions for name, instructions in uses if name == kernel)) or None


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise MemoryError for every way in which torch says that memory ran out."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError from error  # torch has no own class for it on the CPU
        raise
