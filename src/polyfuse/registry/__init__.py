"""From a name to what it stands for: models, how they are trained, studied and explained.

Cheap to import: what needs PyTorch comes with the first call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from polyfuse.registry.catalogue import FAMILIES, Family, register

if TYPE_CHECKING:
    from polyfuse.registry.loading import (
        CLIP_DEFAULT,
        DEFAULT,
        VOLUME_DEFAULT,
        ModelEntry,
        export_checkpoint,
        import_checkpoint,
        list_models,
        load,
        published,
        read_card,
    )

__all__ = [
    "CLIP_DEFAULT",
    "DEFAULT",
    "FAMILIES",
    "VOLUME_DEFAULT",
    "Family",
    "ModelEntry",
    "export_checkpoint",
    "import_checkpoint",
    "list_models",
    "load",
    "published",
    "read_card",
    "register",
]


def __getattr__(name: str) -> object:
    """Import a name on first use."""
    if name not in __all__:
        raise AttributeError(f"module 'polyfuse.registry' has no attribute {name!r}")
    return getattr(import_module("polyfuse.registry.loading"), name)
