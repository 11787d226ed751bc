"""Pairs of pictures to compare on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyfuse.io import Pair, find_pairs, write_picture


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., list[Pair]]:
    """Folders ir/ and vi/ with `count` pairs named 0, 1, 2, ..., of `size` (height, width)."""

    def build(count: int = 3, size: tuple[int, int] = (48, 64)) -> list[Pair]:
        rng = np.random.default_rng(5)
        for index in range(count):
            write_picture(tmp_path / f"ir/{index}.png", rng.integers(0, 256, size, dtype=np.uint8))
            write_picture(tmp_path / f"vi/{index}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        return find_pairs(tmp_path / "ir", tmp_path / "vi")

    return build
