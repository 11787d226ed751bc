"""What a volume holds, and how it would be shown, without fusing it."""

from __future__ import annotations

import os
from typing import Any

from polyfuse.volumes.geometry import facts_of
from polyfuse.volumes.planes import plane_across
from polyfuse.volumes.read import read_volume
from polyfuse.volumes.windows import window_of


def contents(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Grid, unit, smallest and largest value and window of a volume, as plain JSON values.

    `window` is the one that `polyfuse fuse` takes unless another is named, with its name under `window_of`.

    Raises:
        InputError: If it cannot be read, or holds NaN or infinite values.
        DependencyError: If a package or a decoder is missing.
    """
    volume = read_volume(path)
    told: dict[str, Any] = {"path": os.fspath(path), "kind": "volume", "volume": facts_of(volume)}
    told["volume"]["slices"] = plane_across(volume, volume.thickest_axis).name
    if volume.is_colour:
        return told
    values, window = window_of(volume, given="minmax"), window_of(volume)
    told["volume"]["values"] = [values.low, values.high]
    return {**told, "window": [window.low, window.high], "window_of": window.mode}
