"""Exported models fuse as those of PyTorch do: same colour, range, tiles and record, within a grey level."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polyfuse
from polyfuse import load_exported
from polyfuse.cli.completion import bundled_recipes
from polyfuse.engines.description import Description
from polyfuse.errors import DependencyError, InputError, UsageError
from polyfuse.fusion.sidecar import sidecar_path
from polyfuse.io import read_picture, write_picture

Export = Callable[[str], Path]
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # as where it is not installed: it cannot be imported, and there is no trace of it
from polyfuse.cli import run
sys.exit(run(sys.argv[1:]))
"""


def pair(shape: tuple[int, int] = (60, 82)) -> tuple[Any, Any]:
    """A grey picture and a colour one, smooth with some noise."""
    draw = np.random.default_rng(5)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    a = 127 + 90 * np.sin(columns / 9) + draw.normal(0, 5, shape)
    b = np.stack([127 + 80 * np.cos(rows / step) + draw.normal(0, 5, shape) for step in (7, 9, 13)], axis=-1)
    return a.clip(0, 255).astype(np.uint8), b.clip(0, 255).astype(np.uint8)


def most_off(one: Any, other: Any) -> int:
    """Largest difference of two pictures, levels."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
@pytest.mark.parametrize("name", ["laplacian", "fnet-t16.road"])
def test_fuses_as_the_model_it_came_from(name: str, engine: Any, exported: Export) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra openvino is not installed")
    model = load_exported(exported(name), engine, threads=1)
    wanted, given = (polyfuse.fuse(*pair(), model=one) for one in (name, model))
    assert most_off(wanted.image, given.image) <= 1
    assert given.record["settings"]["model"] == name
    assert given.record["settings"]["engine"] == engine
    assert given.record["settings"]["exported_sha256"] == model.sha256
    assert given.record["run"]["engine"] == model.session.version
    assert given.record["colour"] == wanted.record["colour"]


def test_tiles_give_the_same_as_the_whole(exported: Export) -> None:
    model = load_exported(exported("fnet-t16.road"))
    whole, tiled = (polyfuse.fuse(*pair((130, 150)), model=model, tile=tile) for tile in (None, 64))
    assert tiled.record["run"]["tiles"] > 1
    assert most_off(whole.image, tiled.image) <= 1


def test_deep_pictures_keep_their_depth(exported: Export) -> None:
    a, b = pair()
    deep = a.astype(np.uint16) * 37 + 3000
    model = load_exported(exported("laplacian"))
    wanted, given = (polyfuse.fuse(deep, b[..., 0], model=one) for one in ("laplacian", model))
    assert given.image.dtype == wanted.image.dtype == np.uint16
    assert most_off(wanted.image, given.image) <= 1


def test_pictures_of_one_row_are_refused(exported: Export) -> None:
    row, model = np.zeros((1, 8), np.uint8), load_exported(exported("laplacian"))
    with pytest.raises(InputError, match="exported models take pictures from 2x2"):
        polyfuse.fuse(row, row, model=model)


def test_onnxruntime_has_no_other_arithmetic(exported: Export) -> None:
    with pytest.raises(UsageError, match="export with --precision float16, or pass --engine openvino"):
        load_exported(exported("laplacian"), precision="bf16")


def test_descriptions_of_newer_versions_and_damaged_ones_are_refused(exported: Export) -> None:
    path = exported("laplacian")
    text = load_exported(path).description.to_json()
    assert Description.from_json(text, path) == load_exported(path).description
    newer = json.dumps({**json.loads(text), "format_version": 99})
    with pytest.raises(InputError, match="get a newer polyfuse"):
        Description.from_json(newer, path)
    for damaged in ("{", "[]", "{}", text.replace('"spec"', '"spectre"')):
        with pytest.raises(InputError, match="is damaged: export the model again"):
            Description.from_json(damaged, path)


def test_foreign_and_old_files_are_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    path = tmp_path / "other.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="no model of polyfuse: make one with `polyfuse models export onnx`"):
        load_exported(path)
    helper.set_model_props(model, {"polyfuse": "{}"})
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="opset 11, older than 18: export it again"):
        load_exported(path)


def without_torch(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command where PyTorch cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, words)], capture_output=True, text=True, check=False
    )


def test_an_installation_without_torch_fuses(exported: Export, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path, image in zip(paths, pair(), strict=True):
        write_picture(path, image)
    model, out = exported("fnet-t16.road"), tmp_path / "fused.png"
    ran = without_torch("fuse", *paths, "--model", model, "-o", out)
    assert (ran.returncode, ran.stderr) == (0, "")
    wanted = polyfuse.fuse(*paths, model="fnet-t16.road")
    assert most_off(wanted.image, read_picture(out).array) <= 1
    record = json.loads(sidecar_path(out).read_text())
    assert record["settings"] == {
        **wanted.record["settings"],
        "engine": "onnx",
        "exported_sha256": record["settings"]["exported_sha256"],
    }


@pytest.mark.parametrize("call", ["fuse('a.png', 'b.png')", "evaluate('f.png', 'a.png', 'b.png')", "load('average')"])
def test_python_without_torch_is_told_in_our_words(call: str) -> None:
    program = f"import sys; sys.modules['torch'] = None; import polyfuse; polyfuse.{call}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1].startswith("polyfuse.errors.DependencyError: this needs PyTorch")


def test_extras_are_those_of_the_distribution_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    line = 'clips need PyAV: pip install "polyfuse[video]".'
    for names, told in (
        (["numpy"], line),  # run from a checkout
        (["numpy", "polyfuse"], line),
        (["polyfuse", "polyfuse-runtime"], line),  # a checkout in which both were built
        (["numpy", "polyfuse-runtime"], 'clips need PyAV: pip install "polyfuse-runtime[video]".'),
    ):
        there = [SimpleNamespace(name=name) for name in names]
        monkeypatch.setattr("importlib.metadata.distributions", lambda there=there: there)
        assert str(DependencyError(line)) == told


def test_recipes_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyfuse.cli.completion.resources.files", lambda _: tmp_path)
    assert bundled_recipes() == []


def test_an_installation_without_torch_says_what_it_lacks(tmp_path: Path) -> None:
    ran = without_torch("models", "list")
    assert ran.returncode == 4
    assert ran.stderr.startswith("polyfuse: this needs PyTorch, which is not installed")
    doctor = without_torch("doctor")
    assert doctor.returncode == 0
    assert "not installed: exported models alone can fuse" in doctor.stdout
