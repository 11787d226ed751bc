"""The work of `POST /fuse`, as the command `fuse` does it: read, fuse, and give the file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyfuse.fusion import FuseOptions
from polyfuse.fusion.models import Model
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.fusion.record import settings
from polyfuse.fusion.sidecar import RESULT
from polyfuse.fusion.thermal import completed, read_sources
from polyfuse.io import Pair
from polyfuse.io.write import encoded_picture
from polyfuse.radiometric.temperature import parse_degrees
from polyfuse.service.answers import FORMATS, RefusedError
from polyfuse.service.jobs import Ticket
from polyfuse.service.settings import Limits
from polyfuse.service.uploads import Upload, laid_out, without

_OF_ANSWER = ("model", "format", "quality", "json", "max_pixels")
"""Fields of a request that do not go into `FuseOptions` as they are."""
_JPEG = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Fused:
    """A fused picture as a file, and the content of its sidecar."""

    content: bytes
    """Of the file."""
    sidecar: dict[str, Any]
    """What made it."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


def check_partner(uploads: Mapping[str, Upload]) -> None:
    """Refuse one file where it cannot hold both pictures.

    Raises:
        RefusedError: If so.
    """
    if "b" in uploads:
        return
    file = uploads["a"].file
    head = file.read(len(_JPEG))
    file.seek(0)
    if head != _JPEG:
        raise RefusedError(400, "there is no file b: send a and b, or a thermal camera's own JPEG as a alone.")


def fuse(
    uploads: Mapping[str, Upload],
    values: Mapping[str, Any],
    media_type: str,
    model: Model,
    limits: Limits,
    ticket: Ticket,
) -> Fused:
    """Fuse two files, or one radiometric file, to what `polyfuse fuse` writes.

    Args:
        uploads: Files by their fields.
        values: Of the other fields.
        media_type: Of the picture.
        model: Loaded.
        limits: Of the service.
        ticket: Of the request.

    Raises:
        PolyfuseError: As the command, or if nobody waits any more.
    """
    with laid_out(uploads) as paths:
        options = _options(values, paths, limits)
        first = paths["a"]
        pair = Pair(first.stem, first, paths.get("b", first))
        sources = read_sources(pair.swapped() if options.swap else pair, options)
        ticket.check()
        sources = sources.with_flow()
        result = fuse_pictures(sources.a, sources.b, model, sources.options, ticket.on_tile)
        result = completed(result, sources, settings(model, options))
        ticket.check()
        name = f"fused{FORMATS[media_type]}"
        content = encoded_picture(name, result.image, quality=values["quality"], exif=result.exif)
        sidecar = without(result.record, first.parents[1])
    for source in sidecar["sources"].values():
        source["mtime_ns"] = None  # that of the file that was laid out says nothing
    sidecar[RESULT] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Fused(content, sidecar, result.image.shape[1], result.image.shape[0])


def _options(values: Mapping[str, Any], paths: Mapping[str, Path], limits: Limits) -> FuseOptions:
    """The options that fields and files of a request say; one file holds both pictures."""
    chosen = {key: value for key, value in values.items() if key not in _OF_ANSWER}
    chosen["radiometric"] = chosen["radiometric"] or "b" not in paths or parse_degrees(chosen["range"]) is not None
    return FuseOptions(
        **chosen,
        warp=paths.get("warp"),
        max_pixels=most_pixels(values, limits),
        memory=limits.memory,
    )


def most_pixels(values: Mapping[str, Any], limits: Limits) -> int:
    """The smaller of what a request and the service allow."""
    asked = values["max_pixels"]
    return limits.max_pixels if asked is None else min(int(asked), limits.max_pixels)
