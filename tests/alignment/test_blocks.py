"""Fields of edges, blocks of them, and the motion that blocks agree with."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.alignment.blocks import Surfaces, joined, match_blocks
from polyfuse.alignment.evidence import best_shifts, weigh
from polyfuse.alignment.fields import STRONGEST, box_mean, box_sum, orientation_field
from polyfuse.alignment.fit import fit_motion


def noise(height: int = 120, width: int = 160, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((1, 1, height, width), np.float32))


def test_field_is_blind_to_reversed_contrast() -> None:
    plane = noise()
    # one minus the picture rounds differently in the last bit of float32, which normalising enlarges
    assert torch.allclose(orientation_field(plane), orientation_field(1 - plane), atol=1e-4)


def test_field_is_blind_to_gain_and_offset() -> None:
    plane = noise()
    assert torch.allclose(orientation_field(plane), orientation_field(plane * 0.1 + 3), atol=1e-3)  # float32 near 3


def test_field_of_a_constant_is_zero() -> None:
    assert orientation_field(torch.full((1, 1, 20, 30), 0.7)).abs().max() < 1e-3


def test_field_points_along_the_doubled_angle() -> None:
    ramp = torch.arange(30.0).expand(20, 30)[None, None]
    field = orientation_field(ramp)[:, 5:-5, 5:-5]
    assert torch.all(field[0] > 0.5)
    assert field[1].abs().max() < 1e-5
    turned = orientation_field(ramp.mT)[:, 5:-5, 5:-5]
    assert torch.all(turned[0] < -0.5)
    assert torch.linalg.vector_norm(field, dim=0).max() <= STRONGEST + 1e-5


@given(st.integers(1, 9), st.integers(0, 3))
def test_box_sum_adds_what_is_inside(side: int, seed: int) -> None:
    plane = noise(11, 13, seed)[0, 0]
    sums = box_sum(plane, side)
    assert sums.shape == (11 - side + 1, 13 - side + 1)
    row, column = sums.shape[0] // 2, sums.shape[1] - 1
    wanted = plane[row : row + side, column : column + side].double().sum()
    assert float(sums[row, column]) == pytest.approx(float(wanted), rel=1e-5)


def test_box_mean_of_a_constant_is_the_constant() -> None:
    assert torch.allclose(box_mean(torch.full((9, 7), 2.5), 3), torch.full((9, 7), 2.5))


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, -2), (-5, 4)])
def test_blocks_find_a_shift(right: int, down: int) -> None:
    b = orientation_field(noise())
    a = b.roll((down, right), (1, 2))
    surfaces = match_blocks(a, b, torch.ones(120, 160, dtype=torch.bool), block=33, radius=8, step=20)
    assert len(surfaces) > 10
    # the blocks at the rim may have lost what left the picture
    assert np.median(best_shifts(surfaces.values), axis=0) == pytest.approx([right, down], abs=0.1)
    assert float(surfaces.values.min()) > -1.001
    assert float(surfaces.values.max()) < 1.001


def test_blocks_that_a_does_not_cover_are_left_out() -> None:
    field = orientation_field(noise())
    mask = torch.zeros(120, 160)
    assert len(match_blocks(field, field, mask, block=33, radius=4, step=20)) == 0
    mask[:, :80] = 1
    centres = match_blocks(field, field, mask, block=33, radius=4, step=20).centres
    assert len(centres)
    assert centres[:, 0].max() < 80


def test_surfaces_of_several_pairs_are_joined() -> None:
    field = orientation_field(noise())
    part = match_blocks(field, field, torch.ones(120, 160), block=33, radius=4, step=40)
    assert len(joined([part, part])) == 2 * len(part)


def test_motion_of_blocks_is_found() -> None:
    rows, columns = torch.meshgrid(torch.arange(-10.0, 11), torch.arange(-10.0, 11), indexing="ij")
    x, y = np.meshgrid(np.linspace(20, 300, 8), np.linspace(20, 220, 6))
    centres = np.stack([x.ravel(), y.ravel()], axis=-1)
    shifts = np.stack([2 + 0.01 * (x.ravel() - 160), -1 + 0.02 * (y.ravel() - 120)], axis=-1)
    away = (columns - torch.tensor(shifts[:, 0])[:, None, None]) ** 2
    away = away + (rows - torch.tensor(shifts[:, 1])[:, None, None]) ** 2
    values = torch.exp(-away / 8).float()
    values[:5] = 0.02 * torch.rand(5, 21, 21, generator=torch.Generator().manual_seed(0))  # blocks that know nothing
    surfaces = Surfaces(centres, values, torch.ones(len(centres)))
    motion = fit_motion(surfaces, "affine", (320, 240), (6, 3, 1.5))
    # what is left, the next stage finds; the five blocks of noise and the neighbourhood pull by a tenth of a pixel
    assert np.abs(motion.at(centres) - shifts).max() < 0.2
    there = np.concatenate([centres, np.ones((len(centres), 1))], axis=1) @ motion.matrix().T
    assert there[:, :2] / there[:, 2:] - centres == pytest.approx(motion.at(centres), abs=1e-6)


def test_no_blocks_are_no_evidence() -> None:
    field = orientation_field(noise())
    evidence = weigh(match_blocks(field, field, torch.zeros(120, 160), block=33, radius=4, step=20))
    assert (evidence.confidence, evidence.num_blocks) == (0.0, 0)
