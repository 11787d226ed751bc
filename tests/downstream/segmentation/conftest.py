"""Made-up data sets with masks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyfuse.io import write_picture

Place = Callable[..., Path]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Writes pairs and masks of `size` (height, width) named x0, x1, ... into folders of these names."""

    def build(
        a: str, b: str, masks: str, *, count: int = 2, num_classes: int = 3, size: tuple[int, int] = (40, 48)
    ) -> Path:
        rng = np.random.default_rng(11)
        for index in range(count):
            write_picture(tmp_path / a / f"x{index}.png", rng.integers(0, 256, size, dtype=np.uint8))
            write_picture(tmp_path / b / f"x{index}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
            write_picture(tmp_path / masks / f"x{index}.png", rng.integers(0, num_classes, size, dtype=np.uint8))
        return tmp_path

    return build


@pytest.fixture
def mfnet(tmp_path: Path) -> Path:
    """MFNet's layout: pictures of four channels, palette masks, a list for each split."""
    rng = np.random.default_rng(12)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in ("00001D", "00002N", "00003N"):
        Image.fromarray(rng.integers(0, 256, (40, 48, 4), dtype=np.uint8)).save(tmp_path / f"images/{name}.png")
        Image.fromarray(rng.integers(0, 9, (40, 48), dtype=np.uint8)).save(tmp_path / f"labels/{name}.png")
    (tmp_path / "train.txt").write_text("00001D\n00003N\n")
    (tmp_path / "test.txt").write_text("00002N\n")
    return tmp_path
