"""Checkpoints that others published: what is known of them, and how they become weights of ours.

A wing states the facts of its checkpoint as a `Published` and imports it in two steps: `read_published`, as data and
without running code from it, and `save_published`, once its keys are exactly the published ones. None of these
checkpoints comes with polyfuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polyfuse.errors import InputError
from polyfuse.io.atomic import check_all_apart
from polyfuse.weights.pickles import read_state
from polyfuse.weights.store import WeightsInfo, save_imported

if TYPE_CHECKING:
    from torch import Tensor, nn

COUNTER = "num_batches_tracked"
"""Entry of a batch normalisation that nothing reads; files of an old PyTorch lack it."""


@dataclass(frozen=True)
class Published:
    """What is known of the checkpoint of one network."""

    name: str
    """The network's name as its authors write it, e.g. "SeAFusion"."""
    family: str
    """Name of the family."""
    files: tuple[str, ...]
    """Names of the files that together hold one network."""
    sha256: tuple[str, ...]
    """Of these files."""
    where: str
    """Where its authors have them."""
    licence: str
    """As stated there."""
    licensed: bool
    """Whether a licence is stated for these very files."""
    paper: str
    """The publication."""
    layers: Mapping[str, str]
    """Published name to our name of every layer; a layer is all before the last dot of a key."""
    unused: tuple[str, ...] = ()
    """Published keys of tensors that no forward pass uses; they have to be there and are left out."""
    rendering: str = "safe"
    """How colour is put back by default, see `WeightsInfo`."""

    @property
    def label(self) -> str:
        """The files in words."""
        return ", ".join(self.files)

    @property
    def command(self) -> str:
        """The command that imports them."""
        given = self.files[0] if len(self.files) == 1 else "FOLDER"
        return f"polyfuse models import {self.family} {given} -o {self.family}.safetensors"

    @property
    def note(self) -> str | None:
        """What a user should know about the right to use them; None where a licence is stated."""
        if self.licensed:
            return None
        return f"licence of the weights of {self.name}: {self.licence}: compare with them, do not pass them on"

    def to_json(self) -> dict[str, object]:
        """Plain dictionary for `models show`."""
        return {
            "files": list(self.files),
            "where": self.where,
            "licence": self.licence,
            "import": self.command,
        }


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What was read of the files of one network."""

    tensors: Mapping[str, Tensor]
    """By published key."""
    paths: tuple[Path, ...]
    """The files."""
    sha256: tuple[str, ...]
    """Of the files."""


def read_published(checkpoint: Path, files: tuple[str, ...]) -> Checkpoint:
    """Read a checkpoint of one file or several as data.

    Args:
        checkpoint: The file, whatever its name; or the folder that holds `files`.
        files: Names of the published files.

    Raises:
        InputError: If a file is missing, damaged, holds anything but tensors, or tries to run code; or a network of
            several files is given as one.
    """
    if not checkpoint.is_dir() and len(files) > 1 and checkpoint.exists():
        raise InputError(f"{checkpoint} is one of {len(files)} files: give the folder with {', '.join(files)}.")
    paths = tuple(checkpoint / name for name in files) if checkpoint.is_dir() or len(files) > 1 else (checkpoint,)
    tensors: dict[str, Tensor] = {}
    digests = []
    for path in paths:
        state, digest = read_state(path)
        for key in tensors.keys() & state.keys():
            raise InputError(f"{path} holds {key}, which another file holds too: take the published files.")
        tensors |= state
        digests.append(digest)
    return Checkpoint(tensors, paths, tuple(digests))


def save_published(
    published: Published, model: nn.Module, checkpoint: Checkpoint, out: Path, *, overwrite: bool
) -> list[Path]:
    """Write a published checkpoint as weights of ours, with a card beside them.

    Args:
        published: What is known of it.
        model: A fresh network of the published size, with the configuration to be written.
        checkpoint: What was read.
        out: The safetensors file; the card gets the same name with `.md`.
        overwrite: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        InputError: Naming the first key that is missing or unexpected, or a tensor that does not fit.
        OutputError: If a file exists, is the checkpoint, or cannot be written.
    """
    known = checkpoint.sha256 == published.sha256
    label = ", ".join(path.name for path in checkpoint.paths)
    origin = f", as published ({published.paper})" if known else f", in the layout of {published.name}"
    info = WeightsInfo(
        name=f"{published.name.lower()}.{'official' if known else 'imported'}",
        family=published.family,
        config=model.configuration(),  # type: ignore[operator]  # a FusionModel, which this room does not know
        rendering=published.rendering,
        source=f"imported from {label}, SHA-256 {', '.join(checkpoint.sha256)}{origin}; {published.where}",
        licence=published.licence if known else "not stated",
    )
    check_all_apart((out, out.with_suffix(".md")), checkpoint.paths)
    renamed = renamed_tensors(published, model.state_dict(), checkpoint.tensors)
    return save_imported(out, model, renamed, info, checkpoint.paths[0], overwrite=overwrite)


def published_names(published: Published, ours: Iterable[str]) -> dict[str, str]:
    """Published key to our key of every tensor of our network that a checkpoint holds."""
    theirs = {our_layer: layer for layer, our_layer in published.layers.items()}
    names = {}
    for name in ours:
        layer, _, entry = name.rpartition(".")
        names[f"{theirs[layer]}.{entry}"] = name
    return names


def renamed_tensors(
    published: Published, ours: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a checkpoint by our names.

    Args:
        published: Its layout.
        ours: State of our network.
        tensors: Those of the checkpoint.

    Raises:
        InputError: Naming the first missing or unexpected key.
    """
    names = published_names(published, ours)
    spare = {key: ours[name] for key, name in names.items() if key.endswith(COUNTER)}
    tensors = spare | dict(tensors)
    check_keys(tensors, [*names, *published.unused], published.name)
    return {name: tensors[key] for key, name in names.items()}


def check_keys(tensors: Iterable[str], expected: Iterable[str], layout: str) -> None:
    """Refuse a checkpoint with other keys than those expected.

    Args:
        tensors: Keys of the checkpoint.
        expected: Keys that it should have, all of them and no others.
        layout: Whose layout it should have, for the message.

    Raises:
        InputError: Naming the first missing key, or else the first unexpected one.
    """
    given, wanted = dict.fromkeys(tensors), dict.fromkeys(expected)
    missing = [key for key in wanted if key not in given]
    unexpected = [str(key) for key in given if key not in wanted]
    if missing or unexpected:
        what = f"lacks {missing[0]}" if missing else f"has the unexpected key {unexpected[0]}"
        raise InputError(f"the checkpoint {what}: it is not the published {layout} layout of {len(wanted)} tensors.")
