"""Sobel gradients by their definition."""

from typing import Literal

import numpy as np
import pytest
import torch

from polyfuse.ops.gradients import gradient_magnitude, signed_gradient

SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=float)


def by_hand(x: np.ndarray, mode: Literal["edge", "constant"]) -> tuple[np.ndarray, np.ndarray]:
    """Cross-correlation with the Sobel pair, loops over pixels."""
    padded = np.pad(x, 1, mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return (windows * SOBEL).sum(axis=(2, 3)), (windows * SOBEL.T).sum(axis=(2, 3))


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 6)])
def test_signed_gradient_is_an_eighth_with_replicated_border(shape, rng) -> None:
    x = rng.random(shape)
    across, down = by_hand(x, "edge")
    found = signed_gradient(torch.from_numpy(x)[None, None])[0]
    torch.testing.assert_close(found, torch.from_numpy(np.stack([across, down]) / 8), rtol=0, atol=1e-14)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 6)])
def test_gradient_magnitude_is_a_sum_with_zero_border(shape, rng) -> None:
    x = rng.random(shape)
    across, down = by_hand(x, "constant")
    found = gradient_magnitude(torch.from_numpy(x)[None, None])[0, 0]
    torch.testing.assert_close(found, torch.from_numpy(abs(across) + abs(down)), rtol=0, atol=1e-13)


def test_ramp_to_the_right_has_slope_one() -> None:
    x = torch.arange(6.0).expand(1, 1, 4, 6)
    assert torch.equal(signed_gradient(x)[0, :, 1, 2], torch.tensor([1.0, 0.0]))
