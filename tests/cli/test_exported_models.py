"""`polyfuse models export onnx`, and `polyfuse fuse` with what it writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyfuse.cli.models import _difference

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

Runner = Callable[..., Any]


def test_export_is_told_and_fused_with(polyfuse: Runner, pair: tuple[Path, Path]) -> None:
    made = polyfuse("models", "export", "onnx", "average", "-o", "model.onnx")
    assert (made.code, made.out) == (0, ["model.onnx"])
    assert "MB, opset 18, float32; beside PyTorch: onnxruntime " in made.err[-1]
    ran = polyfuse("fuse", *pair, "--model", "model.onnx", "-o", "fused.png", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, ["fused.png"], [])
    again = polyfuse("models", "export", "onnx", "average", "-o", "model.onnx")
    assert again.code == 5
    assert "pass --overwrite" in again.problem


WRONG = {
    "engine without a file": (["--engine", "onnx"], "--engine onnx runs exported models: `polyfuse models export onnx"),
    "file of something else": (["--model", "{text}"], "is no ONNX model: pass a file of `polyfuse models export onnx`"),
    "engine that it was exported from": (["--model", "{text}", "--engine", "torch"], "--engine torch runs no exported"),
    "no file": (["--model", "nowhere.onnx"], "nowhere.onnx"),
    "choices of a model": (["--model", "{text}", "--config", "border=zeros"], "cannot change an exported model"),
    "cluster": (["--model", "{text}", "--engine", "ray"], "--engine ray runs no exported models"),
}


@pytest.mark.parametrize(("words", "line"), WRONG.values(), ids=WRONG)
def test_wrong_calls_are_one_line(
    words: list[str], line: str, polyfuse: Runner, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "text.onnx").write_text("no model at all")
    ran = polyfuse("fuse", *pair, *(word.format(text="text.onnx") for word in words), "-o", "fused.png")
    assert ran.code in (2, 3)
    assert line in ran.problem
    assert not (tmp_path / "fused.png").exists()


def test_options_of_onnx_are_not_for_checkpoints(polyfuse: Runner) -> None:
    ran = polyfuse("models", "export", "smfnet", "weights.safetensors", "-o", "x.pth", "--with-colour")
    assert ran.code == 2
    assert "are for ONNX: drop them" in ran.problem


def test_one_grey_level_is_one() -> None:
    assert [_difference(worst, True) for worst in (0.0, 1.0)] == ["0 grey levels", "1 grey level"]
