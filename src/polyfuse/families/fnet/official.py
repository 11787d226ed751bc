"""The published FNet checkpoint layout and ours, both ways (spec fnet 12)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polyfuse.families.fnet.network import FNet
from polyfuse.weights.pickles import read_state
from polyfuse.weights.published import check_keys
from polyfuse.weights.store import WeightsInfo, save_imported

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED_SHA256 = "46665448c3012d0466c0a7c7ee46d48da7f1e59c58a98368801a948da715afec"
ITERATIONS = 4
_SCALARS = (("w_theta", "w_theta"), ("b_theta", "b_theta"), ("w_ro", "w_rho"), ("b_ro", "b_rho"))


def _block(official: str, ours: str) -> list[tuple[str, str]]:
    """Names of the 23 tensors of one LZSC block, in the official order."""
    pairs = [(f"{official}.{theirs}", f"{ours}.{name}") for theirs, name in _SCALARS]
    pairs += [
        (f"{official}.x0_block.conv_in.weight", f"{ours}.input.0.weight"),
        (f"{official}.x1_block.conv_in.weight", f"{ours}.input.1.weight"),
        (f"{official}.x1_block.basic_layer.ch_down.weight", f"{ours}.down.1.weight"),
        (f"{official}.x1_block.basic_layer.ch_up.weight", f"{ours}.up.1.weight"),
    ]
    for k in range(2, ITERATIONS + 1):
        module = f"{official}.IM.{k - 2}"
        pairs += [
            (f"{module}.conv_in.weight", f"{ours}.input.{k}.weight"),
            (f"{module}.basic_layer1.ch_down.weight", f"{ours}.down.{k}.weight"),
            (f"{module}.basic_layer1.ch_up.weight", f"{ours}.up.{k}.weight"),
            (f"{module}.basic_layer2.ch_down.weight", f"{ours}.down_prev.{k}.weight"),
            (f"{module}.basic_layer2.ch_up.weight", f"{ours}.up_prev.{k}.weight"),
        ]
    return pairs


def fnet_key_map() -> dict[str, str]:
    """Official name to our name for all 74 tensors of FNet, in the official order."""
    return dict(
        [
            *_block("net_u", "coder_u"),
            ("conv_u.weight", "explain_u.weight"),
            *_block("net_v", "coder_v"),
            ("conv_v.weight", "explain_v.weight"),
            *_block("net_z", "coder_z"),
            ("decoder.conv_1.weight", "decode_u.weight"),
            ("decoder.conv_2.weight", "decode_z.weight"),
            ("decoder.conv_3.weight", "decode_v.weight"),
        ]
    )


def ifnet_key_map() -> dict[str, str]:
    """Official name to our name for all 48 tensors of IFNet, in the official order."""
    return dict(
        [
            *_block("net_x1", "coder_a"),
            ("conv_x1.weight", "read_a.weight"),
            *_block("net_x2", "coder_b"),
            ("conv_x2.weight", "read_b.weight"),
        ]
    )


def from_official(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename a published state dictionary to ours.

    Raises:
        InputError: Naming the first missing or unexpected key.
    """
    check_keys(tensors, names, "FNet")
    return {ours: tensors[theirs] for theirs, ours in names.items()}


def to_official(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Rename our state dictionary to the published layout, in its order.

    Raises:
        InputError: Naming the first missing or unexpected key.
    """
    check_keys(tensors, names.values(), "FNet")
    return {theirs: tensors[ours] for theirs, ours in names.items()}


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert the published checkpoint, or one of its layout, 74 tensors; see `polyfuse.registry.import_checkpoint`."""
    tensors, digest = read_state(checkpoint)
    renamed = from_official(tensors, fnet_key_map())
    model, published = FNet(), digest == PUBLISHED_SHA256
    info = WeightsInfo(
        name="fnet.official" if published else "fnet.imported",
        family="fnet",
        config=model.config.to_json(),
        luma="studio",
        rendering="official",
        source=f"imported from {checkpoint.name}, SHA-256 {digest}"
        + (", the checkpoint published with arXiv 2411.04519" if published else ""),
        licence="the publishing repository states none: do not redistribute" if published else "not stated",
    )
    return save_imported(out, model, renamed, info, checkpoint, overwrite=overwrite)
