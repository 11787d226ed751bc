"""The fields of a request: named as the options of the command, checked before anything waits, listed for the docs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from polyfuse.errors import UsageError
from polyfuse.io.source import shown

_YES, _NO = ("1", "true", "yes", "on", ""), ("0", "false", "no", "off")
_MOST_SHOWN = 60
"""Characters of a value that a message repeats."""


@dataclass(frozen=True)
class Field:
    """One field of a request."""

    name: str
    """As the option of the command, without its dashes; an underscore may stand for a dash."""
    kind: Literal["text", "flag", "number", "file"]
    """What its value is; a flag that is given without a value is on."""
    help: str
    """What it means, one line."""
    choices: tuple[str, ...] = ()
    """The values of a text that has a fixed set of them."""
    default: Any = None
    """Its value where it is not given."""

    @property
    def key(self) -> str:
        """Its name in Python."""
        return self.name.replace("-", "_")

    def schema(self) -> dict[str, Any]:
        """What an OpenAPI document says of it."""
        kinds = {"text": "string", "flag": "boolean", "number": "integer", "file": "string"}
        facts: dict[str, Any] = {"type": kinds[self.kind], "description": self.help}
        if self.kind == "file":
            facts["format"] = "binary"
        if self.choices:
            facts["enum"] = list(self.choices)
        if self.default is not None:
            facts["default"] = self.default
        return facts


_TWO_SIDES = (
    Field("frame", "text", "With a warp: the source whose size and pixels count.", ("a", "b"), "b"),
    Field("max-pixels", "number", "Refuse pictures with more pixels; the service has a limit of its own."),
    Field("strict", "flag", "Refuse damaged JPEGs, which are filled in otherwise.", default=False),
)
_WARP = Field("warp", "file", "How a lies on b: a file of polyfuse align.")
FUSE_FILES = (
    Field("a", "file", "Infrared, near-infrared or MRI; alone, a thermal camera's own JPEG that holds both pictures."),
    Field("b", "file", "Visible, CT, PET or SPECT."),
    _WARP,
)
"""Files of `POST /fuse`."""
FUSE_FIELDS = (
    Field("model", "text", "One of GET /models; the first of them unless given.", default="auto"),
    Field("format", "text", "Format of the picture, unless Accept says it.", ("png", "tif", "jpg", "webp", "bmp")),
    Field("quality", "number", "For JPEG and WebP, 1 to 100.", default=95),
    Field("json", "flag", "Answer with JSON: the sidecar's content and the picture in base64.", default=False),
    Field("range", "text", "Values of a that become black and white: auto, full, minmax, percentile[:LO,HI], LO,HI, "
          "or for radiometric files in degrees, 10C,40C.", default="auto"),
    Field("range-b", "text", "The same for b.", default="full"),
    Field("polarity", "text", "Whether warm is bright or dark in a.", ("white-hot", "black-hot"), "white-hot"),
    Field("swap", "flag", "Exchange the sources: the first is b, the second a.", default=False),
    Field("stretch", "text", "Stretch of the result: auto, none, minmax or percentile[:LO,HI].", default="auto"),
    Field("grey", "flag", "Grey result although a source has colour.", default=False),
    Field("luma", "text", "Luma range of b.", ("auto", "full", "studio"), "auto"),
    Field("gamut", "text", "How colour is put back.", ("auto", "safe", "clip", "official"), "auto"),
    Field("colour-from", "text", "Source of the colour.", ("auto", "a", "b"), "auto"),
    Field("bit-depth", "text", "Depth of the result.", ("auto", "same", "8", "16"), "auto"),
    Field("resize", "text", "Source to resample to the other one's size.", ("a", "b")),
    Field("resize-anyway", "flag", "Resize to another aspect ratio too, with distortion.", default=False),
    Field("radiometric", "flag", "Take raw counts or temperatures of a, not its picture.", default=False),
    Field("flow", "flag", "Take away small shifts that are left between a and b.", default=False),
    Field("page", "number", "Page of a TIFF, from 0.", default=0),
    Field("tile", "number", "Work in tiles of this many pixels."),
    *_TWO_SIDES,
)  # fmt: skip
"""Other fields of `POST /fuse`."""
EVALUATE_FILES = (
    Field("fused", "file", "The fused picture."),
    Field("a", "file", "Infrared, near-infrared or MRI."),
    Field("b", "file", "Visible, CT, PET or SPECT."),
    _WARP,
)
"""Files of `POST /evaluate`."""
EVALUATE_FIELDS = (
    Field("protocol", "text", "Whose conventions to follow.", default="cddfuse"),
    Field("metrics", "text", 'Names such as "MI,VIF,Qabf", or all; default is all of the protocol that are fast.'),
    Field("baselines", "flag", "Score each source, their average and their maximum too.", default=False),
    *_TWO_SIDES,
)
"""Other fields of `POST /evaluate`."""
ALIASES = {"ir": "a", "vi": "b"}
"""Other names of files, as the command has them."""


def parse_fields(given: Mapping[str, str], fields: Sequence[Field]) -> dict[str, Any]:
    """The values of all fields, by their names in Python.

    Args:
        given: Name and text of each field of a request.
        fields: Those that it may have.

    Raises:
        UsageError: If a field is unknown, with the nearest name, or its value has no meaning.
    """
    known = {field.key: field for field in fields}
    values = {field.key: field.default for field in fields}
    for name, text in given.items():
        key = name.replace("-", "_")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            names = [known[key].name for key in near] or [field.name for field in fields]
            advice = f"did you mean {names[0]}?" if near else f"use {', '.join(names)}."
            raise UsageError(f"there is no field {shown(name, most=_MOST_SHOWN)!r}: {advice}")
        values[key] = _value(known[key], text.strip())
    return values


def _value(field: Field, text: str) -> Any:
    """The value that the text of a field says."""
    if field.kind == "flag":
        if text.lower() not in (*_YES, *_NO):
            raise UsageError(f"{field.name} is {shown(text, most=_MOST_SHOWN)!r}: write true or false.")
        return text.lower() in _YES
    if field.kind == "number":
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise UsageError(f"{field.name} is {shown(text, most=_MOST_SHOWN)!r}: write a whole number from 0.")
        return int(text)
    if field.choices and text not in field.choices:
        raise UsageError(f"{field.name} is {shown(text, most=_MOST_SHOWN)!r}: use one of {', '.join(field.choices)}.")
    return text


def body_schema(files: Sequence[Field], fields: Sequence[Field], required: Sequence[str]) -> dict[str, Any]:
    """What an OpenAPI document says of a request's body."""
    properties = {field.name: field.schema() for field in (*files, *fields)}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
