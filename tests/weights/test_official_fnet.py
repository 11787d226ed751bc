"""The published checkpoint layout: both ways, wrong keys by name, dangerous and damaged files."""

import contextlib
import hashlib
import pickle
import warnings
from pathlib import Path

import pytest
import torch

from polyfuse import load
from polyfuse.errors import InputError
from polyfuse.families.fnet.inverse import IFNet
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet.official import (
    PUBLISHED_SHA256,
    fnet_key_map,
    from_official,
    ifnet_key_map,
    import_checkpoint,
    to_official,
)
from polyfuse.weights.pickles import read_state


@pytest.fixture
def official() -> dict[str, torch.Tensor]:
    """A state dictionary in the published layout and order, values of our own."""
    state = FNet().state_dict()
    return {theirs: state[ours] for theirs, ours in fnet_key_map().items()}


def test_map_covers_every_tensor_of_fnet() -> None:
    assert sorted(fnet_key_map().values()) == sorted(FNet().state_dict())


def test_map_covers_every_tensor_of_ifnet() -> None:
    assert sorted(ifnet_key_map().values()) == sorted(IFNet().state_dict())


@pytest.mark.parametrize(("names", "count"), [(fnet_key_map(), 74), (ifnet_key_map(), 48)], ids=["fnet", "ifnet"])
def test_map_has_the_published_number_of_tensors(names: dict[str, str], count: int) -> None:
    assert len(names) == count


@pytest.mark.parametrize(
    ("position", "name"),
    [
        (2, "net_u.w_ro"),
        (7, "net_u.x1_block.basic_layer.ch_up.weight"),
        (23, "conv_u.weight"),
        (46, "net_v.IM.2.basic_layer2.ch_up.weight"),
        (60, "net_z.IM.0.basic_layer2.ch_up.weight"),
        (72, "decoder.conv_2.weight"),
    ],
)
def test_official_order_is_the_published_one(position: int, name: str) -> None:
    assert list(fnet_key_map())[position] == name


def test_there_and_back_is_identical_in_order_and_values(official) -> None:
    back = to_official(from_official(official, fnet_key_map()), fnet_key_map())
    assert list(back) == list(official)
    assert all(back[name] is official[name] for name in official)


def test_missing_key_is_named(official) -> None:
    del official["net_z.IM.1.conv_in.weight"]
    with pytest.raises(InputError, match=r"lacks net_z\.IM\.1\.conv_in\.weight: "):
        from_official(official, fnet_key_map())


def test_unexpected_key_is_named(official) -> None:
    official["head.weight"] = torch.zeros(1)
    with pytest.raises(InputError, match=r"unexpected key head\.weight: "):
        from_official(official, fnet_key_map())


def test_our_layout_is_checked_too() -> None:
    state = FNet().state_dict()
    del state["decode_v.weight"]
    with pytest.raises(InputError, match=r"lacks decode_v\.weight"):
        to_official(state, fnet_key_map())


def test_plain_checkpoint_is_read_with_its_hash(tmp_path: Path, official) -> None:
    path = tmp_path / "net.pth"
    torch.save(official, path)
    tensors, digest = read_state(path)
    assert list(tensors) == list(official)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


class _Payload:
    """Creates a file when it is unpickled without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("container", ["zip", "bare pickle"])
def test_pickle_that_runs_code_is_refused_and_not_run(container: str, tmp_path: Path) -> None:
    path, target = tmp_path / "net.pth", tmp_path / "run"
    content = {"net_u.w_theta": _Payload(target)}
    if container == "zip":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="refused, it holds more than tensors"):
        read_state(path)
    assert not target.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_checkpoint_is_refused(share: float, tmp_path: Path, official) -> None:
    path = tmp_path / "net.pth"
    torch.save(official, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"net\.pth"):
        read_state(path)


@pytest.mark.parametrize("zipped", [False, True])
def test_flipped_bytes_never_end_in_a_traceback(zipped: bool, tmp_path: Path, rng) -> None:
    path = tmp_path / "net.pth"
    torch.save({"a.b": torch.zeros(3, 4), "c": torch.ones(2)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(min(len(content), 1000))] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):  # a change of values alone goes unnoticed
            read_state(path)


@pytest.mark.parametrize("content", [[torch.zeros(2)], torch.zeros(2), {"a": 1}, {"a": {"b": torch.zeros(1)}}], ids=str)
def test_anything_but_a_dictionary_of_tensors_is_refused(content, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match="no plain dictionary of tensors: "):
        read_state(path)


def quantised(tensor: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to drop them
        return torch.quantize_per_tensor(tensor, 0.01, 0, torch.qint8)


TENSOR = "net_u.x0_block.conv_in.weight"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (quantised, "plain tensors"),
        (torch.Tensor.to_sparse, "plain tensors"),
        (lambda tensor: tensor.to("meta"), "plain tensors"),
        (lambda tensor: torch.nested.nested_tensor([tensor[0], tensor[0]]), "plain tensors"),
        (lambda tensor: tensor.to(torch.complex64), "holds torch.complex64 values, not torch.float32"),
        (torch.Tensor.long, "holds torch.int64 values, not torch.float32"),
        (lambda tensor: tensor / 0, "NaN or infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*nested tensors", "ignore:TypedStorage", "ignore:.*quantized")
def test_tensor_without_values_of_the_networks_kind_is_not_imported(official, change, words, tmp_path: Path) -> None:
    torch.save({**official, TENSOR: change(official[TENSOR])}, tmp_path / "net.pth")
    with pytest.raises(InputError, match=words) as error:
        import_checkpoint(tmp_path / "net.pth", tmp_path / "net.safetensors", overwrite=False)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "net.safetensors").exists()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_of_another_precision_become_the_networks(official, dtype: torch.dtype, tmp_path: Path) -> None:
    torch.save({name: tensor.to(dtype) for name, tensor in official.items()}, tmp_path / "net.pth")
    import_checkpoint(tmp_path / "net.pth", tmp_path / "net.safetensors", overwrite=False)
    state = load("fnet", weights=tmp_path / "net.safetensors").state_dict()
    for theirs, ours in fnet_key_map().items():
        assert torch.equal(state[ours], official[theirs].to(dtype).float())


def test_tensors_that_share_memory_are_imported_each_for_itself(official, tmp_path: Path) -> None:
    twins = [name for name, tensor in official.items() if tensor.shape == official[TENSOR].shape][:2]
    torch.save({**official, twins[1]: official[twins[0]]}, tmp_path / "net.pth")
    import_checkpoint(tmp_path / "net.pth", tmp_path / "net.safetensors", overwrite=False)
    state = load("fnet", weights=tmp_path / "net.safetensors").state_dict()
    assert all(torch.equal(state[fnet_key_map()[name]], official[twins[0]]) for name in twins)


def test_picture_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(InputError, match=r"net\.pth"):
        read_state(path)


def test_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.pth cannot be read"):
        read_state(tmp_path / "gone.pth")


def test_published_checkpoint_is_recognised_by_its_hash(shared_dir: Path) -> None:
    _, digest = read_state(shared_dir / "reference" / "fnet" / "FNet.pth")
    assert digest == PUBLISHED_SHA256


def test_published_checkpoint_goes_there_and_back(shared_dir: Path) -> None:
    tensors, _ = read_state(shared_dir / "reference" / "fnet" / "FNet.pth")
    back = to_official(from_official(tensors, fnet_key_map()), fnet_key_map())
    assert list(back) == list(tensors)


def test_published_checkpoint_fits_the_network(shared_dir: Path) -> None:
    tensors, _ = read_state(shared_dir / "reference" / "fnet" / "FNet.pth")
    FNet().load_state_dict(from_official(tensors, fnet_key_map()), strict=True)
