"""Reading and writing polyfuse weights: one safetensors file whose metadata describes it.

The metadata key "polyfuse" holds a JSON document, `WeightsInfo`. Its `content_sha256` covers names, shapes and bytes of
all tensors, so that damage is noticed even where the container does not notice it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyfuse.errors import InputError, UsageError
from polyfuse.io.atomic import atomic_path, check_apart, check_free, write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import read_bytes_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

FORMAT_VERSION = 1
MAX_BYTES = 1 << 31
"""Largest file of weights that is read; ours have 2 MB at most."""
_LONGEST_NAME = 200


@dataclass(frozen=True)
class WeightsInfo:
    """What a weights file says about itself."""

    name: str
    """Registry name it was made for, e.g. "fnet.road"."""
    family: str
    """Model family, e.g. "fnet"."""
    config: dict[str, Any]
    """The family's configuration as JSON; the network is built from it."""
    luma: str = "full"
    """Luma convention of b in training: "full" or "studio"."""
    rendering: str = "safe"
    """How colour is added to the fused luma by default: "safe", "clip" or "official"."""
    rounded_a: bool = False
    """Whether a colour picture a becomes grey in whole levels of 8 bits, as the published SMFNet program has it."""
    source: str = ""
    """Data, recipe and authors in one or two sentences."""
    licence: str = ""
    """What is known about the right to use the weights."""
    content_sha256: str = ""
    """SHA-256 over all tensors; filled in by `save_weights`."""
    format_version: int = FORMAT_VERSION
    """Version of this document."""


def content_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over name, shape, dtype and bytes of every tensor, in the order of their names."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())  # NumPy knows no bfloat16
    return digest.hexdigest()


def save_weights(
    path: Path, tensors: Mapping[str, Tensor], info: WeightsInfo, *, overwrite: bool = False
) -> WeightsInfo:
    """Write `tensors` and `info` to `path` atomically; returns `info` with its checksum filled in.

    Raises:
        OutputError: If the file exists and `overwrite` is off, or cannot be written.
    """
    from safetensors.torch import save

    info = replace(info, content_sha256=content_sha256(tensors))
    # Cloned: safetensors refuses tensors that share memory, as tied weights do.
    flat = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    content = save(flat, metadata={"polyfuse": json.dumps(asdict(info))})
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(content)
    return info


def load_weights(path: Path, *, expected_sha256: str | None = None) -> tuple[dict[str, Tensor], WeightsInfo, str]:
    """Read a polyfuse weights file.

    Args:
        path: A safetensors file written by `save_weights`.
        expected_sha256: Hash of the whole file, where a manifest states one.

    Returns:
        (tensors, info, SHA-256 of the file).

    Raises:
        InputError: If the file is missing, no polyfuse weights file, damaged, or not the one expected.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = read_bytes_of(path, MAX_BYTES, what="weights file")
    digest = hashlib.sha256(content).hexdigest()
    if expected_sha256 is not None and digest != expected_sha256:
        raise InputError(
            f"{path} has SHA-256 {digest[:12]}..., not {expected_sha256[:12]}...: it is damaged, reinstall polyfuse."
        )
    try:
        info = _read_info(content)
        tensors = load(content)
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{path} is no polyfuse weights file: convert checkpoints with `polyfuse models import`."
        ) from error
    if content_sha256(tensors) != info.content_sha256:
        raise InputError(f"{path} does not match its own checksum: get a fresh copy, its tensors are damaged.")
    return tensors, info, digest


def _read_info(content: bytes) -> WeightsInfo:
    """The `WeightsInfo` in the header of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    header = parse_json(content[8 : 8 + length])
    values = parse_json(header["__metadata__"]["polyfuse"])
    if values.get("format_version") != FORMAT_VERSION:
        raise ValueError("unknown format version")
    info = WeightsInfo(**values)
    for field in fields(info):
        kind = dict if field.name == "config" else type(field.default) if field.default is not MISSING else str
        if type(getattr(info, field.name)) is not kind:
            raise TypeError(f"{field.name} is of a wrong type")
    for text in (info.name, info.family, info.luma, info.rendering):  # they stand in messages
        if len(text) > _LONGEST_NAME or not text.isprintable():
            raise ValueError("a name is no line of some words")
    return info


def card(info: WeightsInfo, num_values: int, file_name: str) -> str:
    """A model card in Markdown for weights described by `info`."""
    return "\n".join(
        [
            f"# {info.name}",
            "",
            "| | |",
            "|---|---|",
            f"| file | `{file_name}` |",
            f"| family | {info.family} |",
            f"| values | {num_values:,} |",
            f"| tensors' SHA-256 | `{info.content_sha256}` |",
            f"| luma of b | {info.luma} range |",
            f"| colour put back | {info.rendering} |",
            f"| source | {info.source} |",
            f"| licence | {info.licence} |",
            f"| configuration | `{json.dumps(info.config)}` |",
            "",
        ]
    )


def save_imported(
    out: Path, model: nn.Module, tensors: Mapping[str, Tensor], info: WeightsInfo, source: Path, *, overwrite: bool
) -> list[Path]:
    """Write the tensors of a published checkpoint and a card beside them, once they fit the network.

    Args:
        out: The safetensors file to write; the card gets the same name with `.md`.
        model: A fresh network of the published size.
        tensors: Those of the checkpoint, by the network's names.
        info: Description of the weights.
        source: The checkpoint, for messages.
        overwrite: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        UsageError: If the weights would have the name of the card.
        InputError: If a tensor has another shape than the network's, no values that can be read, or NaN or infinity.
        OutputError: If a file exists, is the checkpoint, or cannot be written.
    """
    check_shapes(model, tensors, source)
    own = model.state_dict()
    tensors = {name: _imported(tensor, own[name].dtype, f"{source}: {name}") for name, tensor in tensors.items()}
    card_path = out.with_suffix(".md")
    if card_path == out:
        raise UsageError(f"{out} is the name of the card: name a .safetensors file.")
    for path in (out, card_path):
        check_apart(path, [source])
    check_free(card_path, overwrite=overwrite)
    info = save_weights(out, tensors, info, overwrite=overwrite)
    num_values = sum(value.numel() for value in model.parameters())
    write_text(card_path, card(info, num_values, out.name), overwrite=overwrite)
    return [out, card_path]


def _imported(tensor: Tensor, dtype: torch.dtype, name: str) -> Tensor:
    """A tensor of a checkpoint in the network's type; floats of another precision are converted.

    Raises:
        InputError: If its values cannot be read or are no finite numbers of that kind.
    """
    import torch

    if tensor.is_meta or tensor.is_quantized or tensor.is_nested or tensor.layout != torch.strided:
        raise InputError(f"{name} is a meta, quantised, sparse or nested tensor: save plain tensors with their values.")
    if tensor.dtype != dtype and not (tensor.is_floating_point() and dtype.is_floating_point):
        raise InputError(f"{name} holds {tensor.dtype} values, not {dtype}: save the weights as they were trained.")
    values = tensor.detach().cpu().to(dtype)
    if dtype.is_floating_point and not bool(values.isfinite().all()):
        raise InputError(f"{name} holds NaN or infinity: take a checkpoint from before the training broke down.")
    return values


def check_fit(model: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Refuse tensors that are not the network's: others, fewer, of another shape, or of a type it cannot take.

    Args:
        model: A network; it may be on the device "meta", where it takes no memory.
        tensors: What a weights file holds.
        source: The file, for messages.

    Raises:
        InputError: Naming the first such tensor.
    """
    import torch

    own, problem = model.state_dict(), None
    taken = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64)
    names = sorted(own.keys() ^ tensors.keys())
    if names:
        problem = f"{names[0]} is {'missing' if names[0] in own else 'none of its tensors'}"
    for name in own.keys() & tensors.keys():
        if tensors[name].shape != own[name].shape:
            problem = f"{name} has shape {tuple(tensors[name].shape)}, not {tuple(own[name].shape)}"
        elif tensors[name].dtype not in taken:
            problem = f"{name} is of {tensors[name].dtype}"
    if problem is not None:
        raise InputError(f"{source} does not fit its own configuration ({problem}): get a fresh copy.")


def check_shapes(model: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Refuse tensors of other shapes than the network's.

    Raises:
        InputError: Naming the first such tensor.
    """
    for name, own in model.state_dict().items():
        if name in tensors and not tensors[name].is_nested and tensors[name].shape != own.shape:
            raise InputError(f"{source}: {name} has shape {tuple(tensors[name].shape)}, not {tuple(own.shape)}.")
