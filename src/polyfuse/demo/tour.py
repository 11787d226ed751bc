"""Draw a scene, fuse it, and lay the three pictures side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, fuse
from polyfuse.io import write_picture
from polyfuse.scenes import SceneConfig, render_scene

GAP = 8
"""White pixels between the pictures of the sheet."""


def run_tour(folder: Path, model: FusionModel, *, seed: int = 0, overwrite: bool = False) -> Iterator[Path]:
    """Write ir.png, vi.png, fused.png and sheet.png (all three side by side), yielding each path.

    Args:
        folder: Where to write; made if missing.
        model: A model from `load`.
        seed: Seed of the scene.
        overwrite: Whether existing files may be replaced.

    Raises:
        OutputError: If a file exists or cannot be written.
    """
    scene = render_scene(SceneConfig(seed=seed))
    thermal = write_picture(folder / "ir.png", scene.thermal, overwrite=overwrite)
    visible = write_picture(folder / "vi.png", scene.visible, overwrite=overwrite)
    yield from (thermal, visible)
    result = fuse(thermal, visible, model=model, options=FuseOptions())
    yield result.save(folder / "fused.png", overwrite=overwrite)
    yield write_picture(folder / "sheet.png", _sheet(scene.thermal, scene.visible, result.image), overwrite=overwrite)


def _sheet(*pictures: NDArray[Any]) -> NDArray[Any]:
    """One picture: 8-bit pictures of one size side by side on white."""
    colour = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in pictures]
    gap = np.full((colour[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for picture in colour for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=1)
