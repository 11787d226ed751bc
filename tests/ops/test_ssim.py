"""SSIM by its definition."""

import numpy as np
import pytest
import torch

from polyfuse.ops.ssim import ssim_map
from polyfuse.ops.windows import gaussian_window


def by_hand(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """SSIM with an explicit two-dimensional window over zero-padded pictures."""
    offset = np.arange(11) - 5
    line = np.exp(-(offset**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def local(z: np.ndarray) -> np.ndarray:
        return (np.lib.stride_tricks.sliding_window_view(np.pad(z, 5), (11, 11)) * window).sum(axis=(2, 3))

    mx, my = local(x), local(y)
    vx, vy, cov = local(x * x) - mx**2, local(y * y) - my**2, local(x * y) - mx * my
    return (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))


@pytest.mark.parametrize("shape", [(1, 1), (3, 12), (14, 13)])
def test_map_follows_the_definition(shape, rng) -> None:
    x, y = rng.random(shape), rng.random(shape)
    found = ssim_map(torch.from_numpy(x)[None, None], torch.from_numpy(y)[None, None])[0, 0]
    torch.testing.assert_close(found, torch.from_numpy(by_hand(x, y)), rtol=0, atol=1e-12)


def test_window_sums_to_one() -> None:
    assert gaussian_window(11, 1.5, dtype=torch.float64, device=torch.device("cpu")).sum().item() == pytest.approx(1)


def test_picture_is_identical_to_itself(rng) -> None:
    x = torch.from_numpy(rng.random((1, 1, 9, 9)))
    torch.testing.assert_close(ssim_map(x, x), torch.ones_like(x), rtol=0, atol=1e-12)


def test_ssim_is_symmetric(rng) -> None:
    x, y = torch.from_numpy(rng.random((2, 1, 1, 9, 9)))
    torch.testing.assert_close(ssim_map(x, y), ssim_map(y, x), rtol=0, atol=1e-14)


def test_reflected_border_is_that_of_the_mirrored_picture() -> None:
    x, y = torch.rand(2, 1, 1, 9, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    mirrored = [np.pad(picture[0, 0].numpy(), 5, mode="reflect") for picture in (x, y)]
    wide_x, wide_y = (torch.from_numpy(picture)[None, None] for picture in mirrored)
    whole = ssim_map(wide_x, wide_y)
    torch.testing.assert_close(ssim_map(x, y, "reflect"), whole[..., 5:-5, 5:-5], rtol=0, atol=1e-12)


def test_without_border_is_where_the_window_lies_inside() -> None:
    x, y = torch.rand(2, 1, 1, 14, 17, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    inside = ssim_map(x, y)[..., 5:-5, 5:-5]
    torch.testing.assert_close(ssim_map(x, y, "none"), inside, rtol=0, atol=1e-12)
