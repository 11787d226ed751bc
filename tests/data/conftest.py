"""Small data sets on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyfuse.io import write_picture


@pytest.fixture
def write_pairs() -> Callable[..., None]:
    """Write `count` pairs, a grey and a colour one, named 0, 1, ... into two folders."""

    def write(a: Path, b: Path, count: int = 2, size: tuple[int, int] = (20, 24)) -> None:
        rng = np.random.default_rng(3)
        for index in range(count):
            write_picture(a / f"{index}.png", rng.integers(0, 256, size, dtype=np.uint8))
            write_picture(b / f"{index}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))

    return write
