"""The record of a fusion and the files a result becomes."""

import datetime
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import polyfuse
from polyfuse import Result, fuse, load
from polyfuse.errors import OutputError, UsageError
from polyfuse.families.fnet.network import FNet
from polyfuse.io import read_picture
from polyfuse.ops import native_coding, native_kernels, native_maps_sets, native_pyramid
from polyfuse.weights.store import WeightsInfo, save_weights

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5)
COLOUR = np.stack((GREY, GREY + 9, GREY + 90), axis=2)


@pytest.fixture
def result(on_disk: Callable[[str, NDArray[Any]], Path]) -> Result:
    return fuse(on_disk("a.png", GREY), on_disk("b.tif", COLOUR), model="average", range="minmax")


def test_record_names_the_sources_with_the_hashes_of_their_files(result: Result, tmp_path: Path) -> None:
    found = {name: (source["path"], source["sha256"]) for name, source in result.record["sources"].items()}
    paths = {"a": tmp_path / "a.png", "b": tmp_path / "b.tif"}
    assert found == {name: (str(path), hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in paths.items()}


def test_record_says_what_the_sources_were(result: Result) -> None:
    keys = ("format", "width", "height", "channels", "dtype")
    found = [tuple(result.record["sources"][name][key] for key in keys) for name in ("a", "b")]
    assert found == [("PNG", 5, 4, 1, "uint8"), ("TIFF", 5, 4, 3, "uint8")]


def test_record_keeps_what_reading_did(on_disk: Callable[[str, NDArray[Any]], Path]) -> None:
    same = on_disk("a.png", np.repeat(GREY[..., None], 3, axis=2))
    assert any("grey" in note for note in fuse(same, GREY, model="average").record["sources"]["a"]["notes"])


def test_record_keeps_the_conventions(result: Result) -> None:
    assert result.record["range"]["a"] == {"mode": "minmax", "low": 0.0, "high": 19.0, "dtype": "uint8"}
    colour = {"from": "b", "luma_a": "full", "luma_b": "full", "gamut": "safe", "rounded_a": False}
    assert result.record["colour"] == colour
    assert result.record["output"] == {"dtype": "uint8", "unit_of": "b"}


def test_record_keeps_model_options_and_versions(result: Result) -> None:
    record = result.record
    assert (record["schema"], record["polyfuse"]) == (1, polyfuse.__version__)
    assert (record["settings"]["model"], record["settings"]["precision"]) == ("average", "float32")
    assert record["settings"]["options"]["range"] == "minmax"
    assert (record["run"]["torch"], record["run"]["numpy"]) == (torch.__version__, np.__version__)


def test_record_keeps_time_threads_and_device(result: Result) -> None:
    run = result.record["run"]
    assert run["seconds"] >= 0
    assert datetime.datetime.fromisoformat(run["finished"]).tzinfo is not None
    assert (run["threads"], run["device"], run["tiles"]) == (torch.get_num_threads(), "cpu", 1)


def test_record_of_learned_weights_has_their_hash_and_configuration(random_fnet: FNet, tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    info = WeightsInfo("fnet.test", "fnet", random_fnet.config.to_json(), luma="studio", source="random")
    save_weights(weights, random_fnet.state_dict(), info)
    settings = fuse(GREY, COLOUR, model="fnet", weights=weights).record["settings"]
    assert settings["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (settings["weights_source"], settings["config"]) == ("random", random_fnet.config.to_json())


def test_sidecar_is_the_record(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "fused.png")
    sidecar = json.loads((tmp_path / "fused.png.json").read_text(encoding="utf-8"))
    assert sidecar.pop("result")["bytes"] == (tmp_path / "fused.png").stat().st_size
    assert sidecar == result.record


def test_saved_picture_is_the_image(result: Result, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_picture(result.save(tmp_path / "fused.tif")).array, result.image)


def test_existing_file_is_not_replaced(result: Result, tmp_path: Path) -> None:
    path = result.save(tmp_path / "fused.png")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists: pass --overwrite"):
        Result(result.image // 2, {}).save(path)
    assert path.read_bytes() == before


def test_overwriting_without_sidecar_takes_the_old_one_away(result: Result, tmp_path: Path) -> None:
    path = result.save(tmp_path / "fused.png")
    result.save(path, overwrite=True, sidecar=False)
    assert not (tmp_path / "fused.png.json").exists()


def test_format_that_cannot_hold_the_depth_is_refused_with_advice(tmp_path: Path) -> None:
    deep = fuse(GREY.astype(np.uint16), GREY.astype(np.uint16), model="average", range="minmax", range_b="minmax")
    with pytest.raises(UsageError, match=r"JPEG cannot hold 16-bit pixels: write .* pass --bit-depth 8"):
        deep.save(tmp_path / "fused.jpg")
    assert list(tmp_path.iterdir()) == []


def test_record_says_that_no_kernel_ran(result: Result) -> None:
    assert result.record["run"]["kernels"] == {"lzsc": None, "maps": None, "pyramid": None}


@pytest.mark.parametrize(
    ("name", "precision", "kernel", "expected"),
    [
        ("fnet.road", "float32", "lzsc", native_coding.instruction_set("float32")),
        ("fnet-t.road", "bf16", "maps", native_maps_sets.maps_instruction_set(torch.bfloat16)),
        ("laplacian", "float32", "pyramid", native_kernels.instruction_set("pyramid", native_pyramid.SETS)),
    ],
)
def test_record_names_the_kernel_that_ran_for_every_picture(
    name: str, precision: Any, kernel: str, expected: str | None
) -> None:
    model, picture = load(name, precision=precision), np.tile(GREY, (8, 8))
    runs = [fuse(picture, picture, model=model).record["run"]["kernels"] for _ in range(2)]
    others = {"lzsc": None, "maps": None, "pyramid": None}
    assert runs == [{**others, kernel: expected}] * 2


def test_kernel_that_is_not_built_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_kernels, "kernel", lambda name: None)
    native_kernels.instruction_set.cache_clear()
    try:
        run = fuse(GREY, GREY, model="fnet.road").record["run"]
    finally:
        native_kernels.instruction_set.cache_clear()
    assert run["kernels"] == {"lzsc": None, "maps": None, "pyramid": None}
