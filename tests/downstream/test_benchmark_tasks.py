"""Downstream tasks of `polyfuse benchmark`: the tables of `polyfuse downstream`, on the pictures of a benchmark."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import write_picture

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")

SUITE = """
models = ["laplacian"]
metrics = ["MI"]
diagrams = []

[set.squares]
a = "ir"
b = "vi"

[sheets]
pairs = 0

[targets.squares]
set = "squares"
masks = "masks"
pattern = "mask_{name}"

[targets.none]
set = "squares"
masks = "absent"

[detection.red]
set = "squares"
labels = "boxes.json"
detector = "squares.toml"
onnx = "squares.onnx"
"""


@pytest.mark.slow
def test_tasks_score_every_method_and_one_that_cannot_be_is_told(
    polyfuse: Callable[..., Any], tmp_path: Path, squares_onnx: Callable[..., Path]
) -> None:
    pytest.importorskip("faster_coco_eval")
    squares_onnx()
    entries: list[dict[str, Any]] = []
    for index in range(3):
        visible, infrared = np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 20, np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        for x, y in ((0, 0), (32, 16)):
            visible[y : y + 16, x : x + 16, 0] = 240
            infrared[y : y + 16, x : x + 16] = 250
            mask[y : y + 16, x : x + 16] = 255
            entries.append({"id": len(entries) + 1, "image_id": index, "category_id": 1, "bbox": [x, y, 16, 16]})
        for folder, picture in (("vi", visible), ("ir", infrared)):
            write_picture(tmp_path / f"{folder}/{index}.png", picture)
        write_picture(tmp_path / f"masks/mask_{index}.png", mask)
    images = [{"id": index, "file_name": f"{index}.png"} for index in range(3)]
    document = {"images": images, "annotations": entries, "categories": [{"id": 1, "name": "red"}]}
    (tmp_path / "boxes.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "squares_suite.toml").write_text(SUITE, encoding="utf-8")
    ran = polyfuse("benchmark", "squares_suite.toml", "--no-page", "--workers", "1", "--quiet", "--json")
    assert ran.code == 1
    assert "task none" in ran.err[-1]
    tables = {task["title"]: task for task in json.loads("\n".join(ran.out))["tasks"]}
    assert set(tables) == {"Targets: squares, on squares", "Detection: red, on squares"}
    for table in tables.values():
        assert {row["name"] for row in table["rows"]} == {"infrared", "visible", "average", "maximum", "laplacian"}
    report = Path("benchmark/report.md").read_text("utf-8")
    assert "## Detection: red, on squares" in report
    assert "task none" in report
