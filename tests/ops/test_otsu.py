"""Otsu's threshold: golden levels, a brute-force search, pictures of one level."""

import numpy as np
import pytest
import torch

from polyfuse.ops.otsu import otsu_level


def searched(levels: np.ndarray) -> int:
    """First level with the largest variance between its classes."""
    best, found = 0.0, 0
    for t in range(255):
        low, high = levels[levels <= t], levels[levels > t]
        if len(low) and len(high):
            value = len(low) * len(high) * (low.mean() - high.mean()) ** 2
            if value > best * (1 + 1e-12):
                best, found = value, t
    return found


@pytest.mark.parametrize("seed", range(4))
def test_level_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = np.where(rng.random((7, 9)) < 0.4, rng.integers(0, 90, (7, 9)), rng.integers(60, 256, (7, 9)))
    assert otsu_level(torch.from_numpy(levels)[None]).item() == searched(levels)


def test_first_of_several_best_levels_is_taken() -> None:
    assert otsu_level(torch.tensor([[[10, 10, 200]]])).item() == 10  # 10 to 199 part it alike


def test_pictures_are_judged_one_by_one() -> None:
    levels = torch.tensor([[[0, 255]], [[7, 7]], [[100, 101]]])
    assert otsu_level(levels).tolist() == [0, 0, 100]
