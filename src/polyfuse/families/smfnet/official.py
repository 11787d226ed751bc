"""The checkpoint layout of the published SMFNet program and ours, both ways (spec smfnet 8).

A published file is a dictionary of five state dictionaries whose keys carry the prefix "module.". A part of its tensors
is used in no forward pass; those live in published files only. No weights of SMFNet were ever published: the layout is
what the program writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from polyfuse.errors import InputError
from polyfuse.families.smfnet.model import SMFNet
from polyfuse.io.atomic import atomic_path
from polyfuse.weights.pickles import read_pickle
from polyfuse.weights.published import check_keys
from polyfuse.weights.store import WeightsInfo, check_shapes, save_imported

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("DIDF_Encoder", "DIDF_Decoder", "GraphModel", "BaseFuseLayer", "DetailFuseLayer")
"""Names of the five state dictionaries, in the order in which the program writes them."""
PREFIX = "module."
UNUSED_SEED = 2025
"""Seed of the values of unused tensors where no checkpoint has them. Source: the program's seed."""

_WEIGHT = ("weight",)
_BOTH = ("weight", "bias")
_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_Pairs = Iterator[tuple[str, str]]
"""Names of tensors, the program's and ours."""


def _of(theirs: str, ours: str, names: tuple[str, ...] = _WEIGHT) -> _Pairs:
    """Names of the tensors `names` of one layer."""
    yield from ((f"{theirs}.{name}", f"{ours}.{name}") for name in names)


def _first_block(theirs: str, ours: str, feed_forward: str = "ffn_leff") -> _Pairs:
    """Names of the tensors of a transformer block of the first kind."""
    yield from _of(f"{theirs}norm1.body", f"{ours}.norm1", _BOTH)
    yield f"{theirs}attn.temperature", f"{ours}.attention.attend.temperature"
    yield from _of(f"{theirs}attn.qkv", f"{ours}.attention.project_in")
    yield from _of(f"{theirs}attn.qkv_dwconv", f"{ours}.attention.mix")
    yield from _of(f"{theirs}attn.project_out", f"{ours}.attention.project_out")
    yield from _of(f"{theirs}norm2.body", f"{ours}.norm2", _BOTH)
    for layer, name in (("linear1", "expand"), ("dwconv", "mix"), ("linear2", "reduce")):
        yield from _of(f"{theirs}{feed_forward}.{layer}.0", f"{ours}.feed_forward.{name}", _BOTH)


def _second_block(theirs: str, ours: str) -> _Pairs:
    """Names of the tensors of a transformer block of the second kind."""
    yield from _of(f"{theirs}norm1.body", f"{ours}.norm1", _BOTH)
    yield f"{theirs}attn.scale", f"{ours}.attention.attend.temperature"
    for layer, name in (("qkv1", "project_in"), ("qkv2", "mix"), ("proj", "project_out")):
        yield from _of(f"{theirs}attn.{layer}", f"{ours}.attention.{name}")
    yield from _of(f"{theirs}norm2.body", f"{ours}.norm2", _BOTH)
    for layer, name in (("project_in", "expand"), ("project_out", "reduce")):
        yield from _of(f"{theirs}mlp.{layer}", f"{ours}.feed_forward.{name}")


def _dense_block(theirs: str, ours: str) -> _Pairs:
    """Names of the tensors of a gradient dense block."""
    for layer, name in (("conv", "first"), ("GRDB.dense.conv1", "grow1"), ("GRDB.dense.conv2", "grow2")):
        yield from _of(f"{theirs}.{layer}.conv", f"{ours}.{name}", _BOTH)
    yield from _of(f"{theirs}.GRDB.convdown.conv", f"{ours}.squeeze", _BOTH)
    yield from _of(f"{theirs}.GRDB.sobelconv.convx", f"{ours}.sobel_x")
    yield from _of(f"{theirs}.GRDB.sobelconv.convy", f"{ours}.sobel_y")
    yield from _of(f"{theirs}.GRDB.convup.conv", f"{ours}.lift", _BOTH)


def _bottleneck(theirs: str, ours: str) -> _Pairs:
    for index, name in ((0, "expand"), (3, "mix"), (5, "reduce")):
        yield from _of(f"{theirs}.bottleneckBlock.{index}", f"{ours}.{name}")


def _encoder(base_blocks: int, depth: int) -> _Pairs:
    part = "DIDF_Encoder"
    yield from _of(f"{part}.patch_embed.proj", "encoder.embed")
    yield from _first_block(f"{part}.encoder_level1.0.", "encoder.shallow")
    base = f"{part}.baseFeature"
    yield from _of(f"{base}.conv_first", "encoder.base.first", _BOTH)
    for i in range(base_blocks):
        for j in range(depth):
            group, pair = f"{base}.layers.{i}.residual_group.{j}", f"encoder.base.blocks.{i}.pairs.{j}"
            yield from _first_block(f"{group}.0.", f"{pair}.0")
            yield from _second_block(f"{group}.1.", f"{pair}.1")
        for index in (0, 2, 4):
            yield from _of(f"{base}.layers.{i}.conv.{index}", f"encoder.base.blocks.{i}.refine.{index}", _BOTH)
    detail = f"{part}.detailFeature"
    yield f"{detail}.TCA.temperature", "encoder.detail.cross.attend.temperature"
    for layer, name in (("kv", "project_kv"), ("q", "project_q"), ("kv_dwconv", "mix_kv"), ("q_dwconv", "mix_q")):
        yield from _of(f"{detail}.TCA.{layer}", f"encoder.detail.cross.{name}", _BOTH)
    yield from _of(f"{detail}.TCA.project_out", "encoder.detail.cross.project_out", _BOTH)
    for name in ("phi", "rho", "eta"):
        yield from _bottleneck(f"{detail}.layer.theta_{name}", f"encoder.detail.node.{name}")
    yield from _of(f"{detail}.layer.shffleconv", "encoder.detail.node.shuffle", _BOTH)
    yield from _dense_block(f"{part}.GRDB_module", "encoder.detail.dense")


def _decoder() -> _Pairs:
    yield from _first_block("DIDF_Decoder.encoder_level1.0.", "decoder.transform")
    for layer in (0, 2, 4):
        yield from _of(f"DIDF_Decoder.output.{layer}", f"decoder.read.{layer}")


def _graph() -> _Pairs:
    part, inner = "GraphModel", "GraphModel.graph.graph"
    for slot, source in (("rgb", "a"), ("dep", "b")):
        for k in range(3):
            yield from _of(f"{inner}.ppm_{slot}.convs.{k}.0", f"graph.nodes_{source}.{k}.0")
            yield from _of(f"{inner}.ppm_{slot}.convs.{k}.1", f"graph.nodes_{source}.{k}.1", _NORM)
        messages, ours = f"{inner}.graph_{slot}", f"graph.messages_{source}"
        yield f"{messages}.gamma", f"{ours}.gamma"
        yield from _of(f"{messages}.C_wgt", f"{ours}.edges")
        yield from _of(f"{messages}.ConvGRU.ConvGates", f"{ours}.gates", _BOTH)
        yield from _of(f"{messages}.ConvGRU.Conv_ct", f"{ours}.candidate", _BOTH)
    yield from _of(f"{inner}.C_pa.0", "graph.gate_b")
    yield from _of(f"{inner}.C_pa.1", "graph.gate_a")
    for index, source in ((0, "a"), (1, "b")):
        yield from _of(f"{part}.graph.C_cat.{index}.0", f"graph.merge_{source}.0")
        yield from _of(f"{part}.graph.C_cat.{index}.1", f"graph.merge_{source}.1", _NORM)
    yield from _of(f"{part}.C_cls", "graph.join", _BOTH)


def _fusion_layers() -> _Pairs:
    yield from _first_block("BaseFuseLayer.", "fuse_base", "mlp")
    yield from _dense_block("DetailFuseLayer.GRDB", "fuse_detail.dense")
    for k in (0, 1):
        coupling, ours = f"DetailFuseLayer.net.{k}", f"fuse_detail.couplings.{k}"
        for letter, name in (("r", "scale_b"), ("y", "shift_b"), ("f", "shift_a"), ("p", "scale_a")):
            yield from _bottleneck(f"{coupling}.{letter}", f"{ours}.{name}")
        yield from _of(f"{coupling}.shffleconv", f"{ours}.shuffle", _BOTH)


def smfnet_key_map(base_blocks: int = 2, depth: int = 2) -> dict[str, str]:
    """Official name, "PART.KEY" without prefix, to our name, for every tensor that is used.

    Args:
        base_blocks: Residual blocks of the base branch, 2 in the published network.
        depth: Pairs of transformer blocks in each, 2 in the published network.
    """
    return dict([*_encoder(base_blocks, depth), *_decoder(), *_graph(), *_fusion_layers()])


def unused_shapes() -> dict[str, tuple[int, ...]]:
    """Official name to shape of the tensors that no forward pass of the published network uses."""
    d, half, quarter = 64, 32, 16
    encoder, graph = "DIDF_Encoder.baseFeature", "GraphModel.graph"
    shapes: dict[str, tuple[int, ...]] = {
        f"{encoder}.reduce_channel.weight": (d, 2 * d, 1, 1),
        f"{encoder}.norm.weight": (d,),
        f"{encoder}.norm.bias": (d,),
    }
    layers = ((0, quarter, d, 3), (2, quarter, quarter, 1), (4, d, quarter, 3))
    for index, outputs, inputs, side in layers:
        shapes[f"{encoder}.conv_after_body.{index}.weight"] = (outputs, inputs, side, side)
        shapes[f"{encoder}.conv_after_body.{index}.bias"] = (outputs,)
    for k in (0, 1):
        shapes[f"{graph}.graph.C_ca.{k}.1.weight"] = (half, 2 * d, 1, 1)
        shapes[f"{graph}.graph.C_ca.{k}.3.weight"] = (d, half, 1, 1)
    for k in range(2, 6):
        shapes[f"{graph}.C_cat.{k}.0.weight"] = (d, 3 * d, 3, 3)
        shapes |= {f"{graph}.C_cat.{k}.1.{name}": (d,) for name in _NORM[:-1]}
        shapes[f"{graph}.C_cat.{k}.1.{_NORM[-1]}"] = ()
    shapes |= {f"{graph}.C_cls.weight": (d, 2 * d, 1, 1), f"{graph}.C_cls.bias": (d,)}
    return shapes | {"BaseFuseLayer.reduce_channel.weight": (d, 2 * d, 1, 1)}


def fresh_unused() -> dict[str, Tensor]:
    """Values for the unused tensors as the program would start them; always the same ones."""
    import torch

    generator = torch.Generator().manual_seed(UNUSED_SEED)
    shapes, tensors = unused_shapes(), {}
    for name, shape in shapes.items():
        layer = name.rpartition(".")[0]
        weight = shapes.get(f"{layer}.weight", ())
        if len(weight) == 4:  # a convolution
            bound = torch.Size(weight[1:]).numel() ** -0.5
            tensors[name] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
        elif not shape:
            tensors[name] = torch.zeros(shape, dtype=torch.int64)
        else:
            tensors[name] = torch.full(shape, float(name.endswith(("weight", "running_var"))))
    return tensors


def from_official(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Split a published checkpoint into our state dictionary and the unused tensors.

    Args:
        tensors: By "PART.KEY", as `read_checkpoint` gives them.

    Raises:
        InputError: Naming the first missing or unexpected key.
    """
    names, unused = smfnet_key_map(), unused_shapes()
    check_keys(tensors, [*names, *unused], "SMFNet")
    return {ours: tensors[theirs] for theirs, ours in names.items()}, {name: tensors[name] for name in unused}


def to_official(state: Mapping[str, Tensor], unused: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Our state dictionary with the published names, "PART.KEY".

    Args:
        state: All tensors of an SMFNet of the published size.
        unused: The unused tensors, as `from_official` gave them; None makes fresh ones.

    Raises:
        InputError: Naming the first missing or unexpected key.
    """
    names, unused = smfnet_key_map(), fresh_unused() if unused is None else unused
    check_keys(state, names.values(), "SMFNet")
    check_keys(unused, unused_shapes(), "SMFNet")
    return {theirs: state[ours] for theirs, ours in names.items()} | dict(unused)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read a checkpoint of the published program without running code from it, with or without "module.".

    Returns:
        (tensors by "PART.KEY", SHA-256 of the file).

    Raises:
        InputError: If the file is missing, damaged, holds anything but the five parts, or tries to run code.
    """
    import torch

    content, digest = read_pickle(path)
    tensors: dict[str, Tensor] = {}
    if not isinstance(content, dict) or set(content) != set(PARTS):
        raise InputError(f"{path} does not hold the five parts {', '.join(PARTS)}: save them as the program does.")
    for part in PARTS:
        state = content[part]
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise InputError(f"{path}: {part} is no plain dictionary of tensors: save the part's state_dict.")
        tensors |= {f"{part}.{str(key).removeprefix(PREFIX)}": value for key, value in state.items()}
    return tensors, digest


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], *, overwrite: bool = False) -> None:
    """Write tensors by "PART.KEY" as the published program does, with the prefix, so that it can load them.

    Raises:
        OutputError: If the file exists and `overwrite` is off, or cannot be written.
    """
    import torch

    content: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for name, tensor in tensors.items():
        part, _, key = name.partition(".")
        content[part][f"{PREFIX}{key}"] = tensor.detach().cpu().clone()
    with atomic_path(path, overwrite) as temporary:
        torch.save(content, temporary)


def import_checkpoint(checkpoint: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Convert a checkpoint, five state dictionaries of 334 tensors; see `polyfuse.registry.import_checkpoint`.

    The tensors that the program keeps but never uses are left out; `export_checkpoint` makes new ones.
    """
    tensors, digest = read_checkpoint(checkpoint)
    renamed, _ = from_official(tensors)
    model = SMFNet()
    info = WeightsInfo(
        name="smfnet.imported",
        family="smfnet",
        config=model.config.to_json(),
        rendering="clip",
        rounded_a=True,
        source=f"imported from {checkpoint.name}, SHA-256 {digest}",
        licence="not stated",
    )
    return save_imported(out, model, renamed, info, checkpoint, overwrite=overwrite)


def export_checkpoint(model: SMFNet, weights: Path, out: Path, *, overwrite: bool) -> list[Path]:
    """Write a network of the published size in the program's layout; see `polyfuse.registry.export_checkpoint`.

    The tensors that the program keeps but never uses get the values they would start from.
    """
    state = model.state_dict()
    check_shapes(SMFNet(), state, weights)
    write_checkpoint(out, to_official(state), overwrite=overwrite)
    return [out]
