"""The validation pass and the sample pictures: what the averaged weights do with pictures they are not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from polyfuse.data.batches import Batches, CropConfig
from polyfuse.data.pack import Pack
from polyfuse.io import write_picture
from polyfuse.train.recipe import Recipe
from polyfuse.train.stage import Batch, Parts, Stage

MAX_CROPS = 128
"""Crops of a validation pass; fewer where there are few pictures."""
CROPS_PER_PICTURE = 4
VALIDATION_BATCH = 4
NUM_SAMPLES = 3
SAMPLE_SIDE = 320
"""Largest side of a sample picture, pixels."""


def validation_batches(recipe: Recipe, packs: Sequence[Pack], device: torch.device) -> list[Batch]:
    """The fixed validation crops: the same in every pass and every run with these packs and this crop size."""
    if not packs:
        return []
    config = CropConfig(size=recipe.rhythm.validation_crop, dihedral=False)
    batches = Batches(packs, config, VALIDATION_BATCH, seed=0)
    num_crops = min(MAX_CROPS, CROPS_PER_PICTURE * batches.num_pictures)
    return [to_batch(*batches.get(index), device) for index in range(-(-num_crops // VALIDATION_BATCH))]


def to_batch(a: NDArray[np.float32], b: NDArray[np.float32], device: torch.device) -> Batch:
    """A batch as tensors."""
    return Batch(torch.from_numpy(a).to(device), torch.from_numpy(b).to(device))


@torch.no_grad()
def validate(stage: Stage, parts: Parts, batches: Sequence[Batch]) -> dict[str, float]:
    """Mean losses and their "total" over `batches`; the lowest total makes the best weights."""
    found = [stage.validate(parts, batch) for batch in batches]
    means = {name: float(torch.stack([losses[name] for losses in found]).mean()) for name in found[0]}
    return means | {"total": sum(means.values())}


@torch.no_grad()
def draw_samples(stage: Stage, parts: Parts, packs: Sequence[Pack], folder: Path, device: torch.device) -> None:
    """Write a, b and the fused picture of the first validation pictures side by side."""
    pictures = [(pack, index) for pack in packs for index in range(len(pack.items))]
    chosen = pictures[:: max(1, len(pictures) // NUM_SAMPLES)][:NUM_SAMPLES]
    for pack, index in chosen:
        planes = [_centre(plane) for plane in pack.planes(index)]
        a, b = (np.divide(plane[None, None], 255, dtype=np.float32) for plane in planes)
        fused = stage.draw(parts, replace(to_batch(a, b, device)))[0, 0].clamp(0, 1).mul(255).round().cpu()
        sheet = np.concatenate([*planes, fused.numpy().astype(np.uint8)], axis=1)
        write_picture(folder / f"{pack.items[index].name}.png", sheet, overwrite=True)


def _centre(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture, at most SAMPLE_SIDE wide and high."""
    top, left = (max(0, length - SAMPLE_SIDE) // 2 for length in plane.shape)
    return plane[top : top + SAMPLE_SIDE, left : left + SAMPLE_SIDE]
