"""The folder layouts of the data sets are understood, and what is no data set is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from polyfuse.data.layouts import find_set
from polyfuse.errors import InputError

WritePairs = Callable[..., None]


@pytest.mark.parametrize(
    ("a", "b", "split"),
    [
        ("train/ir", "train/vi", "train"),  # MSRS, this project's data
        ("infrared/train", "visible/train", "train"),  # LLVIP
        ("Ir", "Vis", "all"),  # M3FD
        ("cropinfrared", "crop_LR_visible", "all"),  # RoadScene
        ("MRI", "SPECT", "all"),  # Harvard
    ],
)
def test_known_layout_is_found(tmp_path: Path, write_pairs: WritePairs, a: str, b: str, split: str) -> None:
    write_pairs(tmp_path / "road" / a, tmp_path / "road" / b)
    found = find_set(tmp_path / "road", "train")
    assert (found.name, found.split) == ("road", split)
    assert [(pair.a.parent, pair.b.parent) for pair in found.pairs] == 2 * [
        (tmp_path / "road" / a, tmp_path / "road" / b)
    ]


def test_another_split_is_not_taken_for_the_one_wanted(tmp_path: Path, write_pairs: WritePairs) -> None:
    write_pairs(tmp_path / "test/ir", tmp_path / "test/vi")
    with pytest.raises(InputError, match="no split 'train'"):
        find_set(tmp_path, "train")


def test_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is no folder"):
        find_set(tmp_path / "nowhere", "train")


def test_empty_split_is_an_input_error(tmp_path: Path) -> None:
    for name in ("ir", "vi"):
        (tmp_path / "train" / name).mkdir(parents=True)
    with pytest.raises(InputError, match="holds no pictures"):
        find_set(tmp_path, "train")
