"""What a DAE-Fuse found in one pair: numbers for the monitors of training, pictures for the eye."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from polyfuse.models.dae_fuse.cross_attention import Evidence
from polyfuse.models.dae_fuse.sources import SOURCES, of_source

if TYPE_CHECKING:
    from polyfuse.models.dae_fuse.network import DAEFuse


def attention_statistics(model: DAEFuse, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """What `DAEFuse.attention_statistics` returns, by the names documented there."""
    frame = model.frame(a)
    embeddings = model.encode(frame.pad(a), "a"), model.encode(frame.pad(b), "b")
    found: dict[str, Tensor] = {}
    shifts = model.fusion.shifts(*embeddings)
    for name, evidence, shift, embedding in zip(
        SOURCES, _evidence(model, *embeddings), shifts, embeddings, strict=False
    ):
        found[f"entropy_{name}"] = evidence.entropy.mean()
        found[f"contribution_{name}"] = torch.linalg.vector_norm(shift) / torch.linalg.vector_norm(embedding)
    return found


def _evidence(model: DAEFuse, a: Tensor, b: Tensor) -> list[Evidence]:
    """Where a looks in b, and b in a; empty without cross attention."""
    cross = model.fusion.cross
    if cross is None:
        return []
    return [of_source(cross, "a").evidence(a, b), of_source(cross, "b").evidence(b, a)]
