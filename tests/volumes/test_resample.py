"""Volumes on the voxels of others: the same values as SciPy has, copies to the bit where nothing has to be computed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from polyfuse.errors import InputError
from polyfuse.volumes.resample import resampled, share_inside
from polyfuse.volumes.volume import Volume, slab

WHOLE = (slice(None), slice(None), slice(None))


def turn(degrees, axis=2):
    angle = np.radians(degrees)
    matrix = np.eye(4)
    one, two = [other for other in range(3) if other != axis]
    matrix[one, one] = matrix[two, two] = np.cos(angle)
    matrix[one, two], matrix[two, one] = -np.sin(angle), np.sin(angle)
    return matrix


def made(shape=(9, 8, 7), affine=None, seed=0):
    values = np.random.default_rng(seed).normal(100, 30, shape).astype(np.float32)
    return Volume(values, np.diag([2.0, 1.5, 3, 1]) if affine is None else affine)


def by_scipy(volume, onto, shape):
    indices = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 3)
    matrix = np.linalg.inv(volume.affine) @ onto
    places = indices @ matrix[:3, :3].T + matrix[:3, 3]
    values = map_coordinates(volume.loaded().astype(np.float64), places.T, order=1, mode="nearest")
    return values.reshape(shape)


def test_the_identity_copies_every_bit():
    volume = made()
    values = resampled(volume, volume.affine, volume.shape, order="cubic").loaded()
    assert values.tobytes() == volume.loaded().tobytes()


def test_a_flip_and_a_shift_by_whole_voxels_copy():
    volume = made()
    flip = np.eye(4)
    flip[0, 0], flip[0, 3], flip[2, 3] = -1, 8, 2
    result = resampled(volume, volume.affine @ flip, (9, 8, 5))
    assert np.array_equal(result.loaded(), volume.loaded()[::-1, :, 2:])
    assert result.coverage is None


@settings(max_examples=25, deadline=None)
@given(
    st.integers(-40, 40), st.integers(0, 2), st.integers(-30, 30), st.tuples(*[st.sampled_from([0.6, 0.77, 1.0])] * 3)
)
def test_linear_values_are_those_of_scipy(degrees, axis, shift, finer):
    volume = made()
    onto = turn(degrees, axis) @ volume.affine @ np.diag([*finer, 1.0])
    onto[:3, 3] += shift / 10
    result = resampled(volume, onto, (8, 7, 6)).loaded()
    assert np.abs(result - by_scipy(volume, onto, (8, 7, 6))).max() < 1e-4  # a few bits of float32 at 100


def test_cubic_values_are_exact_on_quadratic_ground():
    i, j, k = np.meshgrid(*map(np.arange, (12, 12, 12)), indexing="ij")
    volume = Volume((i**2 + 0.5 * j * k - 2 * k).astype(np.float32), np.eye(4))
    onto = turn(10)
    onto[:3, 3] = 3
    values = resampled(volume, onto, (5, 5, 5), order="cubic").loaded()
    indices = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), axis=-1) @ onto[:3, :3].T + 3
    x, y, z = np.moveaxis(indices, -1, 0)
    assert np.abs(values - (x**2 + 0.5 * y * z - 2 * z)).max() < 1e-4  # float32 at 100


@pytest.mark.parametrize("degrees", [0, 12])
def test_windows_hold_what_the_whole_holds(degrees):
    volume = made()
    result = resampled(volume, turn(degrees) @ volume.affine @ np.diag([0.7, 0.9, 0.5, 1]), (10, 9, 8))
    whole = result.loaded()
    for axis in range(3):
        parts = [result.block(slab(axis, start, start + 3)) for start in range(0, result.shape[axis], 3)]
        assert np.allclose(np.concatenate(parts, axis=axis), whole, atol=1e-4)  # products in another order


@pytest.mark.parametrize("degrees", [0, 80])
@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_windows_that_lie_beyond_the_source_repeat_its_border(degrees, order):
    volume = made((9, 14, 12))
    onto = turn(degrees) @ volume.affine @ np.diag([0.77, 0.77, 0.77, 1])
    onto[:3, 3] = -61.3, -59.1, -70.7  # mm before the source, and the last voxels as far behind it
    result = resampled(volume, onto, (90, 100, 60), order=order)
    whole = result.loaded()
    linear = by_scipy(volume, onto, whole.shape)
    far = [axis_end for axis in range(3) for axis_end in ((axis, 0), (axis, whole.shape[axis] - 1))]
    for axis, place in far:
        window = slab(axis, place, place + 1)
        assert np.abs(result.block(window) - whole[window]).max() < 1e-4
        if order == "linear":
            assert np.abs(result.block(window) - linear[window]).max() < 1e-4


def test_a_coarser_result_averages_what_it_covers():
    fine = np.zeros((16, 4, 4), np.float32)
    fine[::2] = 100  # a comb that single samples would turn into 0 or 100
    onto = np.diag([4.0, 1, 1, 1])
    onto[0, 3] = 1.5
    values = resampled(Volume(fine, np.eye(4)), onto, (4, 4, 4)).loaded()
    assert np.allclose(values, 50)


def test_what_the_source_lacks_has_no_weight_and_fades_in():
    volume = made((20, 20, 20), np.eye(4))
    result = resampled(volume, np.eye(4), (40, 20, 20))
    weights = result.coverage_block(WHOLE)
    assert weights is not None
    assert (weights[20:] == 0).all()
    assert (weights[:17] == 1).all()  # a fade of an eighth of 20 voxels, at the far face alone
    assert (np.diff(weights[:, 3, 3]) <= 0).all()
    assert np.array_equal(result.loaded()[:20], volume.loaded())


def test_a_move_goes_from_the_result_to_the_source():
    volume = made((20, 20, 20), np.eye(4))
    move = np.eye(4)
    move[:3, 3] = 2, 0, 0
    result = resampled(volume, np.eye(4), (10, 20, 20), move=move)
    assert np.array_equal(result.loaded(), volume.loaded()[2:12])


def test_colour_is_resampled_channel_by_channel():
    colour = np.random.default_rng(1).integers(0, 256, (6, 6, 6, 3)).astype(np.uint8)
    onto = turn(20)
    whole = resampled(Volume(colour, np.eye(4)), onto, (5, 5, 5)).loaded()
    grey = resampled(Volume(colour[..., 1], np.eye(4)), onto, (5, 5, 5)).loaded()
    assert whole.dtype == np.uint8
    assert np.array_equal(whole[..., 1], np.rint(grey).astype(np.uint8))


def test_the_share_that_overlaps_is_counted():
    volume = made((20, 20, 20), np.eye(4))
    away = np.eye(4)
    away[0, 3] = 10
    assert share_inside(volume, np.eye(4), (20, 20, 20)) == 1
    assert share_inside(volume, away, (20, 20, 20)) == pytest.approx(0.5)
    away[0, 3] = 100
    assert share_inside(volume, away, (20, 20, 20)) == 0


def test_an_affine_without_volume_is_refused():
    flat = np.eye(4)
    flat[2] = flat[1]
    with pytest.raises(InputError, match="singular"):
        Volume(np.zeros((2, 2, 2)), flat)


def test_nan_is_refused_with_its_number():
    values = np.zeros((2, 2, 2))
    values[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="1 voxels of NaN"):
        Volume(values, np.eye(4)).loaded()


def test_orientation_and_bounds_say_where_a_volume_is():
    affine = np.array([[0, 0, 3.0, 10], [-1, 0.1, 0, 0], [0, -2, 0, 5], [0, 0, 0, 1]])
    volume = Volume(np.zeros((4, 5, 6)), affine)
    low, high = volume.world_bounds
    assert volume.orientation == "PIR"
    assert volume.thickest_axis == 2
    assert (low[0], high[0]) == (8.5, 26.5)
