"""Labels in JSON: COCO's format, and the one that `polyfuse data synthetic` writes.

Source: cocodataset.org, "Data format" (object detection).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polyfuse.downstream.detection.truth import Edges, Sizes, TrueBox, Truth, check_size, name_of
from polyfuse.errors import InputError
from polyfuse.io.documents import parse_json
from polyfuse.io.source import read_bytes_of, shown

MAX_BYTES = 1 << 30
"""Largest file of labels or predictions; COCO's own has 0.45 GB."""


def read_json(path: Path, *, what: str = "file of labels") -> Any:
    """What a JSON file holds.

    Raises:
        InputError: If it cannot be read or is no JSON.
    """
    content = read_bytes_of(path, MAX_BYTES, what=what)
    try:
        return parse_json(content)
    except ValueError as error:
        raise InputError(f"{shown(path)} is no JSON ({error}): give a {what}") from error


@contextmanager
def expecting(path: Path, what: str) -> Iterator[None]:
    """Turn what a missing or odd field raises into one line that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        told = f"lacks the field {error}" if isinstance(error, KeyError) else f"has a field of another kind ({error})"
        raise InputError(f"{shown(path)} is no {what}, it {told}: correct it") from error


def read_coco(path: Path, sizes: Sizes) -> Truth:
    """Read labels in JSON.

    A file with "pictures" is one of `polyfuse data synthetic`, else it is COCO's. `iscrowd` and `ignore` make a box
    ignored. Pictures may have a field `split`.

    Args:
        path: The file.
        sizes: The pictures that are there.

    Raises:
        InputError: If it is none of both, two entries mean one picture, or it was made for other sizes.
    """
    document = read_json(path)
    if isinstance(document, dict) and "pictures" in document:
        with expecting(path, "file of drawn scenes"):
            return _drawn(document, sizes)
    with expecting(path, "COCO file of labels"):
        return _coco(document, path, sizes)


def _coco(document: dict[str, Any], path: Path, sizes: Sizes) -> Truth:
    """The labels of a COCO document."""
    classes = {_whole(entry["id"]): str(entry["name"]) for entry in document["categories"]}
    names: dict[int | str, str] = {}
    boxes: dict[str, list[TrueBox]] = {}
    absent: dict[str, str] = {}
    splits: dict[str, str] = {}
    for entry in document["images"]:
        name = name_of(str(entry["file_name"]), sizes)
        split = str(entry.get("split", ""))
        if name is None:
            absent[str(entry["file_name"])] = split
            continue
        if name in boxes:
            raise InputError(f"{shown(path)} has two entries for the picture {shown(name)}: remove one")
        check_size(name, (int(entry.get("width", 0)), int(entry.get("height", 0))), sizes)
        names[entry["id"]], boxes[name], splits[name] = name, [], split
    known = {entry["id"] for entry in document["images"]}
    for entry in document["annotations"]:
        if entry["image_id"] not in known:
            raise InputError(f"{shown(path)} has a box for picture number {entry['image_id']}, which it does not list")
        if _whole(entry["category_id"]) not in classes:
            raise InputError(
                f"{shown(path)} has a box of the unknown class {entry['category_id']}: add it to its categories"
            )
        if entry["image_id"] in names:
            label = classes[_whole(entry["category_id"])]
            boxes[names[entry["image_id"]]].append(_coco_box(entry, label))
    labels = tuple(dict.fromkeys(classes.values()))
    return Truth(labels, {name: tuple(some) for name, some in boxes.items()}, absent, splits, names, classes)


def _whole(value: object) -> int:
    """A number of a class."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _coco_box(entry: dict[str, Any], label: str) -> TrueBox:
    """One annotation."""
    left, top, width, height = (float(value) for value in entry["bbox"])
    ignored = bool(entry.get("iscrowd", 0)) or bool(entry.get("ignore", 0))
    area = float(entry["area"]) if entry.get("area") else None
    return TrueBox(label, (left, top, left + width, top + height), ignored, area)


def _drawn(document: dict[str, Any], sizes: Sizes) -> Truth:
    """The labels of drawn scenes; classes are those that have boxes."""
    boxes: dict[str, tuple[TrueBox, ...]] = {}
    absent: dict[str, str] = {}
    for entry in document["pictures"]:
        name = name_of(str(entry["name"]) + ".png", sizes)
        if name is None:
            absent[str(entry["name"])] = ""
            continue
        boxes[name] = tuple(TrueBox(str(box["label"]), _drawn_edges(box)) for box in entry["boxes"])
    used = {str(box["label"]) for entry in document["pictures"] for box in entry["boxes"]}
    classes = tuple(label for label in document["labels"] if label in used)
    return Truth(classes, boxes, absent, class_ids=dict(enumerate(classes)))


def _drawn_edges(box: dict[str, Any]) -> Edges:
    """The edges of a drawn box, whose last row and column are exclusive as here."""
    return float(box["x0"]), float(box["y0"]), float(box["x1"]), float(box["y1"])
