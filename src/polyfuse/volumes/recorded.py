"""What the record beside a fused volume says of how its sources were seen; a record is hostile until read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from polyfuse.errors import PolyfuseError
from polyfuse.fusion.sidecar import sidecar_path
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, read_bytes_of
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.volume import Affine, Volume, checked_affine

LUMINANCE = "luminance"


@dataclass(frozen=True, eq=False)
class Recorded:
    """How a fused volume was made."""

    how: VolumeOptions
    """Windows, resampling and colours."""
    move: Affine | None
    """(4, 4), from a's millimetres to b's; None: they agree."""
    values: str
    """What it holds: "luminance", "colour", or the unit of a."""


def recorded(fused: Path, a: Volume, b: Volume) -> Recorded | None:
    """Read the record beside a fused volume; None if there is none, or it is of other sources or no record of ours.

    Args:
        fused: The result.
        a: The first source; the record counts if it names the same bytes.
        b: The second one.
    """
    try:
        record = parse_json(read_bytes_of(sidecar_path(fused), MAX_RECORD, what="record"))
        facts, settings = record["volume"], record["settings"]["volume"]
        if any(
            source.origin.sha256 is None or record["sources"][name]["sha256"] != source.origin.sha256
            for name, source in (("a", a), ("b", b))
        ):
            return None
        known = {field.name for field in fields(VolumeOptions)}
        how = VolumeOptions(**{name: value for name, value in settings.items() if name in known})
        move = None if facts["move"] is None else checked_affine(np.array(facts["move"], np.float64), "the move")
        return Recorded(how, move, str(facts["values"]))
    except (PolyfuseError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
