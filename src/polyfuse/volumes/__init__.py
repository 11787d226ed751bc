"""Medical volumes: NIfTI and DICOM in, brought together by their geometry, fused, and out again.

Cheap to import: what needs PyTorch or the packages of the extra `medical` comes with the first use of a name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyfuse.volumes.batch import fuse_studies
    from polyfuse.volumes.geometry import Together, brought_together
    from polyfuse.volumes.options import VolumeOptions
    from polyfuse.volumes.read import read_volume
    from polyfuse.volumes.resample import resampled
    from polyfuse.volumes.run import Saving, VolumeResult, fuse_volumes
    from polyfuse.volumes.studies import Study, find_studies
    from polyfuse.volumes.volume import Origin, Volume

__all__ = [
    "Origin",
    "Saving",
    "Study",
    "Together",
    "Volume",
    "VolumeOptions",
    "VolumeResult",
    "brought_together",
    "find_studies",
    "fuse_studies",
    "fuse_volumes",
    "read_volume",
    "resampled",
]
_FILES = {
    "Origin": "volume",
    "Saving": "run",
    "Study": "studies",
    "Together": "geometry",
    "Volume": "volume",
    "VolumeOptions": "options",
    "VolumeResult": "run",
    "brought_together": "geometry",
    "find_studies": "studies",
    "fuse_studies": "batch",
    "fuse_volumes": "run",
    "read_volume": "read",
    "resampled": "resample",
}


def __getattr__(name: str) -> object:
    """Import a name on first use."""
    if name not in _FILES:
        raise AttributeError(f"module 'polyfuse.volumes' has no attribute {name!r}")
    return getattr(import_module(f"polyfuse.volumes.{_FILES[name]}"), name)
