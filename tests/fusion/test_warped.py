"""A warped pair is fused where both sources are, and shows the other source alone where one of them ends."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import polyfuse
from polyfuse.alignment import Warp, write_warp
from polyfuse.errors import InputError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.sources import as_picture

HALF = Warp(np.array([[1.0, 0, 80], [0, 1, 0], [0, 0, 1]]), (160, 120), (160, 120), "shift", found="by hand")
"""a covers the right half of b."""


def levels(seed: int, *shape: int) -> NDArray[np.uint8]:
    """Noise of 8 bits."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


A, B = levels(1, 120, 160), levels(2, 120, 160, 3)


@pytest.mark.parametrize("model", ["average", "laplacian"])
def test_b_is_alone_where_a_has_no_pixel(model: str) -> None:
    result = polyfuse.fuse(A, B, model=model, warp=HALF)
    # Luma and chroma are taken apart and put together again, which rounds.
    assert np.abs(result.image[:, :80].astype(int) - B[:, :80]).max() <= 1
    assert (result.image[:, 90:] != B[:, 90:]).mean() > 0.5
    assert result.notes == ("50 % of the picture has no pixel of a and shows b alone",)


def test_a_is_alone_where_b_has_no_pixel() -> None:
    result = polyfuse.fuse(A, B, model="average", warp=HALF, frame="a")
    alone = result.image[:, 80:].astype(int)
    assert np.ptp(alone, axis=2).max() <= 1
    assert np.abs(alone[..., 0] - A[:, 80:]).max() <= 1


def test_a_is_alone_at_its_own_levels_under_weights_that_want_studio_luma(
    make_model: Callable[..., FusionModel],
) -> None:
    model = make_model(lambda a, b: (a + b) / 2, luma="studio")
    alone = polyfuse.fuse(A, B, model=model, warp=HALF, frame="a").image[:, 80:].astype(int)
    assert np.abs(alone[..., 0] - A[:, 80:]).max() <= 1


def test_tiles_of_a_warped_pair_are_the_whole_picture() -> None:
    whole = polyfuse.fuse(A, B, model="laplacian", warp=HALF)
    assert (polyfuse.fuse(A, B, model="laplacian", warp=HALF, tile=64).image == whole.image).all()


def test_identity_changes_nothing() -> None:
    plain = polyfuse.fuse(A, B, model="laplacian")
    assert (polyfuse.fuse(A, B, model="laplacian", warp=Warp.identity((160, 120))).image == plain.image).all()


def test_depth_of_16_bits_is_kept_and_its_range_measured_where_there_are_pixels() -> None:
    a = levels(3, 120, 160).astype(np.uint16) + np.uint16(3000)
    a[:, 80:] = 60000  # beyond the view of b
    result = polyfuse.fuse(a, B[..., 0], model="maximum", warp=HALF, range="minmax")
    assert result.image.dtype == np.uint16
    assert result.record["range"]["a"]["high"] == 3255


def test_stretch_is_measured_where_there_are_pixels(make_model: Callable[..., FusionModel]) -> None:
    model = make_model(lambda a, b: torch.where(a > 0, a, torch.full_like(a, -5)), output="minmax")
    a = levels(4, 120, 160) // 2 + np.uint8(10)
    a[:, 0] = 0  # goes on over the left half
    warp = Warp(np.array([[1.0, 0, 79], [0, 1, 0], [0, 0, 1]]), (160, 120), (160, 120), "shift")
    shown = polyfuse.fuse(a, B[..., 0], model=model, warp=warp, stretch="minmax").image
    assert np.abs(shown[:, :70].astype(int) - B[:, :70, 0]).max() <= 1


def test_record_says_what_was_warped_and_where_it_ends(tmp_path: Path) -> None:
    path = write_warp(tmp_path / "warp.json", HALF)
    record = polyfuse.fuse(A, B, model="average", warp=path).record
    told = {key: record["warp"][key] for key in ("frame", "resampled", "covered", "outside", "edge_pixels", "found")}
    assert told == {
        "frame": "b",
        "resampled": "a",
        "covered": 0.5,
        "outside": "b alone",
        "edge_pixels": 3,
        "found": "by hand",
    }
    assert record["settings"]["options"]["warp"]["matrix"] == HALF.matrix.tolist()
    assert json.dumps(record)


def test_record_without_a_warp_names_none() -> None:
    record = polyfuse.fuse(A, B, model="average").record
    assert "warp" not in record
    assert not {"warp", "frame"} & set(record["settings"]["options"])


def test_swapped_sources_are_warped_in_their_roles() -> None:
    plain = polyfuse.fuse(A, B, model="average", warp=HALF)
    assert (polyfuse.fuse(B, A, model="average", warp=HALF, swap=True).image == plain.image).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [({"warp": HALF, "resize": "a"}, "drop --resize"), ({"frame": "a"}, "--warp"), ({"warp": HALF, "frame": "c"}, "c")],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        FuseOptions(**options)


def test_raw_planes_are_refused_where_pictures_alone_are_read() -> None:
    options = FuseOptions(radiometric=True)
    with pytest.raises(UsageError, match="write their parts first"):
        as_picture(A, options, "a")
    with pytest.raises(UsageError, match="is for files"):
        polyfuse.fuse(A, B, options=options)


def test_pictures_of_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="a is 160x100 and b 160x120 but the warp is for"):
        polyfuse.fuse(A[:100], B, model="average", warp=HALF)


def test_scores_are_those_of_the_part_that_both_have() -> None:
    fused = polyfuse.fuse(A, B, model="average", warp=HALF)
    scores = polyfuse.evaluate(fused, A, B, warp=HALF, metrics=["MI", "SSIM"])
    expected = polyfuse.evaluate(fused.image[:, 83:], A[:, 3:80], B[:, 83:], metrics=["MI", "SSIM"])
    assert scores.values == expected.values
    assert scores.notes[0] == "scored in 77x120 of 160x120, which both sources have"
