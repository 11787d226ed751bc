"""Validation losses, sample pictures and their scores: what the averaged weights do with pictures not trained on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.data.batches import Batches, CropConfig
from polyfuse.data.pack import Pack
from polyfuse.errors import TrainingError
from polyfuse.io import write_picture
from polyfuse.metrics import UndefinedMetricWarning, score
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import Batch, Parts, Stage

MAX_CROPS = 128
"""Crops of a validation pass; fewer where there are few pictures."""
CROPS_PER_PICTURE = 4
VALIDATION_BATCH = 4
NUM_SAMPLES = 3
"""Sample pictures that are drawn."""
NUM_SCORED = 8
"""Pictures that are scored."""
SIDE = 320
"""Largest side of a picture drawn or scored, pixels."""
MULTIPLE = 16
"""Its sides are multiples of this, for networks that reduce their input."""
Middle = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]
"""Name of a picture, and the middles of a and of b."""
METRICS = ("SF", "MI", "SCD", "VIF", "Qabf", "SSIM")
"""Metrics of the scored pictures, under protocol cddfuse."""


def validation_batches(recipe: Recipe, packs: Sequence[Pack], device: torch.device) -> list[Batch]:
    """The fixed validation crops: the same in every pass and every run with these packs and this crop size."""
    if not packs:
        return []
    config = CropConfig(size=recipe.rhythm.validation_crop, dihedral=False)
    batches = Batches(packs, config, VALIDATION_BATCH, seed=0)
    num_crops = min(MAX_CROPS, CROPS_PER_PICTURE * batches.num_pictures)
    return [to_batch(*batches.get(index), device) for index in range(-(-num_crops // VALIDATION_BATCH))]


def to_batch(a: NDArray[np.float32], b: NDArray[np.float32], device: torch.device) -> Batch:
    """Arrays a and b, (N, 1, H, W), as a batch on `device`."""
    return Batch(torch.from_numpy(a).to(device), torch.from_numpy(b).to(device))


@torch.no_grad()
def validate(stage: Stage, parts: Parts, batches: Iterable[Batch]) -> dict[str, float]:
    """Mean losses and their "total" over `batches`; the lowest total makes the best weights.

    Raises:
        TrainingError: If one is not finite.
    """
    losses = [stage.validate(parts, batch) for batch in batches]
    means = {name: float(torch.stack([values[name] for values in losses]).mean()) for name in losses[0]}
    means |= {"total": sum(means.values())}
    for name, value in means.items():
        if not math.isfinite(value):
            raise TrainingError(f"validation loss {name} is {value}")
    return means


@torch.no_grad()
def draw_samples(stage: Stage, parts: Parts, pictures: Iterable[Middle], folder: Path, device: torch.device) -> None:
    """Write a, b and the fused picture of each of `pictures` side by side.

    Raises:
        TrainingError: If a fused picture is not finite.
    """
    for name, a, b in pictures:
        fused = _fuse(stage, parts, name, a, b, device)[0, 0].mul(255).to(torch.uint8).numpy()
        write_picture(folder / f"{name}.png", np.concatenate([a, b, fused], axis=1), overwrite=True)


@torch.no_grad()
def score_samples(stage: Stage, parts: Parts, pictures: Iterable[Middle], device: torch.device) -> dict[str, float]:
    """Mean metrics of `pictures`, rounded to 8 bits as files are; NaN where all are too small for one.

    Raises:
        TrainingError: If a fused picture is not finite.
    """
    scores = []
    for name, a, b in pictures:
        fused = _fuse(stage, parts, name, a, b, device)
        sources = (torch.from_numpy(plane)[None, None] / 255 for plane in (a, b))
        with warnings.catch_warnings(action="ignore", category=UndefinedMetricWarning):
            scores.append(score(fused, *sources, metrics=METRICS).values)
    return {name: float(torch.cat([values[name] for values in scores]).nanmean()) for name in METRICS}


def middles(packs: Sequence[Pack], count: int) -> Iterator[Middle]:
    """Name and the middles of a and b of at most `count` pictures, evenly chosen."""
    pictures = [(pack, index) for pack in packs for index in range(len(pack.items))]
    for pack, index in pictures[:: max(1, len(pictures) // count)][:count]:
        a, b = (_middle(plane) for plane in pack.planes(index))
        yield pack.items[index].name, a, b


def _middle(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture, at most SIDE wide and high."""
    height, width = (min(SIDE, max(MULTIPLE, length // MULTIPLE * MULTIPLE)) for length in plane.shape)
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    return np.array(plane[max(0, top) :, max(0, left) :][:height, :width])


def _fuse(
    stage: Stage, parts: Parts, name: str, a: NDArray[np.uint8], b: NDArray[np.uint8], device: torch.device
) -> torch.Tensor:
    """The fused picture, (1, 1, H, W) in [0, 1] in steps of 1/255, on the CPU."""
    first, second = (np.divide(plane[None, None], 255, dtype=np.float32) for plane in (a, b))
    batch = to_batch(first, second, device)
    fused = stage.draw(parts, batch).float().cpu()
    if not fused.isfinite().all():
        raise TrainingError(f"the fused picture of {name} is not finite")
    return fused.clamp(0, 1).mul(255).round().div(255)
