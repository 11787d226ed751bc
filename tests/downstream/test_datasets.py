"""Data sets with boxes, as made-up trees; and near twins between lists."""

from pathlib import Path

import numpy as np
import pytest

from polyfuse.downstream.detection.datasets import find_labelled
from polyfuse.downstream.detection.leaks import near_twins
from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, write_picture

SIZE = (80, 100)


def picture(path: Path) -> None:
    write_picture(path, np.zeros(SIZE, np.uint8))


def voc(path: Path, label: str = "Car") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox>"
    path.write_text(f"<annotation><object><name>{label}</name>{box}</object></annotation>", encoding="utf-8")


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def names(folder: Path, split: str, **how: bool) -> list[str]:
    group = find_labelled(folder, split, **how)
    sizes = {pair.name: (SIZE[1], SIZE[0]) for pair in group.pairs}
    truth = group.truth(sizes)
    assert all(truth.boxes[pair.name] for pair in group.pairs)
    return [pair.name for pair in group.pairs]


def m3fd(folder: Path, count: int = 42) -> None:
    for index in range(count):
        picture(folder / f"Ir/{index:05}.png")
        picture(folder / f"Vis/{index:05}.png")
        voc(folder / f"Annotation/{index:05}.xml")


def test_m3fd_is_split_at_random_the_same_each_time(tmp_path: Path) -> None:
    m3fd(tmp_path)
    train, test = names(tmp_path, "train"), names(tmp_path, "test")
    assert (len(train), len(test)) == (29, 13)  # as 2905 and 1295 of 4200
    assert (set(train) & set(test), sorted(train + test)) == (set(), names(tmp_path, "all"))
    assert (test, names(tmp_path, "train")) == (names(tmp_path, "test"), train)
    assert test != sorted(test)[:13] or test[0] != "00029"
    assert "split at random, seed 0" in find_labelled(tmp_path, "test").notes[0]


def test_m3fd_is_split_by_scenes_where_lists_are_there(tmp_path: Path) -> None:
    m3fd(tmp_path, 4)
    text(tmp_path / "m3fd-zxSplit/train.txt", "00000.png\n00003.png\n")
    text(tmp_path / "m3fd-zxSplit/test.txt", "00001.png\n00002.png\n")
    assert names(tmp_path, "train") == ["00000", "00003"]
    assert names(tmp_path, "test") == ["00001", "00002"]
    assert len(names(tmp_path, "train", by_scene=False)) == 3


def test_llvip_has_a_folder_for_each_split(tmp_path: Path) -> None:
    for split, name in (("train", "010001"), ("test", "190001")):
        picture(tmp_path / f"infrared/{split}/{name}.jpg")
        picture(tmp_path / f"visible/{split}/{name}.jpg")
        voc(tmp_path / f"Annotations/{name}.xml", "person")
    assert names(tmp_path, "test") == ["190001"]
    assert names(tmp_path, "all") == ["010001", "190001"]


def test_boxes_of_msrs_have_the_classes_of_coco(tmp_path: Path) -> None:
    for name in ("1", "2"):
        picture(tmp_path / f"detection/ir/{name}.png")
        picture(tmp_path / f"detection/vi/{name}.png")
    text(tmp_path / "detection/labels/1.txt", "2 0.5 0.5 0.2 0.2\n0 0.2 0.2 0.1 0.1\n")
    group = find_labelled(tmp_path, "test")
    truth = group.truth({"1": (100, 80)})
    assert [box.label for box in truth.boxes["1"]] == ["car", "person"]
    assert (group.layout, group.split) == ("MSRS", "all")


def test_kaist_is_split_by_its_sets(tmp_path: Path) -> None:
    for place in ("set00/V000", "set06/V001"):
        picture(tmp_path / f"images/{place}/lwir/I00019.jpg")
        picture(tmp_path / f"images/{place}/visible/I00019.jpg")
        text(tmp_path / f"annotations/{place}/I00019.txt", "% bbGt version=3\nperson 1 2 20 60 0 0 0 0 0 0 0\n")
    assert names(tmp_path, "train") == ["set00_V000_I00019"]
    assert names(tmp_path, "test") == ["set06_V001_I00019"]
    assert names(tmp_path, "all") == ["set00_V000_I00019", "set06_V001_I00019"]


def test_flir_is_split_by_its_lists(tmp_path: Path) -> None:
    for name in ("FLIR_00001", "FLIR_00002"):
        picture(tmp_path / f"JPEGImages/{name}_PreviewData.jpeg")
        picture(tmp_path / f"JPEGImages/{name}_RGB.jpg")
        voc(tmp_path / f"Annotations/{name}_PreviewData.xml", "car")
    text(tmp_path / "align_train.txt", "FLIR_00001_PreviewData\n")
    text(tmp_path / "align_validation.txt", "FLIR_00002_PreviewData\n")
    assert names(tmp_path, "train") == ["FLIR_00001"]
    assert names(tmp_path, "test") == ["FLIR_00002"]
    assert len(names(tmp_path, "all")) == 2


@pytest.mark.parametrize("labels", ["labels/test", "test/labels"])
def test_any_folder_in_yolo_layout_is_read(tmp_path: Path, labels: str) -> None:
    picture(tmp_path / "test/ir/a.png")
    picture(tmp_path / "test/vi/a.png")
    text(tmp_path / labels / "a.txt", "1 0.5 0.5 0.2 0.2\n")
    text(tmp_path / "data.yaml", "names: [person, car]\n")
    assert names(tmp_path, "test") == ["a"]


def test_unknown_folders_and_empty_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no data set with boxes that polyfuse knows"):
        find_labelled(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        find_labelled(tmp_path / "x")
    with pytest.raises(UsageError, match="no split 'tset'"):
        find_labelled(tmp_path, "tset")
    m3fd(tmp_path, 2)
    text(tmp_path / "test.txt", "99999\n")
    with pytest.raises(InputError, match=r"\(M3FD\) has no labelled pair in its split 'test'"):
        find_labelled(tmp_path)


def noise(folder: Path, name: str, seed: int, jitter: int = 0) -> Pair:
    """A pair of smooth random pictures; with `jitter`, the same a little brighter and with noise."""
    rng = np.random.default_rng(seed)
    paths = []
    for side in ("ir", "vi"):
        coarse = rng.integers(0, 200, (8, 10))
        pixels = np.kron(coarse, np.ones((10, 10), np.int64))
        pixels += np.random.default_rng(99).integers(0, jitter + 1, pixels.shape) + jitter
        paths.append(write_picture(folder / f"{side}/{name}.png", pixels.astype(np.uint8)))
    return Pair(name, *paths)


def test_near_twins_are_found_and_others_are_not(tmp_path: Path) -> None:
    train = [noise(tmp_path, "t1", 1), noise(tmp_path, "t2", 2)]
    test = [noise(tmp_path, "next", 2, jitter=10), noise(tmp_path, "other", 3)]
    twins = near_twins(train, test)
    assert [(twin.test, twin.train) for twin in twins] == [("next", "t2")]
    assert 0.95 <= twins[0].correlation <= 1 + 1e-9


def test_both_pictures_must_be_alike(tmp_path: Path) -> None:
    one, two = noise(tmp_path, "t1", 1), noise(tmp_path, "t2", 2)
    assert near_twins([one], [Pair("x", one.a, two.b)]) == []
    assert near_twins([], [one]) == []
