"""`polyfuse downstream detect` from end to end, with a detector of coloured squares."""

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import write_picture

Runner = Callable[..., Any]
FILES = {"table.md", "rows.csv", "results.json", "detections"}


@pytest.fixture
def scene(tmp_path: Path, squares_onnx: Callable[..., Path]) -> tuple[str, ...]:
    """Five pairs: red squares in the visible picture, on a dark infrared one; squares 2 and up are dark by night.

    What is returned is the beginning of a command.
    """
    squares_onnx()
    entries: list[dict[str, Any]] = []
    for index in range(5):
        visible, infrared = np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 20, np.uint8)
        for number, (x, y) in enumerate(((0, 0), (32, 16), (48, 48))):
            night = index > 2 and number > 0
            visible[y : y + 16, x : x + 16, 0] = 40 if night else 240
            infrared[y : y + 16, x : x + 16] = 250
            entries.append({"id": len(entries) + 1, "image_id": index, "category_id": 1, "bbox": [x, y, 16, 16]})
        write_picture(tmp_path / f"vi/{index}.png", visible)
        write_picture(tmp_path / f"ir/{index}.png", infrared)
    images = [{"id": index, "file_name": f"{index}.png"} for index in range(5)]
    document = {"images": images, "annotations": entries, "categories": [{"id": 1, "name": "red"}]}
    (tmp_path / "boxes.json").write_text(json.dumps(document), encoding="utf-8")
    options = ("--truth", "boxes.json", "--detector", "squares.toml=squares.onnx", "--pictures", "0", "-o", "out")
    return ("downstream", "detect", "ir", "vi", *options)


def changed(call: tuple[str, ...], option: str, value: str) -> tuple[str, ...]:
    """The call with another value of an option."""
    place = call.index(option) + 1
    return (*call[:place], value, *call[place + 1 :])


def rows_of(ran: Any) -> dict[str, Any]:
    return {row["name"]: row for row in json.loads("\n".join(ran.out))["rows"]}


def test_json_holds_the_scores_of_every_row(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    ran = polyfuse(*scene, "--models", "laplacian", "--json")
    assert ran.code == 0, ran.err
    rows = rows_of(ran)
    assert list(rows) == ["infrared", "visible", "average", "maximum", "laplacian"]
    visible = rows["visible"]
    assert {"name", "AP50", "AP", "classes", "pictures", "boxes"} <= visible.keys()
    assert (visible["pictures"], visible["boxes"], list(visible["classes"])) == (5, 15, ["red"])
    # 11 of 15 squares are bright and all that is found is right: recall .73, so 74 of the 101 recalls.
    assert visible["AP50"] == pytest.approx(74 / 101)
    assert visible["classes"]["red"]["AP50"] == visible["AP50"]
    assert visible["recall"] == pytest.approx(11 / 15)
    assert visible["to_best_source"] is None or rows["infrared"]["to_best_source"] is None
    assert set(json.loads("\n".join(ran.out))["pictures"]) == {"0", "1", "2", "3", "4"}


def test_table_goes_to_stdout_and_the_report_to_the_folder(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    ran = polyfuse(*scene)
    assert ran.code == 0, ran.err
    assert ran.out[0].split()[:3] == ["row", "AP50", "↑"]
    assert any(line.startswith("n = 5 pictures; means over red 15 true boxes") for line in ran.out)
    assert {path.name for path in Path("out").iterdir()} == FILES
    with Path("out/rows.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    written = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    means = {line["row"]: float(line["AP50"]) for line in lines if line["class"] == "mean"}
    assert means == {row["name"]: row["AP50"] for row in written["rows"]}
    assert "| visible |" in Path("out/table.md").read_text(encoding="utf-8")


def test_run_goes_on_where_it_was_killed(
    polyfuse: Runner, scene: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyfuse.downstream.detection.onnx_detector import OnnxDetector

    looked: list[str] = []
    call = OnnxDetector.__call__

    def counting(self: OnnxDetector, picture: Any, where: str) -> Any:
        looked.append(where)
        if len(looked) == 8:
            raise KeyboardInterrupt
        return call(self, picture, where)

    monkeypatch.setattr(OnnxDetector, "__call__", counting)
    assert polyfuse(*scene, "--models", "laplacian").code == 130
    assert not Path("out/table.md").exists()
    before = len(looked)
    assert polyfuse(*scene, "--models", "laplacian").code == 0
    assert before < 25
    assert len(looked) - before == 25 - (before - 1)  # all but those that were done; one was under way
    assert len(set(looked)) == 25
    looked.clear()
    assert polyfuse(*scene, "--models", "laplacian", "--overwrite").code == 0
    assert looked == []


def test_pictures_that_changed_are_looked_at_again(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    before = rows_of(polyfuse(*scene, "--json"))
    shutil.copy("vi/4.png", "vi/0.png")
    after = rows_of(polyfuse(*scene, "--json", "--overwrite"))
    assert after["visible"]["AP50"] < before["visible"]["AP50"]


def test_workers_change_nothing(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    one = rows_of(polyfuse(*scene, "--json", "--threads", "1"))
    assert rows_of(polyfuse(*changed(scene, "-o", "other"), "--json", "--workers", "3")) == one


def test_pairs_without_labels_are_left_out_and_told(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    for folder in ("ir", "vi"):
        shutil.copy(f"{folder}/0.png", f"{folder}/9.png")
    ran = polyfuse(*scene, "--json")
    assert ran.code == 0
    assert rows_of(ran)["visible"]["pictures"] == 5
    assert "5 of 6 pairs are labelled: these alone are scored" in ran.err


def test_labels_without_pictures_stop_unless_skipped(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    for folder in ("ir", "vi"):
        Path(f"{folder}/3.png").unlink()
    ran = polyfuse(*scene)
    assert (ran.code, ran.problem) == (
        3,
        "boxes.json labels pictures that are not there, 1 in all (3.png): add them, or pass --absent skip",
    )
    ran = polyfuse(*scene, "--absent", "skip", "--json")
    assert (ran.code, rows_of(ran)["visible"]["pictures"]) == (0, 4)


def test_predictions_are_scored_without_a_detector(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    entries = [
        {"image_id": index, "category_id": 1, "bbox": [0, 0, 16, 16], "score": 0.5 + index / 10} for index in range(3)
    ]
    Path("mine.json").write_text(json.dumps(entries), encoding="utf-8")
    call = ("downstream", "detect", "ir", "vi", "--truth", "boxes.json", "-o", "out", "--pictures", "0")
    ran = polyfuse(*call, "--predictions", "mine=mine.json", "--json")
    assert ran.code == 0, ran.err
    assert rows_of(ran)["mine"]["AP50"] == pytest.approx(21 / 101)
    assert any("neither source is among the rows" in note for note in json.loads("\n".join(ran.out))["notes"])
    both = polyfuse(*scene, "--predictions", "mine=mine.json", "--json", "--overwrite")
    assert list(rows_of(both))[-1] == "mine"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('[{"image_id": 0, "category_id": 1, "bbox": [0, 0, 1, 1], "score": NaN}]', "has a score that is NaN"),
        ('[{"image_id": 77, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]', "says nothing of the labelled pict"),
        ('[{"image_id": 0, "category_id": 9, "bbox": [0, 0, 1, 1], "score": 1}]', "nothing of the labelled classes"),
        ('[{"image_id": 0, "category_id": 1, "score": 1}]', "lacks the field 'bbox'"),
        ("{", "is no JSON"),
        ("3", "is no file of predictions"),
    ],
)
def test_bad_predictions_are_refused(polyfuse: Runner, scene: tuple[str, ...], content: str, problem: str) -> None:
    Path("mine.json").write_text(content, encoding="utf-8")
    call = ("downstream", "detect", "ir", "vi", "--truth", "boxes.json", "-o", "out", "--pictures", "0")
    ran = polyfuse(*call, "--predictions", "mine=mine.json")
    assert ran.code == 3
    assert problem in ran.problem


@pytest.mark.parametrize(
    ("extra", "code", "problem"),
    [
        (("--classes", "red,car"), 2, "the labels know no class 'car'"),
        (("--merge", "red"), 2, "--merge red is no NAME=LIST"),
        (("--fused", "mine"), 2, "lacks a name or a path"),
        (("--fused", "m=vi", "--fused", "m=ir"), 2, "--fused names m twice"),
        (("--fused", "mine=nowhere"), 3, "nowhere is no folder"),
        (("--models", "fnet.raod"), 2, "there is no model 'fnet.raod'"),
        (("--detector", "squares.onnx"), 2, "lacks a name or a path"),
        (("--detector", "mine=squares.onnx"), 2, "no description 'mine' comes with polyfuse"),
        (("--detector", "squares.onnx=squares.toml"), 2, "the wrong way round"),
        (("--detector", "yolov8=squares.onnx"), 3, "finds none of the labelled classes (red)"),
        (("--truth", "nowhere.json"), 3, "nowhere.json does not exist"),
        (("--split", "test"), 2, "--split is for the folder of a data set"),
        (("--device", "tpu"), 2, "onnxruntime cannot run on tpu here"),
    ],
)
def test_bad_options_are_one_line_each(
    polyfuse: Runner, scene: tuple[str, ...], extra: tuple[str, ...], code: int, problem: str
) -> None:
    option, value, *_ = extra
    ran = polyfuse(*(changed(scene, option, value) if option == "--detector" else (*scene, *extra)))
    assert ran.code == code
    assert problem in ran.err[-1]
    assert not Path("out/table.md").exists()


def test_a_run_has_one_detector(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    ran = polyfuse(*scene, "--detector", "centernet=squares.onnx")
    assert (ran.code, "a run has one --detector" in ran.problem) == (2, True)


def test_published_rows_stand_below_those_of_trained_detectors_alone(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    frozen = polyfuse(*scene, "--compare", "fnet", "--dataset", "M3FD")
    assert (frozen.code, "a frozen one compares with none of their numbers" in frozen.problem) == (2, True)
    entries = [{"image_id": 0, "category_id": 1, "bbox": [0, 0, 16, 16], "score": 0.5}]
    Path("mine.json").write_text(json.dumps(entries), encoding="utf-8")
    where = ("downstream", "detect", "ir", "vi", "--truth", "boxes.json", "-o", "out", "--pictures", "0")
    call = (*where, "--predictions", "mine=mine.json", "--compare", "daefuse")
    unknown = polyfuse(*call)
    assert (unknown.code, "for M3FD alone and the data set is not known" in unknown.problem) == (2, True)
    assert polyfuse(*call, "--dataset", "MFNet").code == 2
    ran = polyfuse(*call, "--dataset", "M3FD")
    assert ran.code == 0, ran.err
    table = "\n".join(ran.out)
    assert "published (DAE-Fuse, MMOD, M3FD)" in table
    [printed] = [line for line in ran.out if line.startswith("DAE-Fuse (ours)")]
    assert printed.split()[2:] == ["0.887"]  # mAP50; neither ranked nor marked


def test_nothing_that_detects_or_labels_is_refused(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    assert "nothing detects" in polyfuse("downstream", "detect", "ir", "vi", "--truth", "boxes.json").problem
    ran = polyfuse("downstream", "detect", "ir", "vi", "--detector", "squares.toml=squares.onnx", "--pictures", "0")
    assert (ran.code, "nothing says what is in the pictures" in ran.problem) == (2, True)


def test_class_without_boxes_is_refused_when_asked_for(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    document = json.loads(Path("boxes.json").read_text(encoding="utf-8"))
    document["categories"].append({"id": 2, "name": "blue"})
    Path("boxes.json").write_text(json.dumps(document), encoding="utf-8")
    ran = polyfuse(*scene, "--classes", "red,blue")
    assert (ran.code, "no box of the class 'blue' counts" in ran.problem) == (3, True)
    assert polyfuse(*scene, "--overwrite").code == 0


def test_earlier_report_is_not_replaced_unasked(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    assert polyfuse(*scene).code == 0
    ran = polyfuse(*scene)
    assert (ran.code, "table.md and 2 more exist: pass --overwrite" in ran.problem) == (5, True)


def test_missing_packages_are_told_before_any_work(
    polyfuse: Runner, scene: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    ran = polyfuse(*scene)
    assert (ran.code, 'pip install "polyfuse[downstream]"' in ran.problem) == (4, True)
    monkeypatch.delitem(sys.modules, "faster_coco_eval")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    ran = polyfuse(*scene)
    assert (ran.code, 'a detector needs onnxruntime: pip install "polyfuse[downstream]"' in ran.problem) == (4, True)


def test_data_set_alone_brings_its_labels_and_warns_of_leaks(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    for split in ("train", "test"):
        for folder in ("ir", "vi"):
            shutil.copytree(folder, f"set/{split}/{folder}")
        for index in range(5):
            path = Path(f"set/labels/{split}/{index}.txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("0 0.125 0.125 0.25 0.25\n", encoding="utf-8")
    Path("set/data.yaml").write_text("names: [red]\n", encoding="utf-8")
    call = ("downstream", "detect", "set", *scene[6:], "--check-leaks", "--json")
    ran = polyfuse(*call)
    assert ran.code == 0, ran.err
    assert rows_of(ran)["visible"]["boxes"] == 5
    assert "YOLO, split test: 5 labelled pairs" in ran.err
    assert any(line.startswith("warning: 5 of 5 test pairs have a near twin among 5 to train on") for line in ran.err)


def test_pictures_are_drawn_where_rows_differ(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    pytest.importorskip("matplotlib")
    ran = polyfuse(*changed(scene, "--pictures", "2"))
    assert ran.code == 0, ran.err
    assert len(list(Path("out/pictures").glob("*.png"))) == 2


def test_merged_classes_are_scored_as_one(polyfuse: Runner, scene: tuple[str, ...]) -> None:
    ran = polyfuse(*scene, "--merge", "colour=red,green,blue", "--json")
    assert ran.code == 0, ran.err
    assert list(rows_of(ran)["maximum"]["classes"]) == ["colour"]
