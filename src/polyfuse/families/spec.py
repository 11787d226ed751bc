"""What every model declares about itself, so that `fusion` can pad, tile and colour without knowing it."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn

from polyfuse.errors import InputError, UsageError
from polyfuse.families.facts import ModelSpec, OutputMapping, Provenance
from polyfuse.ops.precision import Precision

__all__ = [
    "FusionModel",
    "ModelSpec",
    "Observer",
    "OutputMapping",
    "Provenance",
    "Windows",
    "check_fields",
    "check_pair",
]

Observer = Callable[[str, Tensor], None]
"""Called with the documented name and the value of one intermediate result, which the model does not keep."""
Windows = Callable[[], Iterator[tuple[Tensor, Tensor, tuple[slice, slice]]]]
"""Each call goes over all tiles of one picture. A tile is a and b, (1, 1, h, w), and the rows and columns of it that
belong to no other tile; together these parts are the picture."""
MOST_UNITS = 4096
"""Largest whole number in a configuration, where no smaller one is stated."""
LONGEST_TEXT = 64
"""Characters of a text in a configuration, all of which are names of choices."""


def check_fields(config: Any, **most: int) -> None:
    """Refuse values of a configuration that are of a wrong type, not finite, or larger than any network has.

    Configurations come from files of unknown origin too: nothing is built before this. What a text of up to
    `LONGEST_TEXT` characters may be is left to the configuration.

    Args:
        config: A dataclass, from its `__post_init__`.
        most: Largest whole number of a field, or of its entries; `MOST_UNITS` for those not named.

    Raises:
        UsageError: Naming the field.
    """
    hints = get_type_hints(type(config))
    for field in fields(config):
        value, largest = getattr(config, field.name), most.get(field.name, MOST_UNITS)
        if not _is_of(value, hints[field.name], largest):
            text = repr(value) if not isinstance(value, int) or abs(value) < 2**63 else "a number of many digits"
            raise UsageError(f"{field.name} is {text[:60]}, of a wrong type or beyond {largest}: correct it.")


def _is_of(value: Any, hint: Any, most: int) -> bool:
    """Whether `value` is of the type `hint`, and no number in it is beyond `most` or not finite."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_is_of(value, argument, most) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and len(value) <= 16 and all(_is_of(v, arguments[0], most) for v in value)
    if hint is float:
        return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) < 2**63)
    if hint is int:
        return type(value) is int and abs(value) <= most
    if hint is str or origin is Literal:
        return isinstance(value, str) and len(value) <= LONGEST_TEXT
    return isinstance(value, hint)


class FusionModel(nn.Module):
    """What every model is, learned or classic: `forward(a, b) -> fused`, all (N, 1, H, W)."""

    provenance: Provenance = Provenance("unnamed")
    precision: Precision | None = None
    """Arithmetic of the model; None where there is no choice."""
    config: Any
    """Frozen dataclass with `to_json`; methods without options have none."""
    choices: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Options of `config` that may be changed once the weights are loaded, and the values each may have."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        raise NotImplementedError

    @property
    def works_in_parts(self) -> bool:
        """Whether `forward`, without gradients, is nearly all work in parts: its caller lends it PyTorch's threads.

        See `polyfuse.ops.threads`; results are the same either way.
        """
        return False

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> FusionModel:
        """A fresh model of a configuration as `configuration` returns it; methods without one take none."""
        return cls()

    def configuration(self) -> dict[str, Any]:
        """The configuration as plain JSON values, as weights files hold it; empty for methods without one."""
        config = getattr(self, "config", None)
        return {} if config is None else config.to_json()

    def reconfigure(self, changes: Mapping[str, Any]) -> None:
        """Change options of a model that is loaded.

        Args:
            changes: Options by name with their new values, or these as texts; `choices` lists what is allowed.

        Raises:
            UsageError: If the model has no such option, or it cannot have that value.
        """
        known = [f"{name}={value}" for name, values in self.choices.items() for value in values]
        for name in changes:
            if name not in self.choices:
                advice = f"use {' or '.join(known)}" if known else "drop it"
                raise UsageError(f"model {self.provenance.name} has no choice of {name}: {advice}.")
            if str(changes[name]) not in map(str, self.choices[name]):
                allowed = " or ".join(map(str, self.choices[name]))
                raise UsageError(f"{name} cannot be {changes[name]!r}: use {allowed}.")
        chosen = {
            name: next(value for value in self.choices[name] if str(value) == str(given))
            for name, given in changes.items()
        }
        if chosen:
            self.config = replace(self.config, **chosen)

    @property
    def device(self) -> torch.device:
        """Where the model computes: the device of its parameters; the CPU for a model without any."""
        parameter = next(self.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers the model takes: that of its parameters; float32 for a model without any."""
        parameter = next(self.parameters(), None)
        return torch.float32 if parameter is None else parameter.dtype

    def surveyed(self, windows: Windows) -> FusionModel:
        """Prepare to fuse the tiles of one picture.

        Args:
            windows: The tiles.

        Returns:
            A model of the same weights in which all that depends on the whole picture is measured and fixed; this model
            itself where nothing does.
        """
        return self

    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """Intermediate results by documented name; models without any return the fused picture alone.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Called with each result that is too large to keep, once it is there; None: these are returned too.
        """
        return {"fused": self(a, b)}


def check_pair(a: Tensor, b: Tensor) -> None:
    """Refuse anything but two (N, 1, H, W) tensors of one shape.

    Raises:
        InputError: Naming both shapes.
    """
    if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 1:
        raise InputError(
            f"the model got a {tuple(a.shape)} and b {tuple(b.shape)}: pass two (N, 1, H, W) tensors of one shape."
        )
