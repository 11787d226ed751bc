"""Batches depend on seed and step alone, and both pictures of a crop show the same place."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyfuse.data.ahead import Ahead
from polyfuse.data.batches import Batches, CropConfig
from polyfuse.data.layouts import PairSet
from polyfuse.data.pack import Pack, write_pack
from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, write_picture

MakePack = Callable[..., Pack]


@pytest.fixture
def make_pack(tmp_path: Path) -> MakePack:
    """A pack of the pictures given, each used as a and, inverted, as b."""

    def make(*pictures: np.ndarray) -> Pack:
        pairs = []
        for index, picture in enumerate(pictures):
            a, b = tmp_path / f"a/{index}.png", tmp_path / f"b/{index}.png"
            write_picture(a, picture, overwrite=True)
            write_picture(b, 255 - picture, overwrite=True)
            pairs.append(Pair(str(index), a, b))
        write_pack(tmp_path / "x.pack", [PairSet("s", "train", tuple(pairs))], luma_b="full", overwrite=True)
        return Pack(tmp_path / "x.pack")

    return make


@pytest.fixture
def pack(make_pack: MakePack, rng: np.random.Generator) -> Pack:
    """Five pictures of noise."""
    return make_pack(*rng.integers(0, 256, (5, 20, 30), dtype=np.uint8))


def test_same_step_gives_the_same_crops_and_another_seed_others(pack: Pack) -> None:
    config = CropConfig(size=8)
    first, again, other = (Batches([pack], config, 4, seed).get(7)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_processes_share_the_batch_of_one_process(pack: Pack) -> None:
    batches = Batches([pack], CropConfig(size=8), 4, seed=1)
    shares = [batches.get(3, rank=rank, num_ranks=2)[1] for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate(shares), batches.get(3)[1])


def test_crops_of_both_pictures_show_the_same_place_in_the_same_orientation(pack: Pack) -> None:
    a, b = Batches([pack], CropConfig(size=8), 20, seed=1).get(0)
    np.testing.assert_allclose(a + b, 1, atol=1e-6)  # float32 of two fractions of 255


def test_every_picture_is_seen_once_before_any_is_seen_twice(make_pack: MakePack) -> None:
    pack = make_pack(*(np.full((8, 8), 10 * index, np.uint8) for index in range(6)))
    batches = Batches([pack], CropConfig(size=8), 3, seed=1)
    seen = [np.concatenate([batches.get(2 * turn + half)[0][:, 0, 0, 0] for half in (0, 1)]) for turn in (0, 1)]
    for turn in seen:
        np.testing.assert_allclose(np.sort(turn) * 25.5, range(6), atol=1e-6)
    assert not np.array_equal(seen[0], seen[1])


def test_all_eight_orientations_occur(make_pack: MakePack) -> None:
    pack = make_pack(np.arange(64, dtype=np.uint8).reshape(8, 8))
    crops = Batches([pack], CropConfig(size=8), 100, seed=1).get(0)[0]
    assert len({crop.tobytes() for crop in crops}) == 8


def test_crops_without_contrast_are_drawn_anew(make_pack: MakePack) -> None:
    half = np.zeros((8, 64), np.uint8)
    half[:, 48:] = np.arange(16) * 16
    taken = [
        Batches([make_pack(half)], CropConfig(size=8, min_contrast=wanted), 40, seed=1).get(0)[0].std(axis=(1, 2, 3))
        for wanted in (0.0, 0.05)
    ]
    flat_before, flat_after = (int((contrast < 0.05).sum()) for contrast in taken)
    assert flat_before > 20
    assert flat_after < flat_before / 3


def test_crops_without_range_in_one_of_both_pictures_are_never_taken(make_pack: MakePack) -> None:
    flat, black, half = np.full((8, 64), 200, np.uint8), np.zeros((8, 64), np.uint8), np.full((8, 64), 200, np.uint8)
    half[:, 60:] = 100
    pack = make_pack(flat, black, half)
    a, b = Batches([pack], CropConfig(size=8, min_range=0.1), 12, seed=1).get(0)
    for crops in (a, b):
        low, high = np.percentile(crops, (10, 90), axis=(1, 2, 3))
        assert ((high - low) / high >= 0.1).all()
    with pytest.raises(InputError, match=r"lower crop\.min_range"):
        Batches([make_pack(flat, black)], CropConfig(size=8, min_range=0.1), 1, seed=1).get(0)


def test_jitter_keeps_black_and_stays_in_range(make_pack: MakePack) -> None:
    pack = make_pack(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    config = CropConfig(size=8, dihedral=False, gamma_jitter=0.5, gain_jitter=0.5)
    crops = Batches([pack], config, 30, seed=1).get(0)[0]
    assert (crops[:, 0, 0, 0].max(), crops.min() >= 0, crops.max() <= 1) == (0, True, True)
    assert len({crop.tobytes() for crop in crops}) == 30


def test_crop_larger_than_a_picture_is_an_input_error(pack: Pack) -> None:
    with pytest.raises(InputError, match="30x20, smaller than crops of 24x24"):
        Batches([pack], CropConfig(size=24), 4, seed=1)


def test_batch_that_cannot_be_shared_is_a_usage_error(pack: Pack) -> None:
    with pytest.raises(UsageError, match="cannot be shared by 3"):
        Batches([pack], CropConfig(size=8), 4, seed=1).get(0, num_ranks=3)


def test_halved_crops_are_means_of_four_pixels(make_pack: MakePack, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (16, 16), dtype=np.uint8)
    whole = CropConfig(size=8, dihedral=False, halve=1.0)
    a, _ = Batches([make_pack(picture)], whole, 1, seed=1).get(0)
    expected = picture.reshape(8, 2, 8, 2).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(a[0, 0], expected, atol=1e-6)


def test_half_of_the_crops_are_halved(make_pack: MakePack) -> None:
    board = (np.indices((40, 40)).sum(axis=0) % 2 * 255).astype(np.uint8)  # pixels are 0 or 1, their means 0.5
    a, _ = Batches([make_pack(board)], CropConfig(size=8, halve=0.5), 100, seed=1).get(0)
    grey = (a == 0.5).all(axis=(1, 2, 3)).sum()
    assert 30 < grey < 70


def test_noise_differs_from_picture_to_picture_and_stays_in_range(make_pack: MakePack) -> None:
    pack = make_pack(np.full((16, 16), 128, np.uint8))
    a, b = Batches([pack], CropConfig(size=16, noise=0.1), 50, seed=1).get(0)
    deviations = np.concatenate([a, b]).std(axis=(1, 2, 3))
    assert deviations.min() < 0.02 < 0.08 < deviations.max() < 0.12
    assert not np.allclose(a - a.mean(), -(b - b.mean()), atol=1e-3)  # each picture has noise of its own
    black = make_pack(np.zeros((16, 16), np.uint8))
    assert Batches([black], CropConfig(size=16, noise=0.1), 4, seed=1).get(0)[0].min() == 0


def test_picture_too_small_to_halve_is_cut_as_it_is(make_pack: MakePack, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (20, 30), dtype=np.uint8)
    [[crop]] = Batches([make_pack(picture)], CropConfig(size=16, dihedral=False, halve=1.0), 1, seed=0).get(0)[0]
    places = np.lib.stride_tricks.sliding_window_view(picture / 255, (16, 16))
    assert np.abs(places - crop).max(axis=(2, 3)).min() < 1e-6


def test_crops_cut_ahead_are_the_same(pack: Pack) -> None:
    batches = Batches([pack], CropConfig(size=8), 4, seed=1)
    ahead = Ahead(batches, 1, rank=1, num_ranks=2)
    try:
        for step in (0, 1, 2, 7, 8, 3):  # a run goes on from step to step; a jump is right as well
            for found, wanted in zip(ahead.get(step), batches.get(step, rank=1, num_ranks=2), strict=True):
                np.testing.assert_array_equal(found, wanted)
    finally:
        ahead.close()


def test_black_squares_and_black_pictures_come_in_their_shares_and_each_picture_has_its_own(
    make_pack: MakePack,
) -> None:
    pack = make_pack(np.full((16, 16), 100, np.uint8))
    config = CropConfig(size=16, patch=0.5, blank=0.5)
    a, b = Batches([pack], config, 400, seed=1).get(0)
    black = {name: (planes == 0).sum(axis=(1, 2, 3)) for name, planes in (("a", a), ("b", b))}
    assert set(black["a"]) == set(black["b"]) == {0, 36, 256}  # untouched, a square of 6x6, all
    for counts in black.values():
        assert 160 < (counts == 36).sum() < 240
        assert 70 < (counts == 256).sum() < 130
    assert not np.array_equal(black["a"], black["b"])
    np.testing.assert_allclose(a[a > 0], 100 / 255, atol=1e-6)
    rows = {tuple(np.flatnonzero(plane[0].min(axis=1) == 0)) for plane in a[black["a"] == 36]}
    assert len(rows) > 5  # at many places


def test_exposure_changes_half_of_the_pictures_by_gain_and_shift_within_range(make_pack: MakePack) -> None:
    board = (np.indices((16, 16)).sum(axis=0) % 2 * 51 + 102).astype(np.uint8)  # 0.4 and 0.6
    a, _ = Batches([make_pack(board)], CropConfig(size=16, exposure=0.5), 400, seed=1).get(0)
    low, high = a.min(axis=(1, 2, 3)), a.max(axis=(1, 2, 3))
    changed = ~np.isclose(low, 0.4, atol=1e-6)
    assert 160 < changed.sum() < 240
    gains = (high - low)[changed & (low > 0)] / 0.2
    assert 0.3 <= gains.min() < 0.4 < 1.2 < gains.max() <= 1.3 + 1e-5
    assert (low == 0).any()  # clipped
    assert 0 <= a.min() <= a.max() <= 1
    again, _ = Batches([make_pack(board)], CropConfig(size=16, exposure=0.5), 400, seed=1).get(0)
    np.testing.assert_array_equal(a, again)


def test_haze_lies_over_one_picture_of_its_share_of_the_pairs(make_pack: MakePack) -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    pack, config = make_pack(board), CropConfig(size=64, haze=0.5)
    a, b = Batches([pack], config, 200, seed=1).get(0)
    untouched = {name: np.isin(planes, (0, 1)).all(axis=(1, 2, 3)) for name, planes in (("a", a), ("b", b))}
    assert not (~untouched["a"] & ~untouched["b"]).any()
    for clear in untouched.values():
        assert 30 < (~clear).sum() < 70
    assert 0 <= a.min() <= a.max() <= 1
    hazed = a[~untouched["a"], 0]
    left = np.abs(np.diff(hazed, axis=2))  # contrast of black and white neighbours
    assert left.min() < 0.1 < 0.9 < left.max()  # here smoke hides nearly all of it, there nothing
    assert np.abs(np.diff(left, axis=2)).max() < 0.3  # the mask is smooth
    np.testing.assert_array_equal(a, Batches([pack], config, 200, seed=1).get(0)[0])


def test_glare_dazzles_b_alone_in_its_share_of_the_pairs(make_pack: MakePack) -> None:
    board = (80 + 40 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    pack, config = make_pack(board), CropConfig(size=64, glare=0.5)
    a, b = Batches([pack], config, 200, seed=1).get(0)
    assert np.isin(np.rint(255 * a), (80, 120)).all()
    dazzled = b[~np.isin(np.rint(255 * b), (135, 175)).all(axis=(1, 2, 3)), 0]  # b is the negative of a
    assert 70 < len(dazzled) < 130
    assert (dazzled == 1).any()
    assert dazzled.max() == 1
    left = np.abs(np.diff(dazzled, axis=2))  # 40 levels between neighbours, where no light falls
    assert left.min() == 0
    assert left.mean() < 0.9 * 40 / 255
    np.testing.assert_array_equal(b, Batches([pack], config, 200, seed=1).get(0)[1])


@pytest.mark.parametrize("option", ["haze", "glare"])
def test_haze_or_glare_that_is_off_changes_no_other_choice(
    make_pack: MakePack, rng: np.random.Generator, option: str
) -> None:
    pack = make_pack(rng.integers(0, 256, (40, 40), dtype=np.uint8))
    plain, rare = (
        Batches([pack], CropConfig(size=32, gamma_jitter=0.3, **{option: share}), 4, seed=2).get(3)[0]  # type: ignore[arg-type]
        for share in (0.0, 1e-12)
    )
    np.testing.assert_array_equal(plain, rare)


@pytest.mark.parametrize(
    "options",
    [
        {"halve": 1.5},
        {"noise": -0.1},
        {"gain_jitter": 1.0},
        {"size": 0},
        {"patch": 2.0},
        {"haze": 1.1},
        {"glare": -0.1},
    ],
)
def test_options_that_describe_no_crop_are_usage_errors(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        CropConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("halve", [0.0, 1.0])
def test_twin_shows_the_same_scene_further_to_the_right(
    make_pack: MakePack, rng: np.random.Generator, halve: float
) -> None:
    pack = make_pack(*rng.integers(0, 256, (3, 40, 44), dtype=np.uint8))
    config = CropConfig(size=12, gamma_jitter=0.3, gain_jitter=0.5, halve=halve, twin=3)
    for crops in Batches([pack], config, 20, seed=1).get(0):
        np.testing.assert_array_equal(crops[0::2, ..., 3:], crops[1::2, ..., :-3])
        assert len({crop.tobytes() for crop in crops}) == 20


def test_twin_has_noise_of_its_own_and_is_the_same_on_another_process(make_pack: MakePack) -> None:
    pack = make_pack(np.full((16, 20), 128, np.uint8))
    batches = Batches([pack], CropConfig(size=8, noise=0.1, twin=2), 4, seed=1)
    crops = batches.get(0)[0]
    assert np.abs(crops[0, ..., 2:] - crops[1, ..., :-2]).max() > 0.01
    np.testing.assert_array_equal(batches.get(0, rank=1, num_ranks=2)[0], crops[2:])


def test_twins_need_room_and_an_even_share(pack: Pack) -> None:
    with pytest.raises(InputError, match="30x20, smaller than crops of 21x21"):
        Batches([pack], CropConfig(size=18, twin=3), 4, seed=1)
    with pytest.raises(UsageError, match="1 crops of each process are no number of twins"):
        Batches([pack], CropConfig(size=8, twin=3), 2, seed=1).get(0, num_ranks=2)
