"""Everything an SMFNet found in one pair, in one plain pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from polyfuse.families.smfnet.attention import ChannelAttention
from polyfuse.families.smfnet.config import NUM_NODES
from polyfuse.families.smfnet.detail import GradientDenseBlock
from polyfuse.families.smfnet.graph import MessagePassing
from polyfuse.families.smfnet.network import Features, SMFNetNetwork
from polyfuse.ops.correlation import correlation

BRANCHES = ("base", "detail", "graph")


def explain_pair(model: SMFNetNetwork, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """What `SMFNet.explain` returns, by the names documented there."""
    found: dict[str, Tensor] = {}
    noted: dict[str, list[Tensor]] = defaultdict(list)
    with _attention_noted(model, noted):
        encoded_a = model.encoder(a, lambda name, value: noted["scale_a"].append(value))
        encoded_b = model.encoder(b, lambda name, value: noted["scale_b"].append(value))
        features = model.features(encoded_a, encoded_b, lambda name, value: noted[name].append(value))
        branches = model.branches(features, lambda name, value: noted["scale_fused"].append(value))
        summands = {name: value for name, value in zip(BRANCHES, branches, strict=True) if value is not None}
        found["fused"] = model.finish(model.decoder(_sum(summands)), a, b)
    found |= {"shallow_a": encoded_a.shallow, "shallow_b": encoded_b.shallow}
    found |= {f"fused_{name}": value for name, value in summands.items()}
    for name in summands:
        rest = {other: value for other, value in summands.items() if other != name}
        found[f"without_{name}"] = model.finish(model.decoder(_sum(rest)), a, b)
    found |= {f"reconstructed_{source}": model.decoder(features.of(source)) for source in "ab"}
    found |= _compared(features)
    found |= {"scale_a": noted.pop("scale_a")[0], "scale_b": noted.pop("scale_b")[0]}
    found["scale_fused"] = torch.stack(noted.pop("scale_fused"), dim=1)
    if model.graph is not None:
        found |= _graph_gates(noted, model.graph.messages_a, model.graph.messages_b)
    return found | _attention(model, noted) | _gradients(model)


def _sum(summands: dict[str, Tensor]) -> Tensor:
    """All of them, at least one, added up."""
    return reduce(torch.add, summands.values())


@contextmanager
def _attention_noted(model: nn.Module, noted: dict[str, list[Tensor]]) -> Iterator[None]:
    """Put down the matrices of every attention under "attention.PLACE", call by call."""

    def note(place: str, attend: ChannelAttention, maps: tuple[Tensor, ...]) -> None:
        noted[f"attention.{place}"].append(attend.matrices(maps[0], maps[1]))

    def hook(place: str) -> Any:
        return lambda attend, maps, _: note(place, attend, maps)

    handles = [attend.register_forward_hook(hook(place)) for place, attend in _attentions(model)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attentions(model: nn.Module) -> Iterator[tuple[str, ChannelAttention]]:
    """Every attention of the model with its place, e.g. "encoder.base.blocks.0.pairs.1.0.attention"."""
    for name, module in model.named_modules():
        if isinstance(module, ChannelAttention):
            yield name.removesuffix(".attend"), module


def _attention(model: nn.Module, noted: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """Matrices and temperatures of every attention."""
    found = {}
    for place, attend in _attentions(model):
        found[f"attention.{place}"] = torch.stack(noted[f"attention.{place}"], dim=1)
        found[f"temperature.{place}"] = attend.temperature.detach().flatten()
    return found


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    """What has become of the kernels that began as Sobel's."""
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, GradientDenseBlock)}
    return {
        f"gradient.{name}": torch.stack([block.sobel_x.weight, block.sobel_y.weight]).detach()[:, :, 0]
        for name, block in blocks.items()
    }


def _compared(features: Features) -> dict[str, Tensor]:
    """The features of each branch, and how they correlate between the sources."""
    found: dict[str, Tensor] = {}
    pairs = ((features.base_a, features.base_b), (features.detail_a, features.detail_b))
    for name, pair in zip(BRANCHES, (*pairs, (features.graph_a, features.graph_b)), strict=True):
        if pair[0] is not None and pair[1] is not None:
            found |= {f"{name}_a": pair[0], f"{name}_b": pair[1]}
            found[f"correlation_{name}"] = correlation(pair[0], pair[1], per_sample=True)
    return found


def _graph_gates(noted: dict[str, list[Tensor]], *messages: MessagePassing) -> dict[str, Tensor]:
    """Gates of exchange and messages, (N, rounds, nodes, ...)."""
    found: dict[str, Tensor] = {}
    for source, passing in zip("ab", messages, strict=True):
        for name in ("exchange", "edge", "update"):
            values = noted[f"{name}_{source}"]
            if values:
                gates = torch.stack(values, dim=1).unflatten(1, (-1, NUM_NODES))
                found[f"{name}_{source}"] = gates.mean(dim=(-3, -2, -1)) if name == "update" else gates
        found[f"gamma_{source}"] = passing.gamma.detach()
    return found
