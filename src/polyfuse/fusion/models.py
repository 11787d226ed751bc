"""What can fuse: a model in PyTorch, or one that was exported and runs without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from polyfuse.engines import ExportedModel
    from polyfuse.families.spec import FusionModel

Model: TypeAlias = "FusionModel | ExportedModel"
