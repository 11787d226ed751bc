"""True boxes of every format: what is read, what is ignored, and each thing that is wrong with labels in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from polyfuse.downstream.detection.labels import read_truth
from polyfuse.downstream.detection.text_labels import read_kaist, yolo_classes
from polyfuse.downstream.detection.truth import TrueBox, name_of
from polyfuse.errors import InputError, UsageError
from polyfuse.scenes import SceneConfig
from polyfuse.scenes.files import write_scenes

SIZES = {"1": (100, 80), "2": (100, 80)}


def coco(tmp_path: Path, **changes: Any) -> Path:
    """A COCO file of pictures 1 and 2; keyword arguments replace its lists."""
    document = {
        "images": [{"id": 11, "file_name": "1.jpg", "width": 100, "height": 80}, {"id": 12, "file_name": "x/2.png"}],
        "annotations": [
            {"id": 1, "image_id": 11, "category_id": 3, "bbox": [10, 20, 30, 40]},
            {"id": 2, "image_id": 11, "category_id": 1, "bbox": [0, 0, 5, 5], "iscrowd": 1},
            {"id": 3, "image_id": 11, "category_id": 1, "bbox": [0, 0, 5, 5], "ignore": 1},
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}],
        **changes,
    }
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_coco_is_read_with_crowd_and_ignore_flags(tmp_path: Path) -> None:
    truth = read_truth(coco(tmp_path), SIZES)
    assert truth.classes == ("person", "car")
    assert truth.boxes["1"][0] == TrueBox("car", (10.0, 20.0, 40.0, 60.0))
    assert [box.ignored for box in truth.boxes["1"]] == [False, True, True]
    assert truth.boxes["2"] == ()
    assert (truth.picture_ids, truth.class_ids) == ({11: "1", 12: "2"}, {1: "person", 3: "car"})


def test_voc_is_read_with_difficult_ignored(tmp_path: Path) -> None:
    boxes = "".join(
        f"<object><name>car</name><difficult>{difficult}</difficult><bndbox><xmin>1</xmin><ymin>2</ymin>"
        "<xmax>30.5</xmax><ymax>40</ymax></bndbox></object>"
        for difficult in (0, 1)
    )
    size = "<size><width>100</width><height>80</height></size>"
    (tmp_path / "1.xml").write_text(f"<annotation>{size}{boxes}</annotation>", encoding="utf-8")
    truth = read_truth(tmp_path, SIZES)
    assert truth.boxes == {"1": (TrueBox("car", (1, 2, 30.5, 40)), TrueBox("car", (1, 2, 30.5, 40), True))}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<!DOCTYPE a [<!ENTITY x "boom">]><a>&x;</a>', "it has a document type"),
        ("<a>" * 40 + "</a>" * 40, "nested too deeply"),
        ("<a>", "no element found"),
        ("", "no element found"),
        ("<annotation><object><name>car</name></object></annotation>", "an object without a name or a bndbox"),
        (
            "<annotation><object><name>car</name><bndbox><xmin>1</xmin></bndbox></object></annotation>",
            "lacks <ymin> of <bndbox>",
        ),
        ("<annotation><size><width>640</width><height>x</height></size></annotation>", "has 'x' for <height>"),
        (
            "<annotation><size><width>640</width><height>512</height></size></annotation>",
            "1 is 100x80 and its labels are for 640x512",
        ),
    ],
)
def test_bad_xml_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "1.xml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        read_truth(tmp_path, SIZES)


@pytest.mark.parametrize(
    "names",
    [
        "names: [person, 'car']",
        "path: x\nnames:\n  - person\n  - car # a comment\nnc: 2",
        'names:\n  0: person\n  1: "car"\n',
        "names: {0: person, 1: car}",
        "names: [person,\n  car]",
    ],
)
def test_yolo_is_read_with_classes_from_data_yaml(tmp_path: Path, names: str) -> None:
    (tmp_path / "data.yaml").write_text(names, encoding="utf-8")
    labels = tmp_path / "labels/test"
    labels.mkdir(parents=True)
    (labels / "1.txt").write_text("1 0.5 0.5 0.2 0.25\n", encoding="utf-8")
    (labels / "2.txt").touch()
    truth = read_truth(labels, SIZES)
    assert truth.classes == ("person", "car")
    assert truth.boxes == {"1": (TrueBox("car", pytest.approx((40, 30, 60, 50))),), "2": ()}  # type: ignore[arg-type]


def test_yolo_takes_classes_txt_too(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("person\ncar\n", encoding="utf-8")
    assert yolo_classes(tmp_path) == ("person", "car")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1 0.5 0.5", "line 1 is no label"),
        ("a 0.5 0.5 0.1 0.1", "line 1 is no label"),
        ("7 0.5 0.5 0.1 0.1", "line 1 has class 7, and 2 are named"),
        ("1 0.5 0.5 nan 0.1", "holds NaN or infinity"),
        ("1 1.5 0.5 0.1 0.1", "outside its picture of 100x80"),
        ("1 0.5 0.5 0 0.1", "has no area"),
    ],
)
def test_bad_yolo_lines_are_refused(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "classes.txt").write_text("person\ncar\n", encoding="utf-8")
    (tmp_path / "1.txt").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        read_truth(tmp_path, SIZES)


def test_yolo_without_names_of_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("0 0.5 0.5 0.1 0.1", encoding="utf-8")
    with pytest.raises(InputError, match=r"has no data\.yaml or classes\.txt"):
        read_truth(tmp_path, SIZES)


KAIST = """% bbGt version=3
person 10 10 20 40 0 0 0 0 0 0 0
person 10 10 20 40 1 0 0 0 0 0 0
person 10 10 20 40 2 0 0 0 0 0 0
person 10 10 20 40 0 0 0 0 0 1 0
person? 10 10 20 40 0 0 0 0 0 0 0
people 10 10 20 40 0 0 0 0 0 0 0
cyclist 10 10 20 40 0 0 0 0 0 0 0
"""


def test_kaist_ignores_heavy_occlusion_flags_and_doubtful_classes(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(KAIST, encoding="utf-8")
    truth = read_truth(tmp_path, SIZES)
    assert truth.classes == ("person",)
    assert {box.label for box in truth.boxes["1"]} == {"person"}
    assert [box.ignored for box in truth.boxes["1"]] == [False, False, True, True, True, True, True]
    assert truth.boxes["1"][0].edges == (10, 10, 30, 50)


def test_kaist_can_ignore_low_persons(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(KAIST, encoding="utf-8")
    assert all(box.ignored for box in read_kaist({"1": tmp_path / "1.txt"}, min_height=55).boxes["1"])


@pytest.mark.parametrize(
    ("line", "problem"), [("person 1 2", "no label of KAIST"), ("dog 1 2 3 4", "unknown class 'dog'")]
)
def test_bad_kaist_lines_are_refused(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "1.txt").write_text(f"% bbGt version=3\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"line 2 .*{problem}"):
        read_truth(tmp_path, SIZES)


def test_drawn_scenes_are_read_as_they_were_written(tmp_path: Path) -> None:
    config = SceneConfig(width=96, height=80, seed=4)
    paths = list(write_scenes(tmp_path, [config]))
    name = next(path.stem for path in paths if path.parent.name == "ir")
    document = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    truth = read_truth(tmp_path / "truth.json", {name: (96, 80)})
    expected = [
        (box["label"], (box["x0"], box["y0"], box["x1"], box["y1"])) for box in document["pictures"][0]["boxes"]
    ]
    assert [(box.label, box.edges) for box in truth.boxes[name]] == expected
    assert expected
    assert "background" not in truth.classes


def test_labelled_pictures_that_are_not_there_are_refused_unless_skipped(tmp_path: Path) -> None:
    path = coco(tmp_path)
    with pytest.raises(InputError, match=r"labels pictures that are not there, 1 in all \(x/2\.png\): add them"):
        read_truth(path, {"1": (100, 80)})
    truth = read_truth(path, {"1": (100, 80)}, skip_absent=True)
    assert (list(truth.boxes), truth.notes) == (["1"], ("1 labelled picture not there (x/2.png), left out",))


def test_pictures_of_another_split_may_be_missing(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "1.png", "split": "test"}, {"id": 2, "file_name": "2.png", "split": "train"}]
    truth = read_truth(coco(tmp_path, images=images, annotations=[]), {"1": (100, 80)})
    assert (list(truth.boxes), truth.notes) == (["1"], ("1 labelled picture of other splits (train) left out",))
    images[1]["split"] = "test"
    with pytest.raises(InputError, match="labels pictures that are not there"):
        read_truth(coco(tmp_path, images=images, annotations=[]), {"1": (100, 80)})


def test_labels_of_no_picture_at_all_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="labels none of the pictures"):
        read_truth(coco(tmp_path), {"9": (100, 80)}, skip_absent=True)


def test_boxes_are_cut_off_at_the_border_and_counted(tmp_path: Path) -> None:
    entries = [{"image_id": 11, "category_id": 1, "bbox": [-5, 70, 20, 20], "area": 99}]
    truth = read_truth(coco(tmp_path, annotations=entries), SIZES)
    assert truth.boxes["1"] == (
        TrueBox("person", (0.0, 70.0, 15.0, 80.0)),
    )  # the area of the whole object is not its own
    assert truth.notes == ("1 true box reached beyond the picture, cut off",)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"annotations": [{"image_id": 11, "category_id": 1, "bbox": [200, 0, 5, 5]}]},
            "outside its picture of 100x80",
        ),
        ({"annotations": [{"image_id": 11, "category_id": 7, "bbox": [0, 0, 5, 5]}]}, "of the unknown class 7"),
        ({"annotations": [{"image_id": 99, "category_id": 1, "bbox": [0, 0, 5, 5]}]}, "picture number 99"),
        ({"annotations": [{"image_id": 11, "category_id": 1, "bbox": [0, 0, -5, 5]}]}, "has no area"),
        ({"annotations": [{"image_id": 11, "category_id": 1}]}, "lacks the field 'bbox'"),
        ({"annotations": [{"image_id": 11, "category_id": 1, "bbox": [0, 0, 5]}]}, "has a field of another kind"),
        (
            {"images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "1.jpg"}]},
            "two entries for the picture 1",
        ),
        (
            {"images": [{"id": 11, "file_name": "1.png", "width": 640, "height": 512}]},
            "1 is 100x80 and its labels are for 640x512",
        ),
        ({"categories": None}, "another kind"),
    ],
)
def test_bad_coco_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_truth(coco(tmp_path, **changes), SIZES)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"boxes\.json is no JSON"):
        read_truth(tmp_path / "boxes.json", SIZES)
    with pytest.raises(InputError, match="does not exist"):
        read_truth(tmp_path / "other.json", SIZES)


def test_folders_without_or_with_mixed_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no labels"):
        read_truth(tmp_path, SIZES)
    (tmp_path / "1.xml").touch()
    (tmp_path / "2.txt").touch()
    with pytest.raises(InputError, match=r"holds both \.xml and \.txt"):
        read_truth(tmp_path, SIZES)


def test_classes_can_be_merged_and_chosen(tmp_path: Path) -> None:
    truth = read_truth(coco(tmp_path), SIZES)
    merged = truth.merged({"car": "vehicle", "tram": "vehicle"})
    assert (merged.classes, merged.class_ids[3]) == (("person", "vehicle"), "vehicle")
    assert merged.num_boxes("vehicle") == 1
    chosen = truth.chosen(["car"])
    assert (chosen.classes, len(chosen.boxes["1"])) == (("car",), 1)
    with pytest.raises(UsageError, match="know no class 'bus': they have person, car"):
        truth.chosen(["bus"])


def test_names_are_found_by_path_stem_or_joined_folders() -> None:
    assert name_of("a\\b\\1.png", {"1"}) == "1"
    assert name_of("a/1.png", {"a/1", "1"}) == "a/1"
    assert name_of("set06/V001/I00459.txt", {"set06_V001_I00459"}) == "set06_V001_I00459"
    assert name_of("", {"1"}) is None
