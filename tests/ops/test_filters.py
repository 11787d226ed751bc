"""Box, guided, bilateral and median filters, wavelets and matching pursuit, against plain ways of saying the same."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.boxes import box_mean, most_of_nine, window_sums
from polyfuse.ops.guided import guided_filter
from polyfuse.ops.smooth import bilateral, gaussian, median_3x3
from polyfuse.ops.sparse_patches import cosine_dictionary, matching_pursuit
from polyfuse.ops.wavelets import analyse, mirrored_filters, synthesise

SIZES = [(1, 1), (2, 5), (13, 8), (24, 31)]
DB2 = [tap / (4 * math.sqrt(2)) for tap in (1 - math.sqrt(3), 3 - math.sqrt(3), 3 + math.sqrt(3), 1 + math.sqrt(3))]


def picture(*size: int) -> Tensor:
    return torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize("size", range(1, 12))
def test_window_sums_are_sums_of_shifted_copies(size: int) -> None:
    x = picture(3, 20)
    plain = sum((x[..., place : place + 21 - size] for place in range(size)), torch.zeros(()))
    torch.testing.assert_close(window_sums(x, size, -1), plain)


@pytest.mark.parametrize("radius", [0, 1, 2, 7, 40])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_box_mean_is_the_mean_of_what_lies_inside(size: tuple[int, int], radius: int) -> None:
    x = picture(*size)
    window = torch.ones(1, 1, 2 * radius + 1, 2 * radius + 1, dtype=x.dtype)
    sums, counts = (functional.conv2d(y, window, padding=radius) for y in (x, torch.ones_like(x)))
    torch.testing.assert_close(box_mean(x, radius), sums / counts)


def test_guided_filter_keeps_a_picture_that_is_its_guide_where_edges_are_strong() -> None:
    x = torch.zeros(1, 1, 20, 20)
    x[..., 10:] = 1
    torch.testing.assert_close(guided_filter(x, x, 2, 1e-8), x, rtol=0, atol=1e-5)


def test_guided_filter_by_a_plain_guide_is_a_box_mean_twice() -> None:
    x = picture(20, 30)
    smooth = guided_filter(torch.full_like(x, 0.3), x, 3, 0.01)
    torch.testing.assert_close(smooth, box_mean(box_mean(x, 3), 3))


def test_guided_filter_draws_the_line_of_least_squares() -> None:
    """Where one window holds the whole picture, against a solver."""
    guide, x = picture(9, 8), picture(9, 8).flip(-1)
    smooth = guided_filter(guide, x, 9, 0.0)
    for one, other, result in zip(guide, x, smooth, strict=True):
        slope, offset = np.polyfit(one.flatten().numpy(), other.flatten().numpy(), 1)
        torch.testing.assert_close(result, slope * one + offset)


def test_bilateral_filter_is_a_weighed_mean() -> None:
    x = picture(9, 11)[:1]
    padded = functional.pad(x, (4, 4, 4, 4), mode="replicate")[0, 0]
    smooth = bilateral(x, 2.0, 0.1, 4, step=2)
    for row, column in ((0, 0), (4, 5), (8, 10)):
        window = padded[row : row + 9 : 2, column : column + 9 : 2]
        place = torch.arange(-4, 5, 2)
        distance = place[:, None].square() + place.square()
        weight = torch.exp(-distance / 8 - (window - x[0, 0, row, column]).square() / 0.02)
        torch.testing.assert_close(smooth[0, 0, row, column], (weight * window).sum() / weight.sum())


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_median_is_that_of_nine_pixels(size: tuple[int, int]) -> None:
    x = picture(*size)
    windows = functional.unfold(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3)
    assert torch.equal(median_3x3(x).flatten(1), windows.median(dim=1).values)


def test_gaussian_keeps_constants() -> None:
    torch.testing.assert_close(gaussian(torch.full((1, 1, 5, 40), 0.7), 3.0, 9), torch.full((1, 1, 5, 40), 0.7))


def test_most_of_nine_is_a_majority_without_ties() -> None:
    choice = picture(12, 13) > 0.5
    assert torch.equal(most_of_nine(~choice), ~most_of_nine(choice))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_wavelets_give_the_picture_back(size: tuple[int, int]) -> None:
    x, filters = picture(*size), mirrored_filters(DB2)
    torch.testing.assert_close(synthesise(analyse(x, filters, filters), filters, filters, x.shape), x)


def test_wavelets_are_those_of_pywavelets() -> None:
    pywt = pytest.importorskip("pywt")
    x, filters = picture(13, 20), mirrored_filters(DB2)
    ours = analyse(x, filters, filters)
    low, (horizontal, vertical, diagonal) = pywt.dwt2(x.numpy(), "db2", mode="symmetric", axes=(-2, -1))
    for band, theirs in zip(ours, (low, horizontal, vertical, diagonal), strict=True):
        torch.testing.assert_close(band, torch.from_numpy(theirs))


def test_cosines_have_mean_0_and_length_1() -> None:
    atoms = cosine_dictionary(8, 16)
    assert atoms.shape == (64, 255)
    torch.testing.assert_close(atoms.norm(dim=0), torch.ones(255))
    assert atoms.mean(dim=0).abs().max().item() < 1e-6


def test_matching_pursuit_finds_planted_atoms() -> None:
    atoms = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(2))).Q
    patches = torch.stack([2 * atoms[:, 3] - 0.5 * atoms[:, 40], torch.zeros(64)])
    coded, norms = matching_pursuit(patches, atoms, 0.01, 8)
    torch.testing.assert_close(coded, patches, rtol=0, atol=1e-5)
    torch.testing.assert_close(norms, torch.tensor([2.5, 0.0]), rtol=0, atol=1e-5)


def test_matching_pursuit_stops_at_the_error_and_fits_by_least_squares() -> None:
    atoms = cosine_dictionary(8, 16)
    patches = torch.rand(20, 64, generator=torch.Generator().manual_seed(1))
    patches = patches - patches.mean(dim=1, keepdim=True)
    coded, norms = matching_pursuit(patches, atoms, 0.5, 64)
    assert (patches - coded).norm(dim=1).max().item() <= 0.5
    # the rest is orthogonal to what is coded
    assert ((patches - coded) * coded).sum(dim=1).abs().max().item() < 1e-4
    assert (norms > coded.norm(dim=1) * 0.5).all()
