"""Labels as text, one file a picture: YOLO's with a list of classes beside them, and those of KAIST.

Source: docs.ultralytics.com, "Object detection datasets" (YOLO format); Piotr Dollar's toolbox, bbGt version 3 (KAIST).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from polyfuse.downstream.detection.truth import Sizes, TrueBox, Truth
from polyfuse.errors import InputError
from polyfuse.io.source import read_bytes_of, shown

MAX_BYTES = 1 << 24
CLASS_FILES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
"""Files beside or above the labels that may name the classes."""
KAIST_HEAD = "% bbGt"
PERSON = "person"
DOUBTFUL = ("person?", "people", "cyclist", "person?a")
"""Classes of KAIST that are neither right nor wrong to find as a person: unclear, a group, on a bicycle."""
_HEAVY = 2
"""Occlusion of KAIST: 0 none, 1 partial, 2 heavy; the usual "reasonable" setting leaves out the last."""


def lines_of(path: Path) -> list[str]:
    """The lines of a text file, without those that are empty.

    Raises:
        InputError: If it cannot be read as text.
    """
    try:
        text = read_bytes_of(path, MAX_BYTES, what="file of labels").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is no text in UTF-8: give a file of labels") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_yolo(files: Mapping[str, Path], classes: tuple[str, ...], sizes: Sizes) -> Truth:
    """Read lines of class number, centre, width and height, as shares of the picture's sides.

    Args:
        files: By the name of the picture; an empty file says that nothing is in it.
        classes: Names by number.
        sizes: Of these pictures.

    Raises:
        InputError: Naming the file and line that is no such label or has an unknown class.
    """
    boxes = {}
    for name, path in files.items():
        width, height = sizes[name]
        some = []
        for number, line in enumerate(lines_of(path), 1):
            try:
                index, *shares = line.split()
                centre_x, centre_y, wide, high = (float(share) for share in shares)
                label = int(index)
            except ValueError as error:
                raise InputError(
                    f"{shown(path)} line {number} is no label: write class, centre x and y, width and height"
                ) from error
            if not 0 <= label < len(classes):
                raise InputError(
                    f"{shown(path)} line {number} has class {label}, and {len(classes)} are named: correct either"
                )
            left, top = (centre_x - wide / 2) * width, (centre_y - high / 2) * height
            some.append(TrueBox(classes[label], (left, top, left + wide * width, top + high * height)))
        boxes[name] = tuple(some)
    return Truth(classes, boxes, class_ids=dict(enumerate(classes)))


def yolo_classes(folder: Path) -> tuple[str, ...]:
    """Names of the classes, from data.yaml or classes.txt in a folder of labels or up to two folders above it.

    Raises:
        InputError: If there is no such file, or it names no classes.
    """
    for place in (folder, *folder.resolve().parents[:2]):
        for name in CLASS_FILES:
            path = place / name
            if path.is_file():
                names = _yaml_names(path) if path.suffix in (".yaml", ".yml") else tuple(lines_of(path))
                if not names:
                    raise InputError(f"{shown(path)} names no classes: write names: [person, car]")
                return names
    raise InputError(f"{shown(folder)} has no {CLASS_FILES[0]} or classes.txt that names the classes: add one")


def _yaml_names(path: Path) -> tuple[str, ...]:
    """The value of `names` in a data.yaml: a list in one line, a list with dashes, or names by number.

    No more of YAML is read, so that no package is needed for it.
    """
    lines = read_bytes_of(path, MAX_BYTES, what="list of classes").decode("utf-8", "replace").splitlines()
    start = next((index for index, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return ()
    inline = lines[start].partition(":")[2].partition("#")[0].strip()
    if inline:
        while not inline.endswith(("]", "}")) and start + 1 < len(lines):
            start += 1
            inline += " " + lines[start].partition("#")[0].strip()
        items = [item.strip() for item in inline.strip("[]{}").split(",") if item.strip()]
    else:
        items = []
        for line in lines[start + 1 :]:
            entry = re.fullmatch(r"\s*(?:-\s+|(?=\d+\s*:))(.+?)\s*(?:#.*)?", line)
            if entry is None:
                break
            items.append(entry[1])
    return tuple(re.sub(r"^\d+\s*:\s*", "", item).strip("'\" ") for item in items)


def read_kaist(files: Mapping[str, Path], *, min_height: float = 0.0) -> Truth:
    """Read KAIST's labels: class, left, top, width, height, occlusion, four numbers of the visible part, ignore flag.

    There is one class, person. Persons that are flagged, hidden for the most part, or lower than `min_height` are
    ignored, and so are boxes of `DOUBTFUL` classes.

    Args:
        files: By the name of the picture.
        min_height: Pixels; the "reasonable" setting of pedestrian papers is 55.

    Raises:
        InputError: Naming the file and line that is no such label.
    """
    boxes = {}
    for name, path in files.items():
        some = []
        for number, line in enumerate(lines_of(path), 1):
            if line.startswith("%"):
                continue
            label, *values = line.split()
            try:
                left, top, width, height = (float(value) for value in values[:4])
                occlusion, flagged = (int(values[index]) if len(values) > index else 0 for index in (4, 9))
            except ValueError as error:
                raise InputError(f"{shown(path)} line {number} is no label of KAIST: correct it") from error
            if label != PERSON and label not in DOUBTFUL:
                raise InputError(f"{shown(path)} line {number} has the unknown class {label[:40]!r}: correct it")
            ignored = label != PERSON or bool(flagged) or occlusion >= _HEAVY or height < min_height
            some.append(TrueBox(PERSON, (left, top, left + width, top + height), ignored))
        boxes[name] = tuple(some)
    return Truth((PERSON,), boxes, class_ids={0: PERSON, 1: PERSON})
