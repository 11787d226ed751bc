"""Fusing one pair: the whole way from two sources to a `Result`."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse import registry
from polyfuse.errors import InputError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion.blending import blended
from polyfuse.fusion.conventions import Conventions, decide, finished, model_input
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.record import make_record
from polyfuse.fusion.result import Result
from polyfuse.fusion.stretch import stretch_of, stretched
from polyfuse.fusion.tiles import Tile, memory_in_use, memory_limit, tile_side, tiles
from polyfuse.io import Picture, read_picture
from polyfuse.transforms import resize

if TYPE_CHECKING:
    Source = str | os.PathLike[str] | NDArray[Any] | torch.Tensor | Picture
else:
    Source = object

OnTile = Callable[[int, int], None]
"""Takes (tiles done, tiles in all), the survey of a picture included."""
ENCODER_BYTES = 4
"""Bytes per pixel that encoding a picture takes beside the picture itself."""
SUM_BYTES = 4
"""Bytes per pixel that adding up blended tiles takes."""


def fuse(
    a: Source | None = None,
    b: Source | None = None,
    *,
    ir: Source | None = None,
    vi: Source | None = None,
    model: str | FusionModel = "auto",
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    options: FuseOptions | None = None,
    **changes: Any,
) -> Result:
    """Fuse two aligned pictures of one scene.

    Args:
        a: Infrared, near-infrared or MRI: a path, an array (H, W) or (H, W, 3) of uint8, uint16 or float32 in [0, 1],
            or a tensor (H, W), (C, H, W) or (1, C, H, W) with C = 1 or 3.
        b: Visible, CT, PET or SPECT, the same kinds; its colour is kept.
        ir: Another name of a.
        vi: Another name of b.
        model: A name from `list_models`, or a model from `load`.
        weights: Weights file for an architecture such as "fnet".
        device: Where the model runs.
        options: All options at once.
        **changes: Single options by name, e.g. `grey=True`; see `FuseOptions`.

    Returns:
        The fused picture with the record of how it was made.

    Raises:
        InputError: If a source cannot be read, holds NaN, or the sizes differ.
        UsageError: If the model or an option is unknown or does not fit.

    >>> import numpy as np
    >>> thermal, visible = np.zeros((4, 6), np.uint8), np.full((4, 6, 3), 200, np.uint8)
    >>> fuse(thermal, visible, model="maximum").image[0, 0].tolist()
    [200, 200, 200]
    """
    if not isinstance(model, str) and (weights is not None or str(device) != "cpu"):
        raise UsageError("weights and device go with a model's name: load the model with them instead.")
    chosen = (options or FuseOptions()).changed(changes)
    source_a, source_b = _one_of(a, ir, "a", "ir"), _one_of(b, vi, "b", "vi")
    ready = registry.load(model, weights=weights, device=device) if isinstance(model, str) else model
    return fuse_pictures(as_picture(source_a, chosen, "a"), as_picture(source_b, chosen, "b"), ready, chosen)


def _one_of(value: Source | None, alias: Source | None, name: str, alias_name: str) -> Source:
    """The source given under its name or its alias, exactly once."""
    if (value is None) == (alias is None):
        raise UsageError(f"give {name} (or {alias_name}=) exactly once.")
    return cast("Source", value if alias is None else alias)


def as_picture(source: Source, options: FuseOptions, name: str) -> Picture:
    """Read or wrap one source.

    Raises:
        InputError: If it is no picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | os.PathLike):
        return read_picture(source, page=options.page, max_pixels=options.max_pixels)
    if isinstance(source, torch.Tensor):
        source = _tensor_to_array(source, name)
    if not isinstance(source, np.ndarray):
        raise InputError(f"{name} is a {type(source).__name__}: give a path, an array or a tensor.")
    if source.dtype == np.float64:
        source = source.astype(np.float32)
    return Picture(np.ascontiguousarray(source))


def _tensor_to_array(tensor: torch.Tensor, name: str) -> NDArray[Any]:
    """(H, W), (C, H, W) or (1, C, H, W) to an array with channels last."""
    shape = tuple(tensor.shape)
    if tensor.ndim == 4 and shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim == 3 and tensor.shape[0] in (1, 3):
        tensor = tensor[0] if tensor.shape[0] == 1 else tensor.permute(1, 2, 0)
    elif tensor.ndim != 2:
        raise InputError(f"{name} is a tensor of shape {shape}: give (H, W), (C, H, W) or (1, C, H, W), C = 1 or 3.")
    values = tensor.detach().cpu()
    return (values.float() if values.is_floating_point() else values).numpy()


def fuse_pictures(
    a: Picture, b: Picture, model: FusionModel, options: FuseOptions, on_tile: OnTile | None = None
) -> Result:
    """`fuse` for pictures that are read and a model that is loaded."""
    started = time.perf_counter()
    a, b, size_notes = same_size(a, b, options)
    conventions, notes = decide(a, b, options, model.provenance)
    image, num_tiles = _fuse_tiles(a, b, model, conventions, options, on_tile)
    record = make_record(a, b, model, conventions, options, num_tiles=num_tiles, seconds=time.perf_counter() - started)
    return Result(image, record, (*size_notes, *notes, *_tile_notes(model, num_tiles)))


def _tile_notes(model: FusionModel, num_tiles: int) -> tuple[str, ...]:
    """What the user should know of tiles that do not agree with the whole picture."""
    if num_tiles == 1 or not model.spec.blended:
        return ()
    return (f"{num_tiles} blended tiles, not exactly the whole picture's result: raise --memory for one piece",)


def same_size(a: Picture, b: Picture, options: FuseOptions) -> tuple[Picture, Picture, tuple[str, ...]]:
    """Resample one source if asked to; refuse different sizes otherwise."""
    if (a.height, a.width) == (b.height, b.width):
        return a, b, ()
    if options.resize is None:
        raise InputError(
            f"a is {a.width}x{a.height} but b is {b.width}x{b.height}: pass --resize a or b, or align them first."
        )
    small, large = (a, b) if options.resize == "a" else (b, a)
    array = resize(small.array, (large.height, large.width))
    note = f"resized from {small.width}x{small.height} to {large.width}x{large.height}"
    resized = Picture(array, small.path, small.sha256, small.format, (*small.notes, note))
    pair = (resized, b) if options.resize == "a" else (a, resized)
    return *pair, (f"{options.resize} {note}",)


def _fuse_tiles(
    a: Picture,
    b: Picture,
    model: FusionModel,
    conventions: Conventions,
    options: FuseOptions,
    on_tile: OnTile | None,
) -> tuple[NDArray[Any], int]:
    """Run the model over all tiles and put the result together."""
    if stretch_of(model.spec, options.stretch) is not None:
        plane, num_tiles = fuse_plane(a, b, model, conventions, options, on_tile)
        plane = stretched(plane, model.spec, options.stretch)
        return finished(plane, _colour(a, b, conventions), conventions), num_tiles
    shape = (a.height, a.width) if conventions.carrier is None else (a.height, a.width, 3)
    image = np.empty(shape, conventions.dtype)
    colour = _colour(a, b, conventions)
    num_tiles = 0
    for tile, fused in _fused_tiles(a, b, model, conventions, options, image.nbytes, on_tile):
        image[tile.inner] = finished(fused, None if colour is None else colour[tile.inner], conventions)
        num_tiles += 1
    return image, num_tiles


def fuse_plane(
    a: Picture,
    b: Picture,
    model: FusionModel,
    conventions: Conventions,
    options: FuseOptions,
    on_tile: OnTile | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Run the model over all tiles; returns its raw output, (H, W) float32, and the number of tiles."""
    plane = np.empty((a.height, a.width), np.float32)
    num_tiles = 0
    for tile, fused in _fused_tiles(a, b, model, conventions, options, plane.nbytes, on_tile):
        plane[tile.inner] = fused
        num_tiles += 1
    return plane, num_tiles


def _colour(a: Picture, b: Picture, conventions: Conventions) -> NDArray[Any] | None:
    """Pixels of the source that gives the colour."""
    return {"a": a.array, "b": b.array}.get(conventions.carrier or "")


def _fused_tiles(
    a: Picture,
    b: Picture,
    model: FusionModel,
    conventions: Conventions,
    options: FuseOptions,
    result_bytes: int,
    on_tile: OnTile | None,
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Each tile with the model's raw output for its inner part."""
    spec = model.spec
    side = options.tile
    if side is None:
        planes_bytes = (ENCODER_BYTES + SUM_BYTES * spec.blended) * a.height * a.width
        held = memory_in_use() + result_bytes + planes_bytes + spec.fixed_bytes
        spare = memory_limit(options.memory) - held
        fits = spec.memory(a.height, a.width) <= spare or not spec.tileable
        side = None if fits else tile_side(spec, spare)
    grid = list(tiles(a.height, a.width, side, spec))
    surveys = spec.surveys if len(grid) > 1 else 0
    steps, total = itertools.count(1), (surveys + 1) * len(grid)

    def windows() -> Iterator[tuple[Tile, NDArray[np.float32], NDArray[np.float32]]]:
        for tile in grid:
            yield (
                tile,
                model_input(a.array[tile.outer], conventions, "a"),
                model_input(b.array[tile.outer], conventions, "b"),
            )
            if on_tile is not None:
                on_tile(next(steps), total)

    if surveys:
        model = _surveyed(model, windows)
    found = ((tile, run_model(model, luma_a, luma_b)) for tile, luma_a, luma_b in windows())
    if spec.blended and len(grid) > 1:
        yield from blended(found, a.height, a.width, spec.halo)
    else:
        yield from ((tile, fused[tile.crop]) for tile, fused in found)


def _surveyed(
    model: FusionModel, windows: Callable[[], Iterator[tuple[Tile, NDArray[np.float32], NDArray[np.float32]]]]
) -> FusionModel:
    """`model` with what depends on the whole picture taken from all tiles."""

    def tensors() -> Iterator[tuple[torch.Tensor, torch.Tensor, tuple[slice, slice]]]:
        for tile, a, b in windows():
            yield *_planes(model, a, b), tile.crop

    with torch.inference_mode(), _memory_errors():
        return model.surveyed(tensors)


def run_model(model: FusionModel, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply `model` to two (H, W) planes; returns (H, W) float32.

    Raises:
        InputError: If the model makes NaN or infinity of them.
        MemoryError: If it does not fit into the device's memory.
    """
    with torch.inference_mode(), _memory_errors():
        fused = model(*_planes(model, a, b))[0, 0].float().cpu().numpy()
    if not np.isfinite(fused).all():
        raise InputError(f"model {model.provenance.name} made NaN or infinity: check its weights and the inputs.")
    return cast("NDArray[np.float32]", fused)


def _planes(model: FusionModel, a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
    """Two (H, W) planes as (1, 1, H, W), where and as what `model` computes."""
    parameter = next(model.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device
    dtype = torch.float32 if parameter is None else parameter.dtype
    plane_a, plane_b = (torch.from_numpy(np.ascontiguousarray(x))[None, None].to(device, dtype) for x in (a, b))
    return plane_a, plane_b


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise MemoryError for every way in which torch says that."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
            raise MemoryError from error  # torch has no own class for it on the CPU
        raise
