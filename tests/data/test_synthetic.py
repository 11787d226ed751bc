"""The synthetic scenes: reproducible, consistent with their ground truth, and showing what each camera alone sees."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from polyfuse.errors import InputError
from polyfuse.scenes import LABELS, Box, Scene, SceneConfig, apply_gain, render_scene, render_sequence

SMALL = SceneConfig(width=120, height=90, seed=3)
KINDS = ("street", "yard")


@cache
def _scene(config: SceneConfig, frame: int = 0, bit_depth: int = 8) -> Scene:
    return render_scene(config, frame=frame, bit_depth=bit_depth)


@cache
def _frames() -> tuple[Scene, ...]:
    return tuple(render_sequence(SMALL, 4))


def _bytes(scene: Scene) -> bytes:
    return b"".join(array.tobytes() for array in (scene.thermal, scene.visible, scene.instances, scene.classes))


def _boxes(scene: Scene, label: str) -> list[Box]:
    return [box for box in scene.boxes if box.label == label]


def _surroundings(inside: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """Pixels up to `reach` away from the given ones in rows or columns, without them and their blurred edge."""
    rows, columns = np.nonzero(inside)
    near = np.zeros_like(inside)
    window = slice(max(rows.min() - reach, 0), rows.max() + reach + 1)
    near[window, max(columns.min() - reach, 0) : columns.max() + reach + 1] = True
    padded = np.pad(inside, 2)
    height, width = inside.shape
    for dy in range(5):
        for dx in range(5):
            near &= ~padded[dy : dy + height, dx : dx + width]
    return near


def test_same_config_and_frame_give_the_same_bytes() -> None:
    first = _scene(SMALL, frame=2)
    render_scene(replace(SMALL, seed=8, width=64, height=48))  # what was rendered in between must not matter
    again = render_scene(SMALL, frame=2)
    assert _bytes(first) == _bytes(again)
    assert first.boxes == again.boxes


def test_rendering_leaves_the_global_random_state_alone() -> None:
    np.random.seed(5)  # noqa: NPY002 - the legacy state is what is being watched
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    render_scene(replace(SMALL, width=48, height=32))
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_scene(kind: Any) -> None:
    config = replace(SMALL, kind=kind)
    one, two = _scene(config), _scene(replace(config, seed=4))
    # noise alone changes the pictures by about 4 and 1 levels: it is the places that must differ
    assert np.abs(one.visible.astype(int) - two.visible).mean() > 8
    assert np.abs(one.thermal.astype(int) - two.thermal).mean() > 4


def test_street_and_yard_are_different_places() -> None:
    assert np.mean(_scene(SMALL).classes != _scene(replace(SMALL, kind="yard")).classes) > 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_touch_their_instance_on_all_four_sides(kind: Any) -> None:
    scene = _scene(replace(SMALL, kind=kind))
    assert len(_boxes(scene, "person")) >= 3
    assert len(_boxes(scene, "car")) >= 3
    for box in scene.boxes:
        rows, columns = np.nonzero(scene.instances == box.instance)
        assert (box.x0, box.y0) == (columns.min(), rows.min())
        assert (box.x1, box.y1) == (columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_masks_and_boxes_name_the_same_instances(kind: Any) -> None:
    scene = _scene(replace(SMALL, kind=kind))
    assert {box.instance for box in scene.boxes} == set(np.unique(scene.instances)) - {0}
    for box in scene.boxes:
        found = np.unique(scene.classes[scene.instances == box.instance])
        assert [scene.labels[value] for value in found] == [box.label]


def test_classes_cover_every_pixel_of_a_street() -> None:
    present = {LABELS[value] for value in np.unique(_scene(SMALL).classes)}
    assert {"sky", "building", "road", "pavement", "vegetation", "person", "car", "sign", "lamp"} <= present
    assert "background" not in present


@pytest.mark.parametrize("kind", KINDS)
def test_people_are_warmer_than_their_surroundings(kind: Any) -> None:
    # glowing embers and exhausts stand next to people, so the typical surrounding pixel is what is compared
    scene = _scene(replace(SMALL, kind=kind, width=192, height=144), bit_depth=16)
    for box in _boxes(scene, "person"):
        body = scene.instances == box.instance
        around = _surroundings(body, 5) & (scene.classes != LABELS.index("person"))
        warmth = float(np.median(scene.thermal[body])) - float(np.median(scene.thermal[around]))
        assert warmth > 3 * 24, f"instance {box.instance}"  # 24 counts are about one kelvin


def test_parked_cars_are_colder_than_the_road_and_the_driven_engine_is_warmer() -> None:
    scene = _scene(replace(SMALL, kind="street", width=192, height=144), bit_depth=16)
    road = float(np.median(scene.thermal[scene.classes == LABELS.index("road")]))
    cars = _boxes(scene, "car")
    cold, driven = (
        scene.thermal[scene.instances == cars[0].instance],
        scene.thermal[scene.instances == cars[-1].instance],
    )
    assert float(np.median(cold)) < road
    assert float(driven.max()) > road + 5 * 24


@pytest.mark.parametrize("kind", ["street", pytest.param("yard", marks=pytest.mark.slow)])
def test_text_on_the_sign_is_seen_by_the_visible_camera_only(kind: Any) -> None:
    config = SceneConfig(width=384, height=288, seed=1, kind=kind, smoke=False, glare=False, noise=0.0, num_people=0)
    scene = _scene(config, bit_depth=16)
    box = _boxes(scene, "sign")[0]
    inner = (slice(box.y0 + 3, box.y1 - 3), slice(box.x0 + 4, box.x1 - 4))  # the blurred rim of the board is left out
    luma = scene.visible[inner].astype(np.float64).mean(axis=2) / 65535
    assert luma.std() > 0.08
    assert scene.thermal[inner].astype(np.float64).std() < 0.35 * 24  # a third of a kelvin


def test_smoke_hides_a_person_in_visible_but_not_in_thermal() -> None:
    # contrast = what the picture changes by when the person is taken away, where the person stands
    def contrast(smoke: bool) -> tuple[float, float]:
        config = replace(SMALL, smoke=smoke, noise=0.0, num_people=1, num_cars=0, glare=False)
        with_person, without = _scene(config, 0, 16), _scene(replace(config, num_people=0), 0, 16)
        body = with_person.instances == _boxes(with_person, "person")[0].instance
        visible = np.abs(with_person.visible.astype(np.float64) - without.visible)[body].mean()
        return float(visible), float((with_person.thermal.astype(np.float64) - without.thermal)[body].mean())

    visible_clear, thermal_clear = contrast(False)
    visible_smoke, thermal_smoke = contrast(True)
    assert visible_smoke < 0.2 * visible_clear
    assert thermal_smoke > 0.6 * thermal_clear


def test_headlights_hide_a_person_in_visible_but_not_in_thermal() -> None:
    config = SceneConfig(width=240, height=180, seed=1, smoke=False, noise=0.0, num_people=2, num_cars=0)
    with_person, without = _scene(config, 0, 16), _scene(replace(config, num_people=1), 0, 16)
    body = with_person.instances == _boxes(with_person, "person")[-1].instance
    change = np.abs(with_person.visible.astype(np.float64) - without.visible)[body] / 65535
    assert float(np.median(change)) < 0.06
    assert float(np.median(with_person.thermal[body].astype(np.float64) - without.thermal[body])) > 3 * 24


def test_sixteen_bit_pictures_have_more_levels_and_agree_with_eight_bits() -> None:
    deep, plain = _scene(SMALL, bit_depth=16), _scene(SMALL)
    assert deep.thermal.dtype == np.uint16
    assert deep.visible.dtype == np.uint16
    assert np.unique(deep.thermal).size > 256
    assert np.unique(deep.visible).size > 256
    thermal = cast("npt.NDArray[np.uint16]", deep.thermal)
    assert np.array_equal(apply_gain(thermal, deep.agc_counts, deep.agc_levels), plain.thermal)
    # both are rounded from the same numbers: half a level of 8 bits, and a little for the 16-bit rounding
    assert np.abs(deep.visible / 257.0 - plain.visible).max() <= 0.5 + 1 / 257


def test_raw_counts_lie_in_a_narrow_window_of_the_fourteen_bits() -> None:
    raw = _scene(SMALL, bit_depth=16).thermal
    assert 6000 < np.percentile(raw, 1) < np.percentile(raw, 99) < 9500


@pytest.mark.parametrize(("width", "height"), [(32, 32), (33, 57), (200, 32), (32, 200), (97, 41)])
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_is_rendered(width: int, height: int, kind: Any) -> None:
    scene = render_scene(SceneConfig(width=width, height=height, kind=kind, seed=2))
    assert scene.thermal.shape == scene.instances.shape == scene.classes.shape == (height, width)
    assert scene.visible.shape == (height, width, 3)
    assert scene.thermal.std() > 5
    assert scene.visible.std() > 5


def test_frames_of_a_sequence_equal_single_renderings() -> None:
    assert _bytes(_frames()[2]) == _bytes(_scene(SMALL, frame=2))


def test_background_of_a_sequence_stands_still_up_to_noise() -> None:
    quiet = replace(SMALL, noise=0.0, smoke=False)
    first, last = _scene(quiet), _scene(quiet, frame=12)
    still = np.ones(first.classes.shape, dtype=bool)
    for box in (*first.boxes, *last.boxes):
        if box.label != "sign":  # movers, their blurred edges and the shadows next to them
            still[max(box.y0 - 4, 0) : box.y1 + 8, max(box.x0 - 8, 0) : box.x1 + 8] = False
    assert still.mean() > 0.5
    # long shadows and the stray light of lamps reach further than the boxes, but not far
    changed = np.abs(first.visible.astype(int) - last.visible).max(axis=2) > 2
    assert np.mean(changed[still]) < 0.02
    assert np.array_equal(first.thermal[still], last.thermal[still])
    assert np.array_equal(first.classes[still], last.classes[still])


def test_noise_differs_between_frames() -> None:
    frames = _frames()
    assert np.mean(frames[0].visible != frames[1].visible) > 0.5
    assert np.mean(frames[0].thermal != frames[1].thermal) > 0.3


def test_people_and_the_driven_car_move_and_keep_their_instance() -> None:
    first, last = _scene(SMALL), _scene(SMALL, frame=12)
    for label, at_least in (("person", 2), ("car", 1)):
        before = {box.instance: box for box in _boxes(first, label)}
        after = {box.instance: box for box in _boxes(last, label)}
        common = before.keys() & after.keys()
        moved = [k for k in common if abs(before[k].x0 - after[k].x0) + abs(before[k].y0 - after[k].y0) >= 2]
        assert len(moved) >= at_least


def test_smoke_drifts() -> None:
    quiet = replace(SMALL, noise=0.0, num_people=0, num_cars=0, glare=False)
    sky = _scene(quiet).classes == LABELS.index("sky")
    assert np.mean((_scene(quiet).visible != _scene(quiet, frame=12).visible)[sky]) > 0.05


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 31), ("height", 20000), ("width", 64.0), ("seed", -1), ("kind", "forest"), ("num_people", 13),
        ("num_cars", -1), ("smoke", 1), ("glare", "no"), ("haze", 1.5), ("wetness", float("nan")), ("noise", -0.1),
        ("air_celsius", 90), ("daylight", None), ("fps", 0), ("num_people", True),
    ],
)  # fmt: skip
def test_bad_config_raises_input_error_naming_the_field(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field if field != "kind" else "forest"):
        SceneConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("frame", "depth"), [(-1, 8), (0, 12), (0.5, 8)])
def test_bad_frame_or_bit_depth_raises_input_error(frame: Any, depth: Any) -> None:
    with pytest.raises(InputError):
        render_scene(SMALL, frame=frame, bit_depth=depth)


def test_bad_number_of_frames_raises_before_the_first_frame() -> None:
    with pytest.raises(InputError):
        render_sequence(SMALL, -1)
