"""The layout of SMFNet's program: keys and shapes, both ways, unused tensors, wrong and dangerous files."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from polyfuse import registry
from polyfuse.errors import InputError
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet.official import (
    PARTS,
    fresh_unused,
    from_official,
    read_checkpoint,
    smfnet_key_map,
    to_official,
    unused_shapes,
    write_checkpoint,
)

COUNTER = "num_batches_tracked"


@pytest.fixture(scope="module")
def layout() -> dict[str, list[int]]:
    """Name and shape of every entry of the official state dictionaries but the counters."""
    path = Path(__file__).parents[1] / "golden" / "smfnet.json"
    return {name: shape for name, (_, shape) in json.loads(path.read_text(encoding="utf-8"))["parameters"].items()}


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Ours, trained for one step's worth of batch statistics."""
    torch.manual_seed(11)
    model = SMFNet()
    with torch.no_grad():
        model(*torch.rand(2, 1, 1, 6, 5))
    return model.state_dict()


@pytest.fixture(scope="module")
def official(state) -> dict[str, Tensor]:
    return to_official(state)


def test_written_tensors_have_the_published_keys_and_shapes(official, layout) -> None:
    counters = {name for name in official if name.endswith(COUNTER)}
    assert {name: list(tensor.shape) for name, tensor in official.items() if name not in counters} == layout
    assert counters == {name.replace("running_var", COUNTER) for name in layout if name.endswith("running_var")}
    assert len(official) == 334


def test_parts_have_the_published_numbers_of_entries(official) -> None:
    found = Counter(name.partition(".")[0] for name in official)
    assert [found[part] for part in PARTS] == [168, 17, 94, 15, 40]


def test_parts_have_the_published_numbers_of_parameters(official) -> None:
    buffers = ("running_mean", "running_var", COUNTER)
    found: Counter[str] = Counter()
    for name, tensor in official.items():
        found[name.partition(".")[0]] += 0 if name.endswith(buffers) else tensor.numel()
    assert [found[part] for part in PARTS] == [1_886_768, 50_520, 964_994, 35_528, 211_008]


def test_unused_tensors_are_the_published_ones() -> None:
    sizes: Counter[str] = Counter()
    for name, shape in unused_shapes().items():
        if not name.endswith(("running_mean", "running_var", COUNTER)):
            sizes[name.partition(".")[0]] += torch.Size(shape).numel()
    assert dict(sizes) == {"DIDF_Encoder": 27_104, "GraphModel": 463_424, "BaseFuseLayer": 8_192}
    assert set(unused_shapes()).isdisjoint(smfnet_key_map())


def test_map_covers_every_tensor_of_smfnet_once() -> None:
    names = smfnet_key_map()
    assert sorted(names.values()) == sorted(SMFNet().state_dict())


@pytest.mark.parametrize(("base_blocks", "depth"), [(1, 1), (1, 3), (3, 2)])
def test_map_covers_other_depths(base_blocks: int, depth: int) -> None:
    model = SMFNet(SMFNetConfig(channels=16, base_blocks=base_blocks, depth=depth))
    assert sorted(smfnet_key_map(base_blocks, depth).values()) == sorted(model.state_dict())


def test_tensors_go_there_and_back_unchanged(state, official) -> None:
    back, unused = from_official(official)
    assert list(back) == list(smfnet_key_map().values())
    assert all(back[name] is state[name] for name in state)
    again = to_official(back, unused)
    assert list(again) == list(official)
    assert all(again[name] is official[name] for name in official)


@pytest.mark.parametrize("prefixed", [True, False])
def test_file_goes_there_and_back_to_the_bit(prefixed: bool, official, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    write_checkpoint(path, official)
    content = torch.load(path, weights_only=True)
    assert list(content) == list(PARTS)
    assert all(key.startswith("module.") for part in content.values() for key in part)
    if not prefixed:
        bare = {part: {key.removeprefix("module."): value for key, value in s.items()} for part, s in content.items()}
        torch.save(bare, path)
    tensors, digest = read_checkpoint(path)
    assert len(digest) == 64
    assert set(tensors) == set(official)
    assert all(torch.equal(tensors[n], t) and tensors[n].dtype == t.dtype for n, t in official.items())


def test_fresh_unused_tensors_start_as_the_program_starts_them() -> None:
    found = fresh_unused()
    weight, bias = (found[f"GraphModel.graph.C_cls.{name}"] for name in ("weight", "bias"))
    for values in (weight, bias):
        assert 0.8 * 128**-0.5 < values.abs().max().item() <= 128**-0.5
    assert (found["DIDF_Encoder.baseFeature.norm.weight"] == 1).all()
    assert (found["DIDF_Encoder.baseFeature.norm.bias"] == 0).all()
    assert (found["GraphModel.graph.C_cat.3.1.running_var"] == 1).all()
    assert (found["GraphModel.graph.C_cat.3.1.running_mean"] == 0).all()
    assert found[f"GraphModel.graph.C_cat.3.1.{COUNTER}"].dtype == torch.int64
    assert all(torch.equal(tensor, found[name]) for name, tensor in fresh_unused().items())


def test_missing_and_unexpected_keys_are_named(official) -> None:
    lacking = {name: tensor for name, tensor in official.items() if name != "GraphModel.graph.graph.C_pa.1.weight"}
    with pytest.raises(InputError, match=r"lacks GraphModel\.graph\.graph\.C_pa\.1\.weight: "):
        from_official(lacking)
    with pytest.raises(InputError, match=r"unexpected key DIDF_Decoder\.head\.weight: "):
        from_official(official | {"DIDF_Decoder.head.weight": torch.zeros(1)})


def test_our_layout_is_checked_too(state) -> None:
    with pytest.raises(InputError, match=r"lacks decoder\.read\.4\.weight"):
        to_official({name: tensor for name, tensor in state.items() if name != "decoder.read.4.weight"})


class _Payload:
    """Creates a file when it is unpickled without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


def test_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, target = tmp_path / "model.pth", tmp_path / "run"
    torch.save({part: {"module.x": _Payload(target)} for part in PARTS}, path)
    with pytest.raises(InputError, match="refused, it holds more than tensors"):
        read_checkpoint(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": torch.zeros(1)}, "does not hold the five parts"),
        (torch.zeros(1), "does not hold the five parts"),
        ({part: {} for part in PARTS[:4]}, "does not hold the five parts"),
        ({part: torch.zeros(1) for part in PARTS}, "DIDF_Encoder is no plain dictionary of tensors"),
        ({part: {"module.epoch": 3} for part in PARTS}, "DIDF_Encoder is no plain dictionary of tensors"),
    ],
    ids=range(5),
)
def test_other_content_is_refused(content: object, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match=words):
        read_checkpoint(path)


def test_tensor_of_another_shape_is_named(official, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    write_checkpoint(path, official | {"DIDF_Decoder.output.4.weight": torch.zeros(1, 8, 3, 3)})
    with pytest.raises(InputError, match=r"decoder\.read\.4\.weight has shape \(1, 8, 3, 3\), not \(1, 16, 3, 3\)"):
        registry.import_checkpoint("smfnet", path, tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()


def test_imported_weights_are_the_network_of_the_program(state, official, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "model.pth", official)
    registry.import_checkpoint("smfnet", tmp_path / "model.pth", tmp_path / "w.safetensors")
    model = registry.load("auto", weights=tmp_path / "w.safetensors")
    assert (model.spec.family, model.spec.output, model.config) == ("smfnet", "minmax", SMFNetConfig())
    assert (model.provenance.luma, model.provenance.rendering) == ("full", "clip")
    assert model.provenance.rounded_a
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
