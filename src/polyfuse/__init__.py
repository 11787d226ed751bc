"""Multi-modal image fusion: one picture out of an infrared and a visible one, or of an MRI and a PET.

    import polyfuse
    fused = polyfuse.fuse("ir.png", "vis.png")
    fused.save("fused.png")

Importing this package is cheap: PyTorch and NumPy come with the first call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from polyfuse._version import __version__
from polyfuse.errors import needing_torch

if TYPE_CHECKING:
    from polyfuse.comparison import ComparePage, compare
    from polyfuse.engines import load_exported
    from polyfuse.evaluation import Evaluation, evaluate
    from polyfuse.fusion import FuseOptions, Result, fuse
    from polyfuse.registry import list_models, load
    from polyfuse.video import ClipOptions, ClipResult, fuse_clip

__all__ = [
    "ClipOptions",
    "ClipResult",
    "ComparePage",
    "Evaluation",
    "FuseOptions",
    "Result",
    "__version__",
    "compare",
    "evaluate",
    "fuse",
    "fuse_clip",
    "list_models",
    "load",
    "load_exported",
]

_HOMES = {
    "ClipOptions": "polyfuse.video",
    "ClipResult": "polyfuse.video",
    "ComparePage": "polyfuse.comparison",
    "Evaluation": "polyfuse.evaluation",
    "FuseOptions": "polyfuse.fusion",
    "Result": "polyfuse.fusion",
    "compare": "polyfuse.comparison",
    "evaluate": "polyfuse.evaluation",
    "fuse": "polyfuse.fusion",
    "fuse_clip": "polyfuse.video",
    "list_models": "polyfuse.registry",
    "load": "polyfuse.registry",
    "load_exported": "polyfuse.engines",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'polyfuse' has no attribute {name!r}")
    with needing_torch():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Public names."""
    return __all__
