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


@pytest.mark.parametrize("base", ["", "images/"])
def test_sets_of_kaist_are_its_splits_and_names_say_set_and_clip(
    tmp_path: Path, write_pairs: WritePairs, base: str
) -> None:
    for clip in ("set00/V000", "set05/V001", "set06/V000"):
        write_pairs(tmp_path / base / clip / "lwir", tmp_path / base / clip / "visible", count=1)
    (tmp_path / base / "set00/V001").mkdir()
    train, test = (find_set(tmp_path, split) for split in ("train", "test"))
    assert [pair.name for pair in train.pairs] == ["set00_V000_0", "set05_V001_0"]
    assert [(pair.name, pair.a.parent.name, pair.b.parent.name) for pair in test.pairs] == [
        ("set06_V000_0", "lwir", "visible")
    ]
    assert (train.split, test.split) == ("train", "test")
    with pytest.raises(InputError, match="no split 'val'"):
        find_set(tmp_path, "val")


def write_scenes(folder: Path, *names: str) -> None:
    """Empty files as RGB-NIR Scene names them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for end in ("nir", "rgb"):
            (folder / f"{name}_{end}.tiff").touch()


def test_pairs_of_one_folder_are_told_by_the_ends_of_their_names(tmp_path: Path) -> None:
    write_scenes(tmp_path / "flat", "0010", "0002")
    found = find_set(tmp_path / "flat", "train")
    assert [(pair.name, pair.a.name, pair.b.name) for pair in found.pairs] == [
        ("0002", "0002_nir.tiff", "0002_rgb.tiff"),
        ("0010", "0010_nir.tiff", "0010_rgb.tiff"),
    ]
    assert found.split == "all"
    write_scenes(tmp_path / "deep/country", "0000")
    write_scenes(tmp_path / "deep/water", "0000")
    assert [pair.name for pair in find_set(tmp_path / "deep", "train").pairs] == ["country_0000", "water_0000"]
    write_scenes(tmp_path / "split/val", "0000")
    assert find_set(tmp_path / "split", "val").split == "val"
    (tmp_path / "flat/0011_rgb.tiff").touch()
    with pytest.raises(InputError, match="0011_rgb without its partner"):
        find_set(tmp_path / "flat", "train")


def test_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is no folder"):
        find_set(tmp_path / "nowhere", "train")


def test_empty_split_is_an_input_error(tmp_path: Path) -> None:
    for name in ("ir", "vi"):
        (tmp_path / "train" / name).mkdir(parents=True)
    with pytest.raises(InputError, match="holds no pictures"):
        find_set(tmp_path, "train")
