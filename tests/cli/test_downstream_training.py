"""`polyfuse downstream segment`, `detect-trained` and `targets` from end to end on tiny drawn scenes."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import write_picture
from polyfuse.io.indices import read_indices
from polyfuse.scenes import LABELS, SceneConfig
from polyfuse.scenes.files import write_scenes

Runner = Callable[..., Any]
SHORT = ("--seeds", 2, "--steps", 2, "--crop", 32, "--batch", 2, "--threads", 1)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders with drawn scenes to train and to test on."""
    folder = tmp_path_factory.mktemp("scenes")
    for name, seed in (("train", 0), ("test", 50)):
        configs = [SceneConfig(width=64, height=48, seed=seed + index) for index in range(2)]
        list(write_scenes(folder / name, configs))
    return folder / "train", folder / "test"


def lines_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_segment_trains_tests_reports_and_goes_on(polyfuse: Runner, scenes: tuple[Path, Path]) -> None:
    command = ("downstream", "segment", *scenes, "-o", "out", "--models", "laplacian", *SHORT, "--seeds", 1)
    ran = polyfuse(*command, "--pictures", 1)
    assert ran.code == 0, ran.err
    names = ["infrared", "visible", "average", "maximum", "laplacian"]
    rows = lines_of(Path("out/rows.csv"))
    assert [row["input"] for row in rows] == names
    assert all(0 <= float(row["mIoU"]) <= 1 for row in rows)
    document = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in document["rows"]] == names
    assert document["better_source"] in names[:2]
    assert "background" in document["absent"]  # no pixel of a drawn scene is
    assert len(list(Path("out/pictures").glob("*.png"))) == 1
    told = [f"run {number} of 5: {name}, seed 0 trained and tested" for number, name in enumerate(names, 1)]
    assert [line for line in ran.err if "seed 0" in line] == told
    before = Path("out/rows.csv").read_bytes()
    Path("out/trained/average/seed0/result.json").write_text("{")
    again = polyfuse(*command, "--pictures", 0)
    assert Path("out/rows.csv").read_bytes() == before
    assert sum("was there" in line for line in again.err) == 4
    assert any("result.json is damaged" in line for line in again.err)
    other = polyfuse(*command, "--steps", 3)
    assert other.code == 5
    assert "holds a training with other pictures, options or versions" in other.err[-1]


def test_detect_trained_scores_every_row_and_seed(polyfuse: Runner, scenes: tuple[Path, Path]) -> None:
    pytest.importorskip("faster_coco_eval")
    ran = polyfuse("downstream", "detect-trained", *scenes, "-o", "out", *SHORT, "--pictures", 1, "--json")
    assert ran.code == 0, ran.err
    document = json.loads("\n".join(ran.out))
    assert [row["name"] for row in document["rows"]] == ["infrared", "visible", "average", "maximum"]
    assert all(len(row["AP50"]["values"]) == 2 for row in document["rows"])
    assert {"person", "car"} <= set(document["classes"])
    assert len(list(Path("out/pictures").glob("*.png"))) == 1
    assert len(lines_of(Path("out/rows.csv"))) == 8


def test_targets_measures_every_row_on_every_pair(polyfuse: Runner, scenes: tuple[Path, Path]) -> None:
    masks, test = Path("masks"), scenes[1]
    for path in sorted((test / "classes").iterdir()):
        write_picture(masks / path.name, (read_indices(path) == LABELS.index("person")).astype(np.uint8) * 255)
    command = ("downstream", "targets", test / "ir", test / "vi", "--masks", masks, "-o", "out")
    ran = polyfuse(*command, "--models", "laplacian", "--pictures", 1)
    assert ran.code == 0, ran.err
    rows = lines_of(Path("out/rows.csv"))
    assert len(rows) == 10
    infrared = [float(row["contrast"]) for row in rows if row["input"] == "infrared"]
    visible = [float(row["contrast"]) for row in rows if row["input"] == "visible"]
    assert sum(infrared) > sum(visible)  # people are warm, and it is dusk
    assert len(list(Path("out/pictures").glob("*.png"))) == 1
    (masks / "street_0050.png").rename(masks / "mask_0050.png")
    line = "1 pair without a mask in masks (street_0050): masks there are called such as mask_0050;"
    assert polyfuse(*command).problem.startswith(line)
    (masks / "mask_0050.png").unlink()
    assert polyfuse(*command).problem.startswith("1 pair without a mask in masks (street_0050): add masks")


def test_same_pictures_in_both_sets_are_warned_of(polyfuse: Runner, scenes: tuple[Path, Path]) -> None:
    train = scenes[0]
    ran = polyfuse("downstream", "segment", train, train, "-o", "out", *SHORT, "--seeds", 1, "--pictures", 0)
    assert ran.code == 0
    assert any("warning: 2 of 2 test pairs are trained on too (street_0000, street_0001)" in line for line in ran.err)


def test_lists_part_one_folder(polyfuse: Runner, scenes: tuple[Path, Path]) -> None:
    Path("one.txt").write_text("street_0000\n")
    Path("two.txt").write_text("street_0001\n")
    ran = polyfuse(
        "downstream", "segment", scenes[0], scenes[0], "-o", "out", "--train-list", "one.txt", "--test-list", "two.txt",
        *SHORT, "--seeds", 1, "--pictures", 0,
    )  # fmt: skip
    assert ran.code == 0
    assert not any("warning" in line for line in ran.err)
    assert json.loads(Path("out/results.json").read_text(encoding="utf-8"))["test_pairs"] == ["street_0001"]


@pytest.mark.parametrize(("words", "code", "message"), [
    (("segment", "train", "none"), 3, "none is no folder: give the folder of a data set with masks"),
    (("segment", "train", "train", "--device", "gpu"), 2, "there is no device 'gpu'"),
    (("segment", "train", "train", "--network", "segformer-b0"), 4, "SegFormer needs transformers"),
    (("segment", "train", "train", "--fused", "mine=none"), 3, "none is no folder: give one with the results of mine"),
    (("segment", "train", "train", "--models", "fnett.road"), 2, "there is no model 'fnett.road'"),
    (("detect-trained", "train", "train", "--test-truth", "none.json"), 3, "none.json"),
    (("targets", "a.png"), 2, "Missing option '--masks'"),
    (("targets", "a", "--masks", "masks"), 2, "1 paths are given: give A and B, or a CSV file of pairs"),
    (("targets", "train/ir", "train/vi", "--masks", "none"), 3, "none is no folder: give the folder with the masks"),
])  # fmt: skip
def test_bad_input_is_one_line(
    polyfuse: Runner,
    scenes: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    Path("train").symlink_to(scenes[0])
    ran = polyfuse("downstream", *words)
    assert (ran.code, message in ran.problem) == (code, True), ran.err
