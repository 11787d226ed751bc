"""FlatSD, CD and Rank, which guard other metrics: noise, wrong colours and inverted regions are seen."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse.metrics import UndefinedMetricWarning, cd, flatsd, rank

SIZE = 96


def noise(sigma: float, seed: int) -> Tensor:
    """(1, 1, 96, 96) float64, mean zero."""
    generator = torch.Generator().manual_seed(seed)
    return sigma * torch.randn(1, 1, SIZE, SIZE, generator=generator, dtype=torch.float64)


def shading() -> Tensor:
    """A ramp from 60 to 155, flat apart from its slope."""
    return (60 + torch.arange(SIZE, dtype=torch.float64)).expand(1, 1, SIZE, SIZE)


def of(metric: object, *pictures: Tensor) -> float:
    return float(metric(*pictures, data_range=255))  # type: ignore[operator]


def test_flat_noise_is_the_noise_in_grey_levels() -> None:
    a, b = shading() + noise(2, 0), 200 - shading() + noise(3, 1)
    fused = shading() + noise(7, 2)
    # 5 %: some 140 blocks of 61 degrees of freedom estimate a deviation within 1 %, and all of them are not flat
    assert of(flatsd, fused, a, b) == pytest.approx(7, rel=0.05)


def test_flat_noise_has_the_sources_own_as_terms() -> None:
    a, b = shading() + noise(2, 0), 200 - shading() + noise(3, 1)
    of_a, of_b = flatsd.terms(a, a, b, data_range=255)
    assert float(of_a) == pytest.approx(2, rel=0.05)
    assert float(of_b) == pytest.approx(3, rel=0.05)
    assert float(of_a) == of(flatsd, a, a, b)


def test_shading_is_no_noise() -> None:
    assert of(flatsd, shading(), shading(), shading()) == pytest.approx(0, abs=1e-6)  # 1e-6: rounding, under a root


@pytest.mark.parametrize("structured", ["a", "b"])
def test_blocks_with_structure_in_either_source_do_not_count(structured: str) -> None:
    busy = noise(60, 5).clamp(-100, 100)
    busy[..., 48:] = 0
    a, b = 128 + noise(1, 0), 128 + noise(1, 1)
    a, b = (a + busy, b) if structured == "a" else (a, b + busy)
    assert of(flatsd, 128 + busy, a, b) == 0
    assert of(flatsd, 128 + busy.flip(-1), a, b) > 50


def test_clipped_blocks_do_not_hide_the_noise_of_the_others() -> None:
    clipped = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    clipped[..., :24] = True  # a quarter, more than the 10 % at which noise is measured
    a = (128 + noise(4, 0)).masked_fill(clipped, 255)
    b = (90 + noise(4, 1)).masked_fill(clipped, 255)
    # The noise of 12 levels fills three quarters of the blocks that are flat.
    fused = (100 + noise(12, 2)).masked_fill(clipped, 255)
    assert of(flatsd, fused, a, b) == pytest.approx(12 * math.sqrt(0.75), rel=0.05)


def test_no_flat_block_is_no_value_and_said() -> None:
    a, b = 128 + noise(1, 0), 128 + noise(1, 1)
    a[..., :48] += noise(30, 2)[..., :48]
    b[..., 48:] += noise(30, 3)[..., 48:]
    with pytest.warns(UndefinedMetricWarning, match="no block is flat in both sources"):
        assert math.isnan(of(flatsd, a.clamp(0, 255), a.clamp(0, 255), b.clamp(0, 255)))


def colour(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 4, 5)


GREY = torch.full((1, 1, 4, 5), 80.0, dtype=torch.float64)


@pytest.mark.parametrize(
    ("fused", "b", "angle"),
    [
        (colour(200, 100, 50), colour(100, 50, 25), 0),
        (colour(200, 0, 0), colour(0, 100, 0), 90),
        (GREY, colour(0, 0, 255), math.degrees(math.acos(1 / math.sqrt(3)))),
        (colour(90, 90, 0), GREY, math.degrees(math.acos(math.sqrt(2 / 3)))),
        (GREY, GREY * 2, 0),
    ],
)
def test_colour_deviation_is_the_angle_between_colours(fused: Tensor, b: Tensor, angle: float) -> None:
    assert of(cd, fused, GREY, b) == pytest.approx(angle, abs=1e-12)


def test_colour_deviation_leaves_black_pixels_out() -> None:
    fused, b = colour(200, 0, 0).clone(), colour(0, 100, 0).clone()
    fused[..., 0], b[..., 1] = 0, 0
    b[..., 2] = colour(50, 0, 0)[..., 2]
    assert of(cd, fused, GREY, b) == pytest.approx(90 * 2 / 3, abs=1e-12)


def test_colour_deviation_of_black_is_no_value_and_said() -> None:
    with pytest.warns(UndefinedMetricWarning, match="no pixel has a colour in both"):
        assert math.isnan(of(cd, GREY * 0, GREY, colour(1, 2, 3)))


def test_colour_deviation_of_a_batch_with_one_grey_picture_is_that_of_each() -> None:
    rng = np.random.default_rng(0)
    b = torch.from_numpy(rng.integers(1, 256, (2, 3, 6, 7)).astype(np.float64))
    a = torch.from_numpy(rng.integers(1, 256, (2, 1, 6, 7)).astype(np.float64))
    together = cd(a, a, b, data_range=255)
    assert together.tolist() == [of(cd, a[i : i + 1], a[i : i + 1], b[i : i + 1]) for i in range(2)]
    assert together.min() > 1


def blocks(*levels: float) -> Tensor:
    """Two rows of blocks of 8x8 pixels, both alike."""
    return torch.tensor(levels, dtype=torch.float64).repeat_interleave(8).expand(1, 1, 16, 8 * len(levels))


def test_order_of_brightness_is_spearmans_correlation_over_blocks() -> None:
    b = blocks(20, 40, 60, 80, 100)
    assert of(rank, b.square() / 255, b, b) == pytest.approx(1)
    assert of(rank, 255 - b, b, b) == pytest.approx(-1)
    # one pair of neighbours exchanged among five: 1 - 6 * 2 / (5 * 24); twice as many blocks change nothing
    assert of(rank, blocks(20, 60, 40, 80, 100), b, b) == pytest.approx(0.9)
    # ties share their mean rank: 0.5 0.5 2 3 4 against 0 1 2 3 4 make products of 9.5 and squares of 9.5 and 10
    assert of(rank, blocks(30, 30, 60, 80, 100), b, b) == pytest.approx(9.5 / math.sqrt(9.5 * 10))


def test_order_of_brightness_leaves_the_background_out() -> None:
    inside = blocks(20, 40, 60)
    padded = torch.cat([inside, blocks(0, 9, 5)], dim=3)
    fused = torch.cat([inside, blocks(200, 100, 0)], dim=3)
    assert of(rank, fused, padded, padded) == pytest.approx(1)
    # bright in a alone, those blocks count
    assert of(rank, fused, torch.full_like(padded, 90), padded) < 0.5


def test_no_order_of_brightness_is_no_value_and_said() -> None:
    for b in (blocks(20, 20, 20, 20), blocks(20, 5), blocks(3, 4, 5, 6)):
        with pytest.warns(UndefinedMetricWarning, match="no order of brightness"):
            assert math.isnan(of(rank, b, b, b))
