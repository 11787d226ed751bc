"""What DAE-Fuse computes on the way to a fused picture: numbers for the monitors of training, maps to look at."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.daefuse.config import SOURCES
from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.ops.frequencies import share_above

DETAIL_FREQUENCY = 1 / 16
"""Cycles per pixel above which the low-frequency encoder can carry nothing."""


def attention_statistics(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """What `DAEFuse.attention_statistics` returns, by the names documented there."""
    frame = model.frame(a)
    embeddings = model.encode(frame.pad(a), "a"), model.encode(frame.pad(b), "b")
    statistics: dict[str, Tensor] = {}
    shifts = model.fusion.shifts(*embeddings)
    for name, evidence in model.fusion.evidence(*embeddings).items():
        shift, embedding = (pair[SOURCES.index(name)] for pair in (shifts, embeddings))
        statistics[f"entropy_{name}"] = evidence.entropy.mean()
        statistics[f"contribution_{name}"] = torch.linalg.vector_norm(shift) / torch.linalg.vector_norm(embedding)
    return statistics


def explain_pair(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """What `DAEFuse.explain` returns, by the names documented there."""
    frame = model.frame(a)
    embeddings = model.encode(frame.pad(a), "a"), model.encode(frame.pad(b), "b")
    results: dict[str, Tensor] = {}
    for name, picture, embedding in zip(SOURCES, (a, b), embeddings, strict=True):
        results |= {f"{key}_{name}": frame.crop(value) for key, value in _decodings(model, embedding).items()}
        results[f"error_{name}"] = results[f"reconstructed_{name}"] - picture
        results |= {f"{key}_{name}": value for key, value in _bands(model, embedding).items()}
    for name, evidence in model.fusion.evidence(*embeddings).items():
        relative = evidence.received * evidence.received[0].numel()
        size = evidence.entropy.shape[-2:]
        results[f"received_{name}"] = frame.crop(functional.interpolate(relative, size, mode="bilinear"))
        results[f"entropy_{name}"] = frame.crop(evidence.entropy)
    merged, shifts = model.merge(*embeddings), _shifts(model, *embeddings)
    results |= {f"shift_{key}": frame.crop(_length(value)) for key, value in shifts.items()}
    results["fused"] = model.finish(frame.crop(model.decode(merged)), a, b)
    return results


def _decodings(model: DAEFuseNetwork, embedding: Tensor) -> dict[str, Tensor]:
    """The reconstruction (N, 1, H, W); with two branches also detail, base and the remainder, its summands."""
    decodings = {"reconstructed": model.decode(embedding)}
    if model.config.branches == "both":
        high, low = embedding.split([model.config.high_width, model.config.low_width], dim=1)
        nothing = model.decode(torch.zeros_like(embedding))
        decodings["detail"] = model.decode(torch.cat([high, torch.zeros_like(low)], dim=1)) - nothing
        decodings["base"] = model.decode(torch.cat([torch.zeros_like(high), low], dim=1)) - nothing
        decodings["remainder"] = decodings["reconstructed"] - decodings["detail"] - decodings["base"] - nothing
    return decodings


def _bands(model: DAEFuseNetwork, embedding: Tensor) -> dict[str, Tensor]:
    """Share of energy above `DETAIL_FREQUENCY` in the channels of either branch, (N,)."""
    parts = embedding.to(model.decoder.write.weight.dtype).split(
        [model.config.high_width, model.config.low_width], dim=1
    )
    return {
        f"band_{name}": share_above(part, DETAIL_FREQUENCY)
        for name, part in zip(("high", "low"), parts, strict=True)
        if part.shape[1]
    }


def _shifts(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """How the fused embedding differs from the mean of both: by cross attention and by the merge gate."""
    shift_a, shift_b = model.fusion.shifts(a, b)
    cross = (shift_a + shift_b) / 2
    return {"cross": cross, "merge": model.merge(a, b) - (a + b) / 2 - cross}


def _length(shift: Tensor) -> Tensor:
    """Norm over the channels of each pixel, (N, 1, H, W)."""
    length: Tensor = torch.linalg.vector_norm(shift, dim=1, keepdim=True)
    return length
