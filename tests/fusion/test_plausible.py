"""What looks wrong about a pair: each rule on pictures made up for it, and silence where nothing is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import fuse, list_models
from polyfuse.fusion.plausible import COLD_SPOTS, FALSE_COLOUR, SWAPPED, doubts
from polyfuse.io import find_pairs, read_picture
from polyfuse.registry import load
from polyfuse.transforms import measure_range, parse_range

Pixels = NDArray[Any]
BRAIN = [entry.name for entry in list_models() if entry.name.endswith(".brain") and entry.weights is not None]
SIDE = 96


def told(a: Pixels, b: Pixels, model: str = "maximum") -> list[str]:
    """The notes on a pair."""
    full = parse_range("full")
    return doubts(a, b, (measure_range(a, full), measure_range(b, full)), model)


def ramp(shape: tuple[int, int] = (SIDE, SIDE)) -> NDArray[np.float64]:
    """A smooth scene in [0.1, 1]."""
    rows, columns = np.indices(shape)
    return np.asarray(0.55 + 0.45 * np.sin(rows / 9) * np.cos(columns / 7))


def levels(unit: NDArray[np.float64]) -> Pixels:
    """As 8 bits."""
    return np.rint(unit * 255).astype(np.uint8)


THERMAL = levels(ramp())
VISIBLE = levels(np.stack([ramp() * share for share in (0.9, 0.8, 0.65)], axis=2))
"""A brownish scene: colour, but no strong one."""


def iron(unit: NDArray[np.float64]) -> Pixels:
    """A thermal palette: from violet through red to yellow."""
    return levels(np.stack([np.sqrt(unit), unit**3, np.clip(np.sin(2 * np.pi * unit), 0, 1)], axis=2))


def disc(radius: float) -> NDArray[np.bool_]:
    """A disc in the middle."""
    rows, columns = np.indices((SIDE, SIDE)) - SIDE // 2
    return np.asarray(rows**2 + columns**2 <= radius**2)


def head() -> Pixels:
    """A slice as an MRI shows it: grey on exact black."""
    return np.where(disc(36), levels(0.4 + 0.2 * ramp()), 0).astype(np.uint8)


def activity(cold: bool = True) -> Pixels:
    """The same slice as SPECT shows it: warm colours on exact black, with a cold spot beside the middle."""
    unit = np.where(disc(33), 0.85, 0.0)
    if cold:
        unit[40:52, 56:68] = 0.1
    return levels(np.stack([unit, unit**2 * 0.7, unit * 0.1], axis=2))


def test_thermal_palette_is_told_with_a_grey_or_a_colour_partner() -> None:
    assert told(iron(ramp()), VISIBLE) == [FALSE_COLOUR]
    assert told(iron(ramp()), VISIBLE[..., 0]) == [FALSE_COLOUR]


def test_palette_that_gives_the_colour_of_b_is_no_fault() -> None:
    assert told(THERMAL, iron(ramp())) == []


def test_swapped_sources_are_told_what_exchanges_them() -> None:
    assert told(VISIBLE, THERMAL) == [SWAPPED]
    assert told(head(), activity())[:-1] == []
    assert told(activity(), head()) == [SWAPPED, COLD_SPOTS]
    assert SWAPPED not in fuse(VISIBLE, THERMAL, model="maximum", swap=True).notes
    nearly_grey = np.repeat(THERMAL[..., None], 3, axis=2)
    nearly_grey[0, 0, 0] ^= 3
    [note] = fuse(VISIBLE, nearly_grey, model="maximum").notes  # not that both have colour, too
    assert note == SWAPPED


def test_thermal_picture_stored_as_colour_is_not_taken_for_the_visible_one() -> None:
    stored = np.repeat(THERMAL[..., None], 3, axis=2)
    stored[::5, ::7, 0] ^= 1  # what JPEG makes of grey
    assert told(stored, VISIBLE[..., 0]) == []


@pytest.mark.parametrize("model", ["fnet.road", "fnet.road-paper", "smfnet-s.road"])
def test_medical_pair_under_a_road_model_is_told(model: str) -> None:
    ct = np.where(disc(38) & ~disc(34), 220, 0).astype(np.uint8)
    [note] = told(head(), ct, model)
    assert note.startswith(f"both pictures are black all around, as medical ones are, and {model} was made for road")
    assert note.endswith("--model fnet.brain")
    assert told(head(), activity(), model)[0].endswith("--model pyrfuse.brain")
    assert told(head(), ct, "fnet.brain") == told(head(), ct, "maximum") == []


def test_scene_under_a_model_of_the_brain_is_told() -> None:
    [note] = told(THERMAL, VISIBLE, "daefuse-t.brain")
    assert note == (
        "no black background as around a head, and daefuse-t.brain was made for slices of the brain: "
        "--model pyrfuse.road"
    )
    assert told(THERMAL, VISIBLE, "daefuse-t.road") == []


def test_letterboxed_scene_and_black_frame_are_not_medical() -> None:
    boxed = [picture.copy() for picture in (THERMAL, VISIBLE)]
    for picture in boxed:
        picture[:16] = picture[-16:] = 0
    assert told(boxed[0], boxed[1], "fnet.road") == []
    assert told(np.zeros_like(THERMAL), np.zeros_like(VISIBLE), "fnet.road") == []


def test_tiny_and_non_finite_pictures_are_not_judged() -> None:
    assert told(iron(ramp((31, 60))), VISIBLE[:31, :60]) == []
    full = measure_range(np.zeros((40, 40), np.float32), parse_range("full"))
    assert doubts(np.full((40, 40), np.nan, np.float32), np.zeros((40, 40), np.float32), (full, full), "x.brain") == []


@pytest.mark.parametrize("model", [*BRAIN, "maximum", "laplacian"])
def test_cold_spot_of_a_functional_picture_is_warned_of_whatever_the_model(model: str) -> None:
    assert len(BRAIN) == 4
    result = fuse(head(), activity(), model=load(model))
    assert COLD_SPOTS in result.notes
    assert COLD_SPOTS in result.record["notes"]


def test_pair_without_a_functional_picture_is_not_warned_of_cold_spots() -> None:
    assert COLD_SPOTS not in told(head(), np.where(disc(38), 220, 0).astype(np.uint8), "fnet.brain")


@pytest.mark.parametrize(
    ("name", "sides"),
    [("roadscene", "ir vi"), ("tno", "ir vi"), ("msrs", "ir vi"), ("mri_ct", "mri ct"), ("mri_pet", "mri pet"),
     ("mri_spect", "mri spect")],
)  # fmt: skip
def test_real_pairs_are_told_nothing_but_that_they_are_functional(
    shared_dir: Path, name: str, sides: str, pairs_of: Callable[[Path, str], list[tuple[Pixels, Pixels]]]
) -> None:
    model = "fnet.brain" if name.startswith("mri") else "fnet.road"
    expected = [COLD_SPOTS] if name in ("mri_pet", "mri_spect") else []
    pairs = pairs_of(shared_dir / "data" / name / "test", sides)
    assert len(pairs) == 7
    assert [told(a, b, model) for a, b in pairs] == [expected] * 7


@pytest.fixture
def pairs_of() -> Callable[[Path, str], list[tuple[Pixels, Pixels]]]:
    """Seven pairs of a set, evenly spaced."""

    def chosen(folder: Path, sides: str) -> list[tuple[Pixels, Pixels]]:
        pairs = find_pairs(*(folder / side for side in sides.split()))
        return [
            (read_picture(pair.a).array, read_picture(pair.b).array)
            for pair in (pairs[number * (len(pairs) - 1) // 6] for number in range(7))
        ]

    return chosen
