"""Frozen detectors: descriptions, how pictures go in, how boxes come out, and detectors that do not fit."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.downstream.detection.description import (
    Description,
    InputDescription,
    OutputDescription,
    bundled_descriptions,
    coco_classes,
    read_description,
)
from polyfuse.downstream.detection.onnx_detector import OnnxDetector, Placing, _fitted, _resampled
from polyfuse.downstream.detection.outputs import decoded, thinned
from polyfuse.errors import DependencyError, InputError, UsageError

Squares = Callable[..., Path]


def squares(path: Path, **changes: Any) -> OnnxDetector:
    description = read_description(str(path.with_suffix(".toml")))
    return OnnxDetector(path, replace(description, **changes), threads=1)


def picture_with(*places: tuple[int, int, int]) -> np.ndarray:
    """A black picture of 64 x 64 with squares as (channel, x, y)."""
    picture = np.zeros((64, 64, 3), np.uint8)
    for channel, x, y in places:
        picture[y : y + 16, x : x + 16, channel] = 230
    return picture


def test_detector_finds_what_is_there(squares_onnx: Squares) -> None:
    boxes = squares(squares_onnx())(picture_with((0, 16, 32), (2, 48, 0)), "x")
    assert sorted(zip(boxes.labels, boxes.edges.tolist(), strict=True)) == [
        ("blue", [48, 0, 64, 16]),
        ("red", [16, 32, 32, 48]),
    ]
    assert boxes.scores == pytest.approx([230 / 255] * 2, abs=1e-5)  # a mean of 256 numbers in float32


def test_boxes_come_back_in_pixels_of_the_picture(squares_onnx: Squares) -> None:
    wide = np.repeat(np.repeat(picture_with((1, 16, 32)), 2, axis=0), 3, axis=1)
    boxes = squares(squares_onnx())(wide, "x")
    assert boxes.edges.tolist() == [[48, 64, 96, 96]]


def test_colour_order_is_that_of_the_description(squares_onnx: Squares) -> None:
    path = squares_onnx()
    description = read_description(str(path.with_suffix(".toml")))
    detector = squares(path, input=replace(description.input, colour="BGR"))
    assert detector(picture_with((0, 0, 0)), "x").labels == ("blue",)


def test_layout_and_normalisation_are_those_of_the_description(squares_onnx: Squares) -> None:
    detector = squares(squares_onnx(), input=InputDescription(mean=(10.0, 20.0, 30.0), std=(1.0, 2.0, 4.0)))
    values, _ = detector.prepared(np.full((64, 64, 3), 50, np.uint8))
    assert (values.shape, values[0, :, 5, 5].tolist()) == ((1, 3, 64, 64), [40, 15, 5])
    detector.description = replace(detector.description, input=InputDescription(layout="NHWC"))
    assert detector.prepared(np.full((64, 64, 3), 50, np.uint8))[0].shape == (1, 64, 64, 3)


@pytest.mark.parametrize("fit", ["letterbox", "corner", "stretch"])
@pytest.mark.parametrize("shape", [(30, 100), (100, 31), (640, 480), (1, 7)])
def test_a_box_goes_into_the_input_and_back(fit: str, shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    fitted, placing = _fitted(picture, (64, 96), fit, 114)
    assert fitted.shape == (64, 96, 3)
    corners = np.array([[0.0, 0.0, shape[1], shape[0]]])
    scale = np.array([placing.scale_x, placing.scale_y] * 2)
    inside = corners * scale + np.array([placing.shift_x, placing.shift_y] * 2)
    assert placing.back(inside) == pytest.approx(corners)
    left, top, right, bottom = (round(edge) for edge in inside[0].tolist())
    assert (fitted[top:bottom, left:right] == 0).all()
    assert (fitted == 114).all(axis=2).sum() == 64 * 96 - (bottom - top) * (right - left)


def test_letterbox_keeps_the_shape_and_centres_the_picture() -> None:
    _, placing = _fitted(np.zeros((50, 100, 3), np.uint8), (100, 100), "letterbox", 0)
    assert placing == Placing(1.0, 1.0, 0, 25)
    _, corner = _fitted(np.zeros((50, 100, 3), np.uint8), (100, 100), "corner", 0)
    assert corner == Placing(1.0, 1.0, 0, 0)


@pytest.mark.parametrize("size", [(20, 33), (80, 100), (37, 53)])
def test_resampling_is_that_of_opencv(rng: np.random.Generator, size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2")
    picture = rng.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    expected = cv2.resize(picture.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    # float32 of levels up to 255, weighted in another order.
    assert np.abs(_resampled(picture, size) - expected).max() < 1e-3


def described(form: str, *, classes: int = 2, **output: Any) -> Description:
    rules = OutputDescription(form=form, **output)  # type: ignore[arg-type]
    return Description("d", InputDescription(), rules, tuple("abcdef"[:classes]))


def test_boxes_are_taken_as_they_are() -> None:
    rows = np.array([[[1, 2, 3, 4, 0.9, 1], [5, 6, 7, 8, 0.2, 0]]])
    edges, scores, numbers = decoded([rows], described("boxes", min_score=0.5), (64, 64))
    assert (edges.tolist(), scores.tolist(), numbers.tolist()) == ([[1, 2, 3, 4]], [0.9], [1])


def test_yolox_boxes_lie_on_grids() -> None:
    rows = np.zeros((1, 16 + 4, 7))
    rows[0, 5] = [0.5, 0.25, np.log(2), np.log(3), 0.8, 0.1, 0.5]  # second row, second column of the finer grid
    rows[0, 18] = [0, 0, 0, 0, 1, 0.9, 0]  # second row, first column of the coarser one
    edges, scores, numbers = decoded([rows], described("yolox", strides=(8, 16), min_score=0.1), (32, 32))
    assert edges.tolist() == [pytest.approx([4, -2, 20, 22]), pytest.approx([-8, 8, 8, 24])]
    assert (scores.tolist(), numbers.tolist()) == (pytest.approx([0.4, 0.9]), [1, 0])


def test_yolov8_boxes_stand_in_columns() -> None:
    columns = np.array([[[10.0], [20.0], [4.0], [6.0], [0.1], [0.7]]])
    edges, scores, numbers = decoded([columns], described("yolov8"), (64, 64))
    assert (edges.tolist(), scores.tolist(), numbers.tolist()) == ([[8, 17, 12, 23]], [0.7], [1])


def test_distances_are_expected_over_bins_from_the_middle_of_a_cell() -> None:
    scores = np.zeros((1, 4, 2))
    scores[0, 3, 0] = 0.6
    spread = np.full((1, 4, 4, 3), -50.0)
    spread[..., 1] = 50  # all of it in bin 1, one stride
    spread[0, 3, 2] = 0  # evenly over bins 0, 1 and 2: one stride as well
    spread[0, 3, 0] = [-50, -50, 50]
    description = described("distances", strides=(8,), min_score=0.1)
    edges, _, _ = decoded([scores, spread.reshape(1, 4, 12)], description, (16, 16))
    assert edges.tolist() == [pytest.approx([12 - 16, 12 - 8, 12 + 8, 12 + 8])]


@pytest.mark.parametrize(
    ("form", "shapes", "wanted"),
    [
        ("boxes", [(1, 9, 5)], r"gives \(1, 9, 5\) and its description says \(1, N, 6\)"),
        ("boxes", [(1, 9, 6), (1, 9)], r"says \(1, N, 6\)"),
        ("yolox", [(1, 16, 9)], r"says \(1, 16, 7\)"),
        ("yolov8", [(1, 84, 9)], r"says \(1, 6, N\)"),
        ("distances", [(1, 16, 2)], r"says \(1, 16, 2\), then \(1, n, 4 x bins\)"),
    ],
)
def test_outputs_of_another_shape_are_refused(form: str, shapes: list[tuple[int, ...]], wanted: str) -> None:
    description = described(form, strides=(8,))
    with pytest.raises(InputError, match=wanted):
        decoded([np.zeros(shape) for shape in shapes], description, (32, 32))


def test_class_numbers_beyond_the_names_are_refused() -> None:
    with pytest.raises(InputError, match="class numbers beyond the 2"):
        decoded([np.array([[[0, 0, 1, 1, 0.5, 7]]])], described("boxes"), (32, 32))


def test_of_overlapping_boxes_of_one_class_the_better_one_stays() -> None:
    edges = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [40, 40, 50, 50]], dtype=float)
    boxes = (edges, np.array([0.5, 0.9, 0.8, 0.1]), np.array([0, 0, 1, 0]))
    kept = thinned(boxes, OutputDescription(nms=0.5), {0: "a", 1: "b"})
    assert kept[1].tolist() == [0.9, 0.8, 0.1]
    merged = thinned(boxes, OutputDescription(nms=0.5), {0: "a", 1: "a"})
    assert merged[1].tolist() == [0.9, 0.1]
    assert thinned(boxes, OutputDescription(most=2), {})[1].tolist() == [0.9, 0.8]


def test_merged_classes_come_out_under_their_new_name(squares_onnx: Squares) -> None:
    detector = squares(squares_onnx(), merge={"green": "red", "blue": "red"})
    assert detector.classes == ("red",)
    assert detector(picture_with((1, 0, 0), (2, 32, 32)), "x").labels == ("red", "red")


def test_boxes_that_are_nan_are_told_with_the_picture(squares_onnx: Squares) -> None:
    with pytest.raises(InputError, match="picture 7 has a box that is NaN or infinite"):
        squares(squares_onnx(first=np.nan))(picture_with((0, 0, 0)), "picture 7")


def test_bundled_descriptions_are_complete() -> None:
    assert bundled_descriptions() == ("centernet", "nanodet", "yolov8", "yolox")
    for name in bundled_descriptions():
        description = read_description(name)
        assert (description.classes, description.merge) == (coco_classes(), {"bus": "car", "truck": "car"})
    assert len(coco_classes()) == 80


def test_unknown_description_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="no description 'centrenet' comes with polyfuse: did you mean centernet"):
        read_description("centrenet")


CLASSES = '[classes]\nnames = ["a", "bus"]\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[input", "is no TOML"),
        ("[model]\n" + CLASSES, r"unknown table \[model\]"),
        ("[input]\nwidth = 3\n" + CLASSES, r"unknown value in \[input\]"),
        ("[input]\nsize = [0, 64]\n" + CLASSES, r"has \[0, 64\] for size"),
        ("[input]\nsize = 640\n" + CLASSES, "for size"),
        ('[input]\ncolour = "rgb"\n' + CLASSES, "for colour"),
        ("[input]\nstd = [0, 1, 1]\n" + CLASSES, "for std"),
        ("[input]\nmean = [nan, 1, 1]\n" + CLASSES, "for mean"),
        ("[output]\nnms = 3\n" + CLASSES, "for nms"),
        ("[output]\nmin_score = -1\n" + CLASSES, "for min_score"),
        ('[output]\nform = "yolox"\n' + CLASSES, "has no strides"),
        ("", "names no classes"),
        ('[classes]\nnames = "voc"', "names no classes"),
        (CLASSES + "merge = 3", "another merge"),
        (CLASSES + 'merge = { car = ["lorry"] }', "merges the unknown class 'lorry'"),
    ],
)
def test_bad_descriptions_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem):
        read_description(str(path))


@pytest.mark.parametrize(
    ("how", "changes", "problem"),
    [
        ({}, {"input": InputDescription(size=(32, 32))}, r"takes an input of \[1, 3, 64, 64\] and .* of 32x32"),
        ({}, {"input": InputDescription(layout="NHWC")}, "NHWC with 3 channels"),
        ({"side": "n"}, {}, "fixes no input size"),
        ({"inputs": 2}, {}, r"takes 2 inputs \(pictures, other\)"),
        ({"kind": 11}, {}, "can be run|export it with an input of floats"),
    ],
)
def test_detectors_of_another_input_are_refused(
    squares_onnx: Squares, how: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        squares(squares_onnx(**how), **changes)


def test_input_size_may_come_from_the_description(squares_onnx: Squares) -> None:
    detector = squares(
        squares_onnx(side="n"), input=InputDescription(size=(64, 64), fit="stretch", std=(255, 255, 255))
    )
    assert detector(picture_with((0, 0, 0)), "x").labels == ("red",)


def test_detector_that_fails_on_its_input_is_told(squares_onnx: Squares) -> None:
    detector = squares(squares_onnx(side="n"), input=InputDescription(size=(32, 32)))
    with pytest.raises(InputError, match=r"squares\.onnx failed on x .*: is its description right\?"):
        detector(picture_with(), "x")


def test_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(InputError, match=r"x\.onnx is no ONNX file that can be run"):
        OnnxDetector(path, read_description("yolov8"))
    with pytest.raises(InputError, match="does not exist"):
        OnnxDetector(tmp_path / "y.onnx", read_description("yolov8"))


def test_unknown_device_is_refused(squares_onnx: Squares) -> None:
    path = squares_onnx()
    with pytest.raises(UsageError, match="onnxruntime cannot run on tpu here"):
        OnnxDetector(path, read_description(str(path.with_suffix(".toml"))), device="tpu")


def test_missing_onnxruntime_is_told_with_its_extra(squares_onnx: Squares, monkeypatch: pytest.MonkeyPatch) -> None:
    path = squares_onnx()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyError, match=r'a detector needs onnxruntime: pip install "polyfuse\[downstream\]"'):
        squares(path)
