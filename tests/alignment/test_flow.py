"""A flow moves points by a little, there and back, within its bounds, and is found where a drawn scene has parallax."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse import fuse
from polyfuse.alignment import Warp, find_warp, read_warp, write_warp
from polyfuse.alignment.canvas import as_canvas, projected
from polyfuse.alignment.files import from_json, to_json
from polyfuse.alignment.flow import MOST_SLOPE, Flow, most_shift, steepest
from polyfuse.alignment.flow_fit import fit_flow, flowed, warp_with_flow
from polyfuse.alignment.resample import Resampler
from polyfuse.errors import InputError, UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.io import Picture

SIZE_A, SIZE_B = (64, 48), (150, 110)


def flow_of(seed: int, size: tuple[int, int] = SIZE_B) -> Flow:
    """A flow as large and as steep as one may be, nearly."""
    controls = np.random.default_rng(seed).uniform(-1, 1, (6, 8, 2))
    controls *= 0.95 * MOST_SLOPE / steepest(controls, size)
    return Flow(controls * min(1, 0.95 * most_shift(size) / np.hypot(*controls.reshape(-1, 2).T).max()), size)


@given(st.integers(0, 1000))
def test_way_back_is_the_reverse_of_the_way_there(seed: int) -> None:
    points = np.random.default_rng(seed).uniform([-20, -20], [170, 130], (40, 2))
    flow = flow_of(seed)
    np.testing.assert_allclose(flow.there(flow.back(points)), points, atol=1e-9)
    warp = Warp(np.array([[2.2, 0.1, 3], [0, 2.2, 2], [1e-4, 0, 1]]), SIZE_A, SIZE_B, flow=flow)
    np.testing.assert_allclose(warp.to_b(warp.to_a(points)), points, atol=1e-8)


@given(st.integers(0, 1000))
def test_shifts_stay_within_those_of_the_grid_and_its_slope(seed: int) -> None:
    flow = flow_of(seed)
    points = np.random.default_rng(seed).uniform([0, 0], SIZE_B, (200, 2))
    assert np.hypot(*flow.at(points).T).max() <= most_shift(SIZE_B)
    step = (flow.at(points + np.array([0.01, 0])) - flow.at(points)) / 0.01
    assert np.abs(step).max() <= MOST_SLOPE + 1e-6


def test_even_grid_shifts_everything_alike() -> None:
    flow = Flow(np.full((3, 4, 2), [0.5, -1]), SIZE_B)
    points = np.array([[0.0, 0], [149, 109], [75, 55], [-1000, 2000], [np.nan, 3]])
    np.testing.assert_allclose(flow.at(points), [[0.5, -1]] * 5, atol=1e-12)


@pytest.mark.parametrize(
    ("controls", "match"),
    [
        (np.zeros((3, 4)), "no grid"),
        (np.full((2, 2, 2), np.nan), "no grid"),
        (np.zeros((2, 65, 2)), "65x2 points"),
        (np.full((2, 2, 2), 5.0), "too far"),
        (np.array([[[-2.0, 0], [2, 0]] * 20]), "folds"),
    ],
)
def test_grids_that_are_no_flow_are_refused(controls: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        Flow(controls, SIZE_B)


def test_flow_goes_through_the_warp_file(tmp_path: Any) -> None:
    warp = Warp(np.diag([2.0, 2, 1]), SIZE_A, SIZE_B, "similarity", flow=flow_of(1))
    again = read_warp(write_warp(tmp_path / "warp.json", warp))
    assert again.flow is not None
    assert warp.flow is not None
    assert (again.flow.controls == warp.flow.controls).all()
    assert again.scale == warp.scale == 2
    for call in (warp.inverse, lambda: warp.then(Warp.identity(SIZE_B))):
        with pytest.raises(UsageError, match="flow"):
            call()
    with pytest.raises(InputError, match="another size"):
        Warp(np.eye(3), SIZE_A, SIZE_A, flow=warp.flow)


@pytest.mark.parametrize(
    ("flow", "match"),
    [
        (None, "rows of x and of y"),
        ({"x": [[0.0]]}, "rows of x and of y"),
        ({"x": [[0.0], [0.0, 1.0]], "y": [[0.0], [0.0]]}, "one length"),
        ({"x": [[0.0]], "y": [[0.0, 0.0]]}, "as many rows"),
        ({"x": [], "y": []}, "as many rows"),
        ({"x": [["a"]], "y": [[0.0]]}, "flow.x must hold numbers"),
        ({"x": [[99.0]], "y": [[0.0]]}, "too far"),
    ],
)
def test_damaged_flow_of_a_file_is_refused(flow: Any, match: str) -> None:
    document = to_json(Warp.identity(SIZE_A, SIZE_B))
    with pytest.raises(InputError, match=match):
        from_json({**document, "flow": flow}, "warp.json")


def with_parallax(plane: np.ndarray, most: float, power: int = 1) -> np.ndarray:
    """The picture of a camera beside: what is lower is nearer, so it lies farther to the right."""
    rows, columns = np.indices(plane.shape, dtype=float)
    place = np.clip(columns - most * (rows / plane.shape[0]) ** power, 0, plane.shape[1] - 1)
    first = np.minimum(place.astype(int), plane.shape[1] - 2)
    share = place - first
    line = np.arange(plane.shape[0])[:, None]
    return (1 - share) * plane[line, first] + share * plane[line, first + 1]


def test_flow_follows_parallax_and_is_none_where_there_is_none(two_cameras: Any) -> None:
    b = np.ascontiguousarray(two_cameras.b[:300, :400])
    plane = 255.0 - b[..., 1]
    a = np.rint(with_parallax(plane, 6.0)).astype(np.uint8)
    warp, found = warp_with_flow(Warp.identity((400, 300)), a, b)
    assert warp.flow is not None
    assert found.longest <= most_shift((400, 300))
    x, y = np.meshgrid(np.linspace(40, 350, 9), np.linspace(40, 260, 9))
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    off = np.abs(warp.to_a(points) - points - np.stack([6.0 * points[:, 1] / 300, 0 * points[:, 1]], -1)).max(1)
    assert np.median(off) < 0.3  # of up to 6 pixels
    assert off.max() < 1.5
    assert warp.details["flow"]["kept"]
    same, none = warp_with_flow(Warp.identity((400, 300)), np.rint(plane).astype(np.uint8), b)
    assert (same.flow, none.flow, same.details["flow"]["kept"]) == (None, None, False)
    with pytest.raises(UsageError, match="flow of its own"):
        warp_with_flow(warp, a, b)


def test_pictures_of_different_places_give_no_flow(two_cameras: Any, another: Any) -> None:
    canvases = as_canvas(two_cameras.b[:300, :400]), as_canvas(another.b[:300, :400])
    assert fit_flow([canvases], np.eye(3)).flow is None


def test_pictures_that_show_nothing_give_no_flow() -> None:
    even = np.full((200, 300), 80, np.uint8)
    found = fit_flow([(as_canvas(even), as_canvas(even))], np.eye(3))
    assert (found.flow, found.before) == (None, None)


def test_fused_picture_has_the_flow_in_one_resampling(two_cameras: Any) -> None:
    b = np.ascontiguousarray(two_cameras.b[:240, :320])
    a = np.rint(with_parallax(255.0 - b[..., 1], 6.0)).astype(np.uint8)
    result = fuse(a, b, model="average", flow=True, grey=True)
    assert any("flow of up to" in note for note in result.notes)
    assert result.record["settings"]["options"]["flow"] is True
    warp = from_json({key: result.record["warp"][key] for key in to_json(Warp.identity((1, 1)))} | {
        "flow": result.record["warp"]["flow"]})  # fmt: skip
    once = Resampler(warp)(a)
    expected = fuse(Picture(once), Picture(b), model="average", grey=True).image
    inside = (slice(30, -30), slice(30, -30))  # beyond, b is alone
    assert np.abs(result.image[inside].astype(int) - expected[inside]).max() <= 1
    plain = fuse(a, b, model="average", grey=True)
    assert "flow" not in plain.record["settings"]["options"]


def test_flow_is_refused_where_pictures_are_no_single_pairs(two_cameras: Any) -> None:
    with pytest.raises(UsageError, match="drop --resize"):
        FuseOptions(flow=True, resize="a")
    with pytest.raises(InputError, match="--warp as well"):
        fuse(two_cameras.a, two_cameras.b, model="average", flow=True)


@pytest.mark.slow
def test_flow_of_several_frames_is_found_with_their_warp(two_cameras: Any, another: Any) -> None:
    pairs = [
        (name, pair.a, np.rint(with_parallax(pair.b[..., 1].astype(float), 12.0, power=3)).astype(np.uint8))
        for name, pair in (("one", two_cameras), ("other", another))
    ]
    finding = find_warp(pairs)
    warp = flowed(finding).warp
    x, y = np.meshgrid(np.linspace(80, 520, 9), np.linspace(60, 400, 9))
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    moved = points - np.stack([12.0 * (points[:, 1] / 480) ** 3, 0 * points[:, 1]], -1)
    there = projected(np.linalg.inv(two_cameras.matrix), moved)
    errors = [float(np.hypot(*(each.to_a(points) - there).T).mean()) for each in (finding.warp, warp)]
    assert errors[1] < 0.6 * errors[0]
