"""All intermediate results of SMFNet for one pair, from one pass of the plain modules."""

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
    results: dict[str, Tensor] = {}
    noted: dict[str, list[Tensor]] = defaultdict(list)
    with _attention_noted(model, noted):
        encoded_a = model.encoder(a, lambda name, value: noted["scale_a"].append(value))
        encoded_b = model.encoder(b, lambda name, value: noted["scale_b"].append(value))
        features = model.features(encoded_a, encoded_b, lambda name, value: noted[name].append(value))
        branches = model.branches(features, lambda name, value: noted["scale_fused"].append(value))
        summands = {name: value for name, value in zip(BRANCHES, branches, strict=True) if value is not None}
        results["fused"] = model.finish(model.decoder(_sum(summands)), a, b)
    results |= {"shallow_a": encoded_a.shallow, "shallow_b": encoded_b.shallow}
    results |= {f"fused_{name}": value for name, value in summands.items()}
    for name in summands:
        rest = {other: value for other, value in summands.items() if other != name}
        results[f"without_{name}"] = model.finish(model.decoder(_sum(rest)), a, b)
    results |= {f"reconstructed_{source}": model.decoder(features.of(source)) for source in "ab"}
    results |= _compared(features)
    results |= {"scale_a": noted.pop("scale_a")[0], "scale_b": noted.pop("scale_b")[0]}
    results["scale_fused"] = torch.stack(noted.pop("scale_fused"), dim=1)
    if model.graph is not None:
        results |= _graph_gates(noted, model.graph.messages_a, model.graph.messages_b)
    return results | _attention(model, noted) | _gradients(model)


@torch.no_grad()
def feature_correlations(model: SMFNetNetwork, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """cc_B, cc_D and, with the graph, cc_G of each pair, (N,), by branch; neither fused nor decoded."""
    compared = _compared(model.features(model.encoder(a), model.encoder(b)))
    found = ((branch, compared.get(f"correlation_{branch}")) for branch in BRANCHES)
    return {branch: value for branch, value in found if value is not None}


def _sum(summands: dict[str, Tensor]) -> Tensor:
    """Sum of at least one feature."""
    return reduce(torch.add, summands.values())


@contextmanager
def _attention_noted(model: nn.Module, noted: dict[str, list[Tensor]]) -> Iterator[None]:
    """Inside, each call of an attention appends its matrices to `noted["attention.PLACE"]`."""

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
    results = {}
    for place, attend in _attentions(model):
        results[f"attention.{place}"] = torch.stack(noted[f"attention.{place}"], dim=1)
        results[f"temperature.{place}"] = attend.temperature.detach().flatten()
    return results


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    """Kernels of the gradient convolutions, which started as Sobel's, by "gradient.PLACE"."""
    blocks = {name: module for name, module in model.named_modules() if isinstance(module, GradientDenseBlock)}
    return {
        f"gradient.{name}": torch.stack([block.sobel_x.weight, block.sobel_y.weight]).detach()[:, :, 0]
        for name, block in blocks.items()
    }


def _compared(features: Features) -> dict[str, Tensor]:
    """The features of each branch, and how they correlate between the sources."""
    results: dict[str, Tensor] = {}
    pairs = ((features.base_a, features.base_b), (features.detail_a, features.detail_b))
    for name, pair in zip(BRANCHES, (*pairs, (features.graph_a, features.graph_b)), strict=True):
        if pair[0] is not None and pair[1] is not None:
            results |= {f"{name}_a": pair[0], f"{name}_b": pair[1]}
            results[f"correlation_{name}"] = correlation(pair[0], pair[1], per_sample=True)
    return results


def _graph_gates(noted: dict[str, list[Tensor]], *messages: MessagePassing) -> dict[str, Tensor]:
    """Gates of exchange and messages, (N, rounds, nodes, ...), and gamma, by the names in `SMFNet.explain`."""
    results: dict[str, Tensor] = {}
    for source, passing in zip("ab", messages, strict=True):
        for name in ("exchange", "edge", "update"):
            values = noted[f"{name}_{source}"]
            if values:
                gates = torch.stack(values, dim=1).unflatten(1, (-1, NUM_NODES))
                results[f"{name}_{source}"] = gates.mean(dim=(-3, -2, -1)) if name == "update" else gates
        results[f"gamma_{source}"] = passing.gamma.detach()
    return results
