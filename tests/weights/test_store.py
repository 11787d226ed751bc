"""Weights files: round trip, damage, wrong files, no overwriting."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from polyfuse.errors import InputError, OutputError
from polyfuse.weights.store import WeightsInfo, card, content_sha256, load_weights, save_weights

INFO = WeightsInfo("fnet.test", "fnet", {"border": "zeros"}, luma="studio", rendering="official", source="a test")


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {"b.weight": torch.arange(12.0).reshape(3, 4), "a": torch.tensor([0.5])}


@pytest.fixture
def saved(tmp_path: Path, tensors) -> Path:
    path = tmp_path / "w.safetensors"
    save_weights(path, tensors, INFO)
    return path


def test_tensors_come_back_bit_for_bit(saved: Path, tensors) -> None:
    found, _, _ = load_weights(saved)
    assert set(found) == set(tensors)
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_description_comes_back(saved: Path, tensors) -> None:
    _, info, _ = load_weights(saved)
    assert {**asdict(info), "content_sha256": ""} == asdict(INFO)


def test_stated_hash_of_the_file_is_the_one_of_its_bytes(saved: Path) -> None:
    import hashlib

    assert load_weights(saved)[2] == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_strided_tensors_are_saved(tmp_path: Path) -> None:
    strided = torch.arange(12.0).reshape(3, 4).T
    path = tmp_path / "w.safetensors"
    save_weights(path, {"t": strided}, INFO)
    assert torch.equal(load_weights(path)[0]["t"], strided)


def test_expected_hash_is_accepted(saved: Path) -> None:
    digest = load_weights(saved)[2]
    assert load_weights(saved, expected_sha256=digest)[2] == digest


def test_wrong_hash_is_refused(saved: Path) -> None:
    with pytest.raises(InputError, match=r"has SHA-256 .*, not 0000"):
        load_weights(saved, expected_sha256="0" * 64)


def test_changed_value_is_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(InputError, match="does not match its own checksum"):
        load_weights(saved)


def test_renamed_tensor_is_noticed(saved: Path) -> None:
    content = saved.read_bytes()
    tensors = load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    tensors["c.weight"] = tensors.pop("b.weight")
    saved.write_bytes(save(tensors, metadata=header["__metadata__"]))
    with pytest.raises(InputError, match="does not match its own checksum"):
        load_weights(saved)


@pytest.mark.parametrize("keep", [0, 7, 40, -5])
def test_truncated_file_is_refused(keep: int, saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"w\.safetensors is no polyfuse weights file: "):
        load_weights(saved)


@pytest.mark.parametrize("content", [b"hello, this is text", b"\x89PNG\r\n\x1a\n" + bytes(50)], ids=["text", "picture"])
def test_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no polyfuse weights file: "):
        load_weights(path)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"polyfuse": "not json"},
        {"polyfuse": "[]"},
        {"polyfuse": "null"},
        {"polyfuse": "{}"},
        {"polyfuse": '{"format_version": 99}'},
        {"polyfuse": '{"format_version": 1, "unknown": 1}'},
        {"polyfuse": "[" * 100_000},
        {"polyfuse": '{"format_version": 1' + "0" * 5000 + "}"},
        {"polyfuse": json.dumps(asdict(INFO) | {"family": 5})},
        {"polyfuse": json.dumps(asdict(INFO) | {"name": None})},
        {"polyfuse": json.dumps(asdict(INFO) | {"config": [1]})},
        {"polyfuse": json.dumps(asdict(INFO) | {"luma": ["full"]})},
        {"polyfuse": json.dumps(asdict(INFO) | {"rounded_a": 1})},
        {"polyfuse": json.dumps(asdict(INFO) | {"content_sha256": {}})},
        {"polyfuse": json.dumps(asdict(INFO) | {"format_version": True})},
        {"polyfuse": json.dumps(asdict(INFO) | {"family": "two\nlines"})},
        {"polyfuse": json.dumps(asdict(INFO) | {"luma": "x" * 201})},
    ],
    ids=lambda metadata: str(metadata)[:60],
)
def test_safetensors_without_our_description_are_refused(metadata, tmp_path: Path, tensors) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(save(tensors, metadata=metadata))
    with pytest.raises(InputError, match="is no polyfuse weights file: "):
        load_weights(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.safetensors cannot be read"):
        load_weights(tmp_path / "gone.safetensors")


def test_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder: give a weights file"):
        load_weights(tmp_path)


def test_existing_file_is_not_overwritten(saved: Path, tensors) -> None:
    before = saved.read_bytes()
    with pytest.raises(OutputError, match="exists: pass --overwrite"):
        save_weights(saved, {"x": torch.zeros(1)}, INFO)
    assert saved.read_bytes() == before


def test_overwriting_on_request_works(saved: Path) -> None:
    save_weights(saved, {"x": torch.zeros(1)}, INFO, overwrite=True)
    assert set(load_weights(saved)[0]) == {"x"}


def test_unwritable_place_is_an_output_error(tmp_path: Path, tensors) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        save_weights(tmp_path / "file" / "w.safetensors", tensors, INFO)


def test_failed_writing_leaves_nothing_behind(tmp_path: Path, tensors, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        save_weights(tmp_path / "w.safetensors", tensors, INFO)
    assert list(tmp_path.iterdir()) == []


def test_checksum_does_not_depend_on_order(tensors) -> None:
    assert content_sha256(tensors) == content_sha256(dict(reversed(tensors.items())))


def test_checksum_covers_shapes() -> None:
    assert content_sha256({"a": torch.zeros(2, 3)}) != content_sha256({"a": torch.zeros(3, 2)})


def test_card_names_the_source() -> None:
    assert "| source | a test |" in card(INFO, 1234, "w.safetensors")
