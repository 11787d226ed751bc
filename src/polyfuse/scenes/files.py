"""Rendered scenes as a data set on disk: aligned pairs with boxes and masks.

FOLDER/ir/NAME.png  FOLDER/vi/NAME.png       the pair (.tif where 16 bits are asked for)
FOLDER/classes/NAME.png                      class of every pixel, an index into "labels" of truth.json
FOLDER/instances/NAME.png                    instance of every pixel, 16 bits, 0 is background
FOLDER/truth.json                            labels, scene configurations and boxes, x1 and y1 exclusive
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from polyfuse.io import write_picture, write_text
from polyfuse.scenes.config import LABELS, Scene, SceneConfig
from polyfuse.scenes.scene import render_sequence

SCHEMA = 1


def write_scenes(
    folder: Path,
    configs: Iterable[SceneConfig],
    *,
    num_frames: int = 1,
    bit_depth: int = 8,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Render every configuration and write it below `folder`, yielding each path as it is complete.

    Args:
        folder: Where to write; made if missing.
        configs: One scene, or one clip of `num_frames`, each.
        num_frames: Frames of a clip.
        bit_depth: 8, or 16 for raw thermal counts and a deep visible picture, as TIFF.
        overwrite: Whether existing files may be replaced.

    Raises:
        OutputError: If a file exists or cannot be written.
    """
    suffix = ".png" if bit_depth == 8 else ".tif"
    truth = []
    for config in configs:
        for scene in render_sequence(config, num_frames, bit_depth=bit_depth):
            name = f"{config.kind}_{config.seed:04d}" + (f"_{scene.frame:04d}" if num_frames > 1 else "")
            pictures = {
                f"ir/{name}{suffix}": scene.thermal,
                f"vi/{name}{suffix}": scene.visible,
                f"classes/{name}.png": scene.classes,
                f"instances/{name}.png": scene.instances.astype(np.uint16),
            }
            for path, pixels in pictures.items():
                yield write_picture(folder / path, pixels, overwrite=overwrite)
            truth.append({"name": name, "frame": scene.frame, "scene": asdict(config), "boxes": _boxes(scene)})
    document = {"schema": SCHEMA, "labels": list(LABELS), "pictures": truth}
    yield write_text(folder / "truth.json", json.dumps(document, indent=1) + "\n", overwrite=overwrite)


def _boxes(scene: Scene) -> list[dict[str, int | str]]:
    """Boxes as plain values."""
    return [asdict(box) for box in scene.boxes]
