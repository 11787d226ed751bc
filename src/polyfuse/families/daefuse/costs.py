"""Multiply-accumulates of a DAE-Fuse, from its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from polyfuse.families.daefuse.network import DAEFuse

PASSES = 2
"""Both sources are encoded, and each asks the other."""


def costs(model: DAEFuse) -> dict[str, int]:
    """Multiply-accumulates per pixel of a pair, by part.

    Left out are the keys of the cross attention, which are few, and the attention among tokens, whose cost depends on
    the size of the picture.
    """
    config, found = model.config, {"shallow": PASSES * _weights(_one(model.shallow))}
    if model.high is not None:
        found["high"] = PASSES * _weights(_one(model.high))
    if model.low is not None:
        found["low"] = PASSES * _weights(_one(model.low)) // config.patch**2  # each weight is used once per patch
    found["fusion"] = _weights(model.fusion.gate)
    if model.fusion.cross is not None:
        cross = _one(model.fusion.cross)
        keys = _weights(cross.get_submodule("key"))
        found["fusion"] += PASSES * (_weights(cross) - keys)
        found["attention"] = PASSES * 2 * config.cross_grid**2 * config.channels
    return found | {"decoder": _weights(model.decoder)}


def _one(parts: nn.ModuleDict) -> nn.Module:
    """The part of one modality; all have the same layers."""
    return next(iter(parts.values()))


def _weights(part: nn.Module) -> int:
    """Weights of all convolutions and linear layers of `part`."""
    return sum(layer.weight.numel() for layer in part.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
