"""How a request is refused, which status an error has, and in which format a picture is wanted."""

from __future__ import annotations

from collections.abc import Mapping

from polyfuse.errors import DependencyError, InputError, OutputError, PolyfuseError, UsageError
from polyfuse.io.header import TooLargeError

FORMATS = {
    "image/png": ".png",
    "image/tiff": ".tif",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
}
"""Media types of pictures with their suffixes."""
TYPES = {suffix.lstrip("."): kind for kind, suffix in FORMATS.items()}
"""Media type by the name that the field `format` has for it."""
JSON = "application/json"
GONE = 499
"""Status, in the log alone, of a request whose client left before its answer."""
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (TooLargeError, 413),
    (UsageError, 400),
    (InputError, 422),
    (DependencyError, 501),
    (OutputError, 507),
    (MemoryError, 413),
)


class RefusedError(PolyfuseError):
    """A request that is not served, with its status.

    Args:
        status: Of HTTP.
        message: One line.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})


def told(error: Exception) -> tuple[int, str, dict[str, str]]:
    """Status, line and further headers of the answer to a request that failed."""
    if isinstance(error, RefusedError):
        return error.status, str(error), error.headers
    if isinstance(error, MemoryError):
        return 413, "the pictures do not fit into memory: send smaller ones, or pass a smaller tile.", {}
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, PolyfuseError):
        return status, " ".join(str(error).split()), {}
    return 500, "the service has a fault, which its log shows: report it.", {}


def wanted_format(accept: str | None, named: str | None, *, as_json: bool) -> tuple[str, bool]:
    """Media type of the picture, and whether JSON is wanted around it.

    Args:
        accept: The header; None without one.
        named: The field `format`, which goes before the header.
        as_json: The field `json`, which does too.

    Raises:
        RefusedError: If only types are accepted that are not made here.
    """
    best, weight = "", 0.0
    as_document = False
    for entry in (accept or "*/*").lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        share = next((_number(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
        kind = "image/png" if kind in ("*/*", "image/*") else kind
        if share > weight and kind in (*FORMATS, JSON):
            best, weight = kind, share
    if best == JSON:
        best, as_document = "image/png", True
    if named is not None:
        best = TYPES[named]
    if not best and as_json:
        best = "image/png"
    if not best:
        raise RefusedError(406, f"nothing of {accept} is made here: accept {', '.join((*FORMATS, JSON))}.")
    return best, as_document or as_json


def _number(text: str) -> float:
    """The weight of a media type, 0 where it is no number."""
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
