"""Parts that all modalities share, or that each has for itself."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

ALL = "all"
SOURCES = ("a", "b")


def per_source(build: Callable[[], nn.Module], *, shared: bool) -> nn.ModuleDict:
    """One part under "all", or one under the name of each modality."""
    return nn.ModuleDict({name: build() for name in ((ALL,) if shared else SOURCES)})


def of_source(parts: nn.ModuleDict, source: str) -> nn.Module:
    """The part that serves `source`."""
    return parts[ALL if ALL in parts else source]
