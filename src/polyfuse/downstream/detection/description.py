"""How an ONNX detector wants its pictures and what comes out of it: a small TOML file; four come with polyfuse.

Its tables are [input] (size, fit, fill, colour, layout, mean, std), [output] (form, strides, min_score, nms, most) and
[classes] (names, merge).
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from polyfuse.errors import InputError, UsageError
from polyfuse.io.source import read_bytes_of, shown

Fit = Literal["stretch", "letterbox", "corner"]
Form = Literal["boxes", "yolox", "yolov8", "distances"]

MAX_BYTES = 1 << 20
_LARGEST_SIDE = 8192


@dataclass(frozen=True)
class InputDescription:
    """[input]: how a picture becomes what the network takes."""

    size: tuple[int, int] | None = None
    """Height and width; None: those that the file fixes."""
    fit: Fit = "letterbox"
    """"stretch" changes the shape; "letterbox" keeps it with the picture in the middle, "corner" at the top left."""
    fill: float = 114.0
    """Level around the picture, 0 to 255."""
    colour: Literal["RGB", "BGR"] = "RGB"
    """Order of the channels."""
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    """Order of the axes."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Taken off levels of 0 to 255, in the order of `colour`."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """What they are divided by after that."""


@dataclass(frozen=True)
class OutputDescription:
    """[output]: what the network gives."""

    form: Form = "boxes"
    """"boxes": (1, N, 6) edges, score, class number. "yolox": (1, N, 5 + classes) on grids. "yolov8":
    (1, 4 + classes, N). "distances": of each stride (1, n, classes) scores, then (1, n, 4 x bins) distances."""
    strides: tuple[int, ...] = ()
    """Pixels between the cells of each grid, for "yolox" and "distances"."""
    min_score: float = 0.0
    """Boxes below are dropped."""
    nms: float | None = None
    """Of two boxes of one class that overlap more, only the better one stays; None keeps all."""
    most: int = 100
    """Boxes that are kept of a picture."""


@dataclass(frozen=True)
class Description:
    """A detector from outside."""

    name: str
    """What the user calls it: that of a description in the box, or a file's stem."""
    input: InputDescription
    """How pictures go in."""
    output: OutputDescription
    """What comes out."""
    classes: tuple[str, ...]
    """Names by number."""
    merge: Mapping[str, str] = field(default_factory=dict)
    """New name by old one, e.g. "car" for "bus"; done before overlapping boxes are removed."""


@cache
def coco_classes() -> tuple[str, ...]:
    """The 80 classes of COCO in the order of their numbers, without its gaps."""
    text = resources.files("polyfuse.downstream.detection").joinpath("descriptions", "coco.txt").read_text("utf-8")
    return tuple(text.splitlines())


def bundled_descriptions() -> tuple[str, ...]:
    """Names of the descriptions that come with polyfuse."""
    folder = resources.files("polyfuse.downstream.detection").joinpath("descriptions")
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read_description(name: str) -> Description:
    """Read the description of that name, or a file that ends in .toml.

    Raises:
        UsageError: If no description of that name comes with polyfuse.
        InputError: If the file cannot be read, or a value in it has no meaning.
    """
    if name.lower().endswith(".toml"):
        return _parsed(read_bytes_of(name, MAX_BYTES, what="description of a detector"), Path(name).stem, shown(name))
    if name not in bundled_descriptions():
        near = difflib.get_close_matches(name, bundled_descriptions(), n=1)
        known = f"did you mean {near[0]}?" if near else f"use {', '.join(bundled_descriptions())}"
        raise UsageError(f"no description {name!r} comes with polyfuse: {known}, or name a file description.toml")
    text = resources.files("polyfuse.downstream.detection").joinpath("descriptions", f"{name}.toml").read_bytes()
    return _parsed(text, name, f"the description {name}")


def _parsed(content: bytes, name: str, told: str) -> Description:
    """A description from its text; `told` is what messages call it."""
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{told} is no TOML ({error}): correct it") from error
    unknown = document.keys() - {"input", "output", "classes"}
    if unknown:
        raise InputError(f"{told} has the unknown table [{min(unknown)}]: it has [input], [output] and [classes]")
    taken, given = _table(document, "input", told), _table(document, "output", told)
    classes, merge = _classes(document.get("classes", {}), told)
    description = Description(name, InputDescription(**taken), OutputDescription(**given), classes, merge)
    _check(description, told)
    return description


def _table(document: Mapping[str, Any], name: str, told: str) -> dict[str, Any]:
    """The values of [input] or [output], lists as tuples.

    Raises:
        InputError: If there is one of another name or type.
    """
    kind = InputDescription if name == "input" else OutputDescription
    table = document.get(name, {})
    known = {entry.name: entry for entry in fields(kind)}
    if not isinstance(table, dict) or table.keys() - known.keys():
        raise InputError(f"{told} has an unknown value in [{name}]: use {', '.join(known)}")
    values: dict[str, Any] = {}
    for key, value in table.items():
        values[key] = tuple(value) if isinstance(value, list) else value
        if not _fits(key, values[key]):
            raise InputError(f"{told} has {value!r} for {key} in [{name}], which has no meaning: correct it")
    return values


def _is_number(value: object, low: float, high: float = math.inf) -> bool:
    """Whether a value is a finite number between two others."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
    )


def _is_whole(value: object, low: int, high: int) -> bool:
    """Whether a value is a whole number between two others."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _fits(key: str, value: Any) -> bool:
    """Whether a value of a description has its type and lies within its bounds."""
    choices: dict[str, tuple[str, ...]] = {
        "fit": get_args(Fit),
        "form": get_args(Form),
        "colour": ("RGB", "BGR"),
        "layout": ("NCHW", "NHWC"),
    }
    if key in choices:
        return value in choices[key]
    if key == "size":
        return isinstance(value, tuple) and len(value) == 2 and all(_is_whole(side, 1, _LARGEST_SIDE) for side in value)
    if key == "strides":
        return isinstance(value, tuple) and all(_is_whole(side, 1, _LARGEST_SIDE) for side in value)
    if key == "mean":
        return isinstance(value, tuple) and len(value) == 3 and all(_is_number(level, -1e6, 1e6) for level in value)
    if key == "std":
        return isinstance(value, tuple) and len(value) == 3 and all(_is_number(level, 1e-6, 1e6) for level in value)
    if key == "most":
        return _is_whole(value, 1, 100_000)
    return _is_number(value, 0, {"fill": 255, "nms": 1}.get(key, math.inf))


def _classes(table: object, told: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of the classes, and new names by old ones.

    Raises:
        InputError: If there are none, or some are no text.
    """
    names = table.get("names") if isinstance(table, dict) else None
    classes = coco_classes() if names == "coco" else tuple(names) if isinstance(names, list) else ()
    if not classes or not all(isinstance(name, str) and name for name in classes):
        raise InputError(f'{told} names no classes: write names = "coco", or a list, in [classes]')
    merge = table.get("merge", {}) if isinstance(table, dict) else {}
    if not isinstance(merge, dict) or not all(isinstance(members, list) for members in merge.values()):
        raise InputError(f'{told} has another merge than names and lists: write merge = {{ car = ["bus", "truck"] }}')
    return classes, {str(member): name for name, members in merge.items() for member in members}


def _check(description: Description, told: str) -> None:
    """Refuse values that do not go together.

    Raises:
        InputError: If strides are needed and missing.
    """
    if description.output.form in ("yolox", "distances") and not description.output.strides:
        raise InputError(
            f'{told} has no strides, which the form "{description.output.form}" needs: add them to [output]'
        )
    unknown = [name for name in description.merge if name not in description.classes]
    if unknown:
        raise InputError(f"{told} merges the unknown class {unknown[0]!r}: correct it")
