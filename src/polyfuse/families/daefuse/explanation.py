"""What a DAE-Fuse found in one pair: numbers for the monitors of training, pictures for the eye."""

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
    found: dict[str, Tensor] = {}
    shifts = model.fusion.shifts(*embeddings)
    for name, evidence in model.fusion.evidence(*embeddings).items():
        shift, embedding = (pair[SOURCES.index(name)] for pair in (shifts, embeddings))
        found[f"entropy_{name}"] = evidence.entropy.mean()
        found[f"contribution_{name}"] = torch.linalg.vector_norm(shift) / torch.linalg.vector_norm(embedding)
    return found


def explain_pair(model: DAEFuseNetwork, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """What `DAEFuse.explain` returns, by the names documented there."""
    frame = model.frame(a)
    embeddings = model.encode(frame.pad(a), "a"), model.encode(frame.pad(b), "b")
    found: dict[str, Tensor] = {}
    for name, picture, embedding in zip(SOURCES, (a, b), embeddings, strict=True):
        found |= {f"{key}_{name}": frame.crop(value) for key, value in _decodings(model, embedding).items()}
        found[f"error_{name}"] = found[f"reconstructed_{name}"] - picture
        found |= {f"{key}_{name}": value for key, value in _bands(model, embedding).items()}
    for name, evidence in model.fusion.evidence(*embeddings).items():
        relative = evidence.received * evidence.received[0].numel()
        size = evidence.entropy.shape[-2:]
        found[f"received_{name}"] = frame.crop(functional.interpolate(relative, size, mode="bilinear"))
        found[f"entropy_{name}"] = frame.crop(evidence.entropy)
    merged, shifts = model.merge(*embeddings), _shifts(model, *embeddings)
    found |= {f"shift_{key}": frame.crop(_length(value)) for key, value in shifts.items()}
    found["fused"] = model.finish(frame.crop(model.decode(merged)), a, b)
    return found


def _decodings(model: DAEFuseNetwork, embedding: Tensor) -> dict[str, Tensor]:
    """The reconstruction, and what it is made of where there are two branches."""
    found = {"reconstructed": model.decode(embedding)}
    if model.config.branches == "both":
        high, low = embedding.split([model.config.high_width, model.config.low_width], dim=1)
        nothing = model.decode(torch.zeros_like(embedding))
        found["detail"] = model.decode(torch.cat([high, torch.zeros_like(low)], dim=1)) - nothing
        found["base"] = model.decode(torch.cat([torch.zeros_like(high), low], dim=1)) - nothing
        found["remainder"] = found["reconstructed"] - found["detail"] - found["base"] - nothing
    return found


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
