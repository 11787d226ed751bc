"""Pairs with masks in every layout that is known, and what is refused in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyfuse.downstream.segmentation.classes import FMB, MFNET, Classes, classes_from_file
from polyfuse.downstream.segmentation.truth import find_labelled, unpacked
from polyfuse.errors import InputError
from polyfuse.io import read_picture, write_picture
from polyfuse.scenes import LABELS, SceneConfig, render_scene
from polyfuse.scenes.files import write_scenes

Place = Callable[..., Path]


def test_drawn_scenes_bring_their_classes_and_exact_masks(tmp_path: Path) -> None:
    config = SceneConfig(width=64, height=48, seed=3)
    list(write_scenes(tmp_path, [config]))
    found = find_labelled(tmp_path, "train")
    assert found.classes == Classes(LABELS, None)
    assert (found.pairs[0].mask(found.classes) == render_scene(config).classes).all()


def test_msrs_has_the_classes_of_mfnet(place: Place) -> None:
    found = find_labelled(place("test/ir", "test/vi", "test/Segmentation_labels"), "test")
    assert found.classes == MFNET
    assert [pair.name for pair in found.pairs] == ["x0", "x1"]


def test_fmb_ignores_what_nobody_labelled(place: Place) -> None:
    found = find_labelled(place("train/Infrared", "train/Visible", "train/Label"), "train")
    assert found.classes == FMB
    assert found.classes.ignore == 0


def test_other_folders_need_the_names_of_their_classes(place: Place) -> None:
    folder = place("ir", "vi", "masks")
    with pytest.raises(InputError, match="name them with --classes FILE"):
        find_labelled(folder, "train")
    (folder / "names.txt").write_text("ground\ncar\nperson\n")
    found = find_labelled(folder, "train", classes=folder / "names.txt", ignore=2)
    assert found.classes == Classes(("ground", "car", "person"), 2)


def test_mfnet_splits_are_lists_and_its_fourth_channel_is_infrared(mfnet: Path, tmp_path: Path) -> None:
    found = find_labelled(mfnet, "train")
    assert (found.classes, [pair.name for pair in found.pairs]) == (MFNET, ["00001D", "00003N"])
    stored = np.asarray(Image.open(mfnet / "images/00003N.png"))
    apart = unpacked(found, tmp_path / "out")
    assert (read_picture(apart.pairs[1].pair.a).array == stored[..., 3]).all()
    assert (read_picture(apart.pairs[1].pair.b).array == stored[..., :3]).all()


def test_mfnet_list_with_a_missing_picture_is_refused(mfnet: Path) -> None:
    (mfnet / "val.txt").write_text("00009D\n")
    with pytest.raises(InputError, match=r"val\.txt names pictures without image or label \(00009D\)"):
        find_labelled(mfnet, "val")
    with pytest.raises(InputError, match=r"none\.txt .*does not exist"):
        find_labelled(mfnet, "none")


def test_pair_without_mask_and_mask_without_pair_are_refused(place: Place) -> None:
    folder = place("ir", "vi", "classes")
    names = folder / "names.txt"
    names.write_text("ground\ncar\nperson\n")
    (folder / "classes/x1.png").rename(folder / "classes/y.png")
    with pytest.raises(InputError, match=r"1 pair has no mask in .*classes \(x1\)"):
        find_labelled(folder, "train", classes=names)
    write_picture(folder / "classes/x1.png", np.zeros((40, 48), np.uint8))
    with pytest.raises(InputError, match=r"1 mask in .*classes without a pair \(y\)"):
        find_labelled(folder, "train", classes=names)


def test_mask_of_another_size_is_refused(place: Place) -> None:
    found = find_labelled(place("test/ir", "test/vi", "test/Segmentation_labels"), "test")
    write_picture(found.pairs[0].mask_path, np.zeros((40, 47), np.uint8), overwrite=True)
    with pytest.raises(InputError, match=r"x0\.png is 47x40 and the picture of its name 48x40"):
        found.pairs[0].mask(found.classes)


def test_index_that_is_no_class_is_refused(place: Place) -> None:
    found = find_labelled(place("test/ir", "test/vi", "test/Segmentation_labels", num_classes=10), "test")
    with pytest.raises(InputError, match=r"x0\.png holds class 9 in \d+ pixels?, known are 0 to 8 and 255 is ignored"):
        found.pairs[0].mask(found.classes)


@pytest.mark.parametrize(("text", "message"), [
    ("one\n", "1 names of classes"),
    ("one\none\n", "the class one is named twice"),
])  # fmt: skip
def test_names_that_are_no_classes_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        classes_from_file(tmp_path / "names.txt", None)


@pytest.mark.parametrize("text", ["{", '{"labels": 3}', "[1, 2]"])
def test_document_without_names_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "names.json").write_text(text)
    with pytest.raises(InputError, match=r"names\.json .*names"):
        classes_from_file(tmp_path / "names.json", None)


def test_folder_of_no_known_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no split 'train' with folders such as ir, vi and classes"):
        find_labelled(tmp_path, "train")
