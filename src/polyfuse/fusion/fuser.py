"""The one way from two pictures of one size to a fused one, for single pairs, clips and folders of frames alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.engines import ExportedModel
from polyfuse.errors import InputError, UsageError
from polyfuse.fusion.conventions import Conventions, Pixels, alone, finished, model_input
from polyfuse.fusion.models import Model
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.record import make_record
from polyfuse.fusion.stretch import OutputRange, stretch_of, stretched
from polyfuse.fusion.tiles import Tile, blended, side_within, tiles
from polyfuse.io import Picture
from polyfuse.transforms.ranges import RangeSpec

if TYPE_CHECKING:
    import torch

    from polyfuse.fusion.torch_runner import TorchRunner

_NAMES: tuple[Literal["a", "b"], ...] = ("a", "b")
OnTile = Callable[[int, int], None]
"""Takes (tiles done, tiles in all). A model that surveys the picture first goes over every tile more than once, and
each time counts."""


@dataclass(frozen=True, eq=False)
class Fuser:
    """A model together with everything that was decided about the pictures it fuses.

    `plane` runs the model, `finish` turns what it gives into pixels of the result. `image` does both, with less memory.
    Whoever works on the plane in between, as a filter along time does, takes `finish` apart: `stretched`, and then
    `conventions.finished`.
    """

    model: Model
    """Learned or classic, with its weights; in PyTorch, or exported and in another engine."""
    options: FuseOptions
    """What the user asked for: here the stretch of the output, the tiles and the memory."""
    conventions: Conventions
    """What `decide` made of the options and the first pair: ranges, colour and depth."""
    output_range: OutputRange | None = None
    """Raw output that becomes black and white in all frames of a clip; None: each picture is measured by itself."""

    @cached_property
    def runner(self) -> TorchRunner | ExportedModel:
        """What runs the model on planes."""
        if isinstance(self.model, ExportedModel):
            return self.model
        from polyfuse.fusion.torch_runner import TorchRunner  # PyTorch is not everywhere

        return TorchRunner(self.model)

    @property
    def stretch(self) -> RangeSpec | None:
        """How the range of the raw output is measured; None if the output is only clamped to [0, 1]."""
        return stretch_of(self.model.spec, self.options.stretch)

    def image(self, a: Picture, b: Picture, on_tile: OnTile | None = None) -> tuple[Pixels, int]:
        """Fuse two pictures of one size.

        Args:
            a: First source.
            b: Second source.
            on_tile: Called after each tile.

        Returns:
            Pixels of the result, (H, W) or (H, W, 3), and the number of tiles.

        Raises:
            UsageError: If not even the smallest tile fits into the memory asked for.
            InputError: If the model makes NaN or infinity.
            MemoryError: If the memory of the device is too small.
        """
        carrier = self.conventions.carrier_of(a.array, b.array)
        if self.stretch is not None:
            plane, num_tiles = self.plane(a, b, on_tile)
            plane = self.completed(self.stretched(plane, coverage_of(a, b)), a, b)
            return finished(plane, carrier, self.conventions), num_tiles
        # Without a stretch each tile is finished by itself, so the luma of the whole picture is never held.
        shape = (a.height, a.width) if carrier is None else (a.height, a.width, 3)
        image = np.empty(shape, self.conventions.dtype)
        num_tiles = 0
        for tile, fused in self._fused_tiles(a, b, image.nbytes, on_tile):
            window = None if carrier is None else carrier[tile.inner]
            fused = self.completed(fused, a, b, tile.inner)
            image[tile.inner] = finished(fused, window, self.conventions)
            num_tiles += 1
        return image, num_tiles

    def plane(self, a: Picture, b: Picture, on_tile: OnTile | None = None) -> tuple[NDArray[np.float32], int]:
        """Run the model over all tiles of two pictures of one size; arguments and errors as of `image`.

        Returns:
            The model's raw output, (H, W), neither stretched nor clamped, and the number of tiles.
        """
        plane = np.empty((a.height, a.width), np.float32)
        num_tiles = 0
        for tile, fused in self._fused_tiles(a, b, plane.nbytes, on_tile):
            plane[tile.inner] = fused
            num_tiles += 1
        return plane, num_tiles

    def stretched(self, plane: NDArray[np.float32], coverage: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Raw output with black at 0 and white at 1, or as it is where no stretch is wanted.

        Args:
            plane: (H, W).
            coverage: Of the same size; what it gives no weight is not measured. None: all is.
        """
        if self.output_range is not None:
            return self.output_range.stretch(plane)
        if coverage is not None and self.stretch is not None:
            return OutputRange.measured(plane[coverage > 0], self.stretch).stretch(plane)
        return stretched(plane, self.model.spec, self.options.stretch)

    def completed(
        self, fused: NDArray[np.float32], a: Picture, b: Picture, window: tuple[slice, slice] | None = None
    ) -> NDArray[np.float32]:
        """Fused luma that fades to the other source where a warp left one of them without pixels.

        Args:
            fused: Luma after its stretch, (h, w): of the whole pictures or of a window.
            a: First source.
            b: Second source, of the same size.
            window: Rows and columns; None for all.

        Returns:
            The same, in [0, 1] if anything was changed.
        """
        part = (slice(None), slice(None)) if window is None else window
        coverage = coverage_of(a, b)
        if coverage is None or (weight := coverage[part]).min() == 1:
            return fused
        source: Literal["a", "b"] = "b" if a.coverage is not None else "a"
        other = alone((b if source == "b" else a).array[part], self.conventions, source)
        return weight * np.clip(fused, 0, 1) + (1 - weight) * other

    def finish(self, plane: NDArray[np.float32], carrier: Pixels | None) -> Pixels:
        """Stretch a raw output and give it the colour and the depth of the result.

        Args:
            plane: From `plane`, (H, W).
            carrier: Pixels of the source that gives the colour, from `conventions.carrier_of`; None for a grey result.

        Returns:
            (H, W) or (H, W, 3).
        """
        return finished(self.stretched(plane), carrier, self.conventions)

    def tensor(self, pixels: Pixels, source: Literal["a", "b"]) -> torch.Tensor:
        """Luma of a window of a source as the model takes it, (1, 1, h, w): on its device and in its type.

        Raises:
            UsageError: If the model is no model of PyTorch.
        """
        if isinstance(self.runner, ExportedModel):
            raise UsageError("exported models have no insides to look at: pass a model's name.")
        return self.runner.tensor(model_input(pixels, self.conventions, source))

    def record(self, a: Picture, b: Picture, *, num_tiles: int, seconds: float) -> dict[str, Any]:
        """The record of one fusion, as the sidecar holds it.

        Args:
            a: First source; its pixels are not looked at.
            b: Second source.
            num_tiles: How many tiles it took.
            seconds: How long it took.
        """
        return make_record(
            a,
            b,
            self.model,
            self.conventions,
            self.options,
            num_tiles=num_tiles,
            seconds=seconds,
            run=self.runner.facts(),
        )

    def _fused_tiles(
        self, a: Picture, b: Picture, result_bytes: int, on_tile: OnTile | None
    ) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
        """Each tile with the model's raw output for its inner part, while a result of `result_bytes` is in memory."""
        runner, spec, side = self.runner, self.model.spec, self.options.tile
        if side is None:
            side = side_within(self.options.memory, a.height, a.width, spec, result_bytes)
        grid = list(tiles(a.height, a.width, side, spec))
        surveys = spec.surveys if len(grid) > 1 else 0
        steps, total = itertools.count(1), (surveys + 1) * len(grid)

        def windows() -> Iterator[tuple[Tile, NDArray[np.float32], NDArray[np.float32]]]:
            for tile in grid:
                outer = (picture.array[tile.outer] for picture in (a, b))
                one, other = (model_input(x, self.conventions, name) for x, name in zip(outer, _NAMES, strict=True))
                yield tile, one, other
                if on_tile is not None:
                    on_tile(next(steps), total)

        if surveys and not isinstance(runner, ExportedModel):
            runner = runner.surveyed(windows)
        outputs = ((tile, self._checked(runner.run(one, other))) for tile, one, other in windows())
        if spec.blended and len(grid) > 1:
            yield from blended(outputs, a.height, a.width, spec.halo)
        else:
            yield from ((tile, output[tile.crop]) for tile, output in outputs)

    def _checked(self, fused: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw output as it is.

        Raises:
            InputError: If there is NaN or infinity in it.
        """
        if not np.isfinite(fused).all():
            name = self.model.provenance.name
            raise InputError(f"model {name} made NaN or infinity: check its weights and the inputs.")
        return fused


def coverage_of(a: Picture, b: Picture) -> NDArray[np.float32] | None:
    """How much the one of two pictures counts that was warped; None if it has all pixels, or neither was."""
    return a.coverage if a.coverage is not None else b.coverage
