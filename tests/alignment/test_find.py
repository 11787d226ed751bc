"""A warp is found where there is one, and doubted where there is none."""

from typing import Any

import numpy as np
import pytest

from polyfuse.alignment import find_warp, seems_off
from polyfuse.alignment.canvas import as_canvas, zoomed
from polyfuse.alignment.pictures import check_picture
from polyfuse.alignment.shifts import shift_map
from polyfuse.alignment.vote import Finding, judged_finding
from polyfuse.errors import InputError


@pytest.fixture(scope="module")
def finding(two_cameras: Any) -> Finding:
    """What is found for one pair."""
    return find_warp([("one", two_cameras.a, two_cameras.b)])


def test_warp_of_two_cameras_is_found(two_cameras: Any, finding: Finding) -> None:
    assert finding.is_accepted
    assert two_cameras.error(finding.warp.matrix) < 0.7  # pixels of b, of which a has one for two
    assert (finding.warp.size_a, finding.warp.size_b) == ((256, 192), (640, 480))
    assert finding.warp.residual is not None
    assert finding.warp.residual < 1.5


def test_nothing_is_off_under_the_warp(finding: Finding) -> None:
    numbers = shift_map(*finding.canvases, finding.estimate.matrix).numbers()
    assert numbers["places"] > 20
    assert numbers["median"] < 0.7
    assert numbers["share_off"] < 0.05


def test_check_picture_shows_both_at_the_working_size(finding: Finding) -> None:
    shifts = shift_map(*finding.canvases, finding.estimate.matrix)
    picture = check_picture(*finding.canvases, finding.estimate.matrix, shifts)
    assert (picture.shape, picture.dtype.name) == ((480, 1280, 3), "uint8")


def test_similarity_is_one_to_the_last_bit(two_cameras: Any) -> None:
    warp = find_warp([("one", two_cameras.a, two_cameras.b)], kind="similarity").warp
    assert warp.kind == "similarity"
    assert warp.matrix[0, 0] == pytest.approx(warp.matrix[1, 1], rel=1e-9)
    assert two_cameras.error(warp.matrix) < 6  # the truth is no similarity


def test_pictures_of_different_places_are_doubted(two_cameras: Any, another: Any) -> None:
    finding = find_warp([("wrong", two_cameras.a, another.b)])
    assert not finding.is_accepted


def test_several_pairs_vote(two_cameras: Any, another: Any) -> None:
    pairs = [(name, pair.a, pair.b) for name, pair in (("one", two_cameras), ("other", another))]
    finding = find_warp(pairs)
    assert finding.is_accepted
    assert two_cameras.error(finding.warp.matrix) < 0.7
    assert [vote.name for vote in finding.votes] == ["one", "other"]
    assert finding.warp.details["pairs_agreeing"] == 2


@pytest.mark.slow
def test_a_wrong_pair_among_others_does_not_lead_astray(two_cameras: Any, another: Any) -> None:
    pairs = [(name, pair.a, pair.b) for name, pair in (("one", two_cameras), ("other", another))]
    finding = find_warp([("wrong", two_cameras.a, another.b), *pairs])
    assert finding.is_accepted
    assert two_cameras.error(finding.warp.matrix) < 0.7
    assert finding.votes[0].confidence < 0.5


def test_pairs_of_other_sizes_are_refused(two_cameras: Any) -> None:
    pairs = [("one", two_cameras.a, two_cameras.b), ("two", two_cameras.a[:100], two_cameras.b)]
    with pytest.raises(InputError, match="two has other sizes than one"):
        find_warp(pairs)


def test_no_pair_is_an_error() -> None:
    with pytest.raises(InputError, match="no pair"):
        find_warp([])


@pytest.mark.parametrize("value", [0, 90])
def test_even_pictures_give_no_warp(value: int) -> None:
    even = np.full((60, 80), value, np.uint8)
    assert not find_warp([("even", even, even)]).is_accepted


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3)])
def test_tiny_pictures_give_no_warp(shape: tuple[int, int]) -> None:
    tiny = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    assert not find_warp([("tiny", tiny, tiny)]).is_accepted


def test_wrong_warp_is_judged_so(two_cameras: Any, finding: Finding) -> None:
    from dataclasses import replace

    matrix = finding.warp.matrix + np.array([[0, 0, 25.0], [0, 0, -10], [0, 0, 0]])
    judged = judged_finding(replace(finding.warp, matrix=matrix), two_cameras.a, two_cameras.b)
    assert judged.estimate.confidence < 0.1
    right = judged_finding(finding.warp, two_cameras.a, two_cameras.b)
    assert right.estimate.confidence == pytest.approx(finding.warp.confidence, abs=1e-3)


def test_part_that_a_sees_is_cut_out_of_b() -> None:
    a, b = as_canvas(np.zeros((200, 400), np.uint8)), as_canvas(np.zeros((1200, 1600), np.uint8))
    matrix = b.matrix @ np.array([[0.75, 0, 500], [0, 0.75, 300], [0, 0, 1]]) @ np.linalg.inv(a.matrix)
    part = zoomed(a, b, matrix)
    assert part.size == b.size
    assert (part.width, part.height) == (421, 271)  # 300x150 pixels of b and a fifth of 300 around
    at = part.matrix @ [440, 240, 1]
    assert at[:2] == pytest.approx([0, 0], abs=1.5)
    assert zoomed(a, b, b.matrix @ np.diag([3.9, 5.9, 1]) @ np.linalg.inv(a.matrix)) is b


def test_pictures_that_lie_on_one_another_do_not_seem_off(two_cameras: Any) -> None:
    grey = 255 - two_cameras.b[..., 1]
    assert seems_off(grey, two_cameras.b) is None


@pytest.mark.parametrize("shift", [5, 12])
def test_shifted_pictures_seem_off(two_cameras: Any, shift: int) -> None:
    grey = 255 - two_cameras.b[..., 1]
    off = seems_off(np.ascontiguousarray(grey[:, shift:]), np.ascontiguousarray(two_cameras.b[:, :-shift]))
    assert off == pytest.approx(shift, abs=2.1)  # found at half size, to whole pixels


def test_noise_and_other_sizes_do_not_seem_off() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 255, (2, 240, 320), np.uint8)
    assert seems_off(one, other) is None
    assert seems_off(one, other[:100]) is None
    assert seems_off(one[:8, :8], other[:8, :8]) is None


@pytest.mark.slow
def test_raw_pairs_are_aligned(shared_dir: Any) -> None:
    import json

    from polyfuse.io import read_picture

    folder = shared_dir / "data" / "roadscene_raw"
    table = json.loads((folder / "homographies.json").read_text(encoding="utf-8"))
    errors = []
    for name in sorted(name for name, row in table.items() if row["split"] == "val"):
        a = read_picture(folder / "val" / "ir" / f"{name}.png").array
        b = read_picture(folder / "val" / "vi" / f"{name}.jpg").array
        warp = find_warp([(name, a, b)]).warp
        x, y = np.meshgrid(np.linspace(0.06, 0.94, 9) * b.shape[1], np.linspace(0.06, 0.94, 9) * b.shape[0])
        points = np.stack([x.ravel(), y.ravel()], axis=-1)
        there = np.linalg.inv(table[name]["homography"]) @ np.concatenate([points.T, np.ones((1, 81))])
        away = np.hypot(*(warp.to_b((there[:2] / there[2]).T) - points).T)
        errors.append(float(np.nanmean(away)) * 640 / b.shape[1])
    # measured: median 2.3, all below 8; the reference is good to 2 or 3 pixels
    assert np.median(errors) < 3
    assert np.mean(np.array(errors) < 10) >= 0.94


@pytest.mark.slow
def test_night_scene_with_few_edges_is_found_at_a_larger_size(shared_dir: Any) -> None:
    import json

    from polyfuse.io import read_picture

    folder, name = shared_dir / "data" / "roadscene_raw", "FLIR_07428"
    table = json.loads((folder / "homographies.json").read_text(encoding="utf-8"))
    a = read_picture(folder / "train" / "ir" / f"{name}.png").array
    b = read_picture(folder / "train" / "vi" / f"{name}.jpg").array
    finding = find_warp([(name, a, b)])
    assert finding.is_accepted
    corners = np.array([[150.0, 150], [500, 150], [150, 400], [500, 400], [320, 256]])
    there = np.concatenate([corners, np.ones((5, 1))], axis=1) @ np.array(table[name]["homography"]).T
    away = np.hypot(*(finding.warp.to_b(corners) - there[:, :2] / there[:, 2:]).T) * 640 / b.shape[1]
    assert away.mean() < 5  # measured: 1.8 over the grid
