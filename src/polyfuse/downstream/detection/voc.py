"""Labels in the XML of Pascal VOC, as M3FD, LLVIP and FLIR have them, read so that no file can do harm.

Source: "The PASCAL Visual Object Classes Challenge 2007, Development Kit", section 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from polyfuse.downstream.detection.truth import Sizes, TrueBox, Truth, check_size
from polyfuse.errors import InputError
from polyfuse.io.source import read_bytes_of, shown

MAX_BYTES = 1 << 24
_DEEPEST = 16


class _UnsafeError(Exception):
    """A document that declares entities or nests without end."""


def parse_xml(path: Path) -> Element:
    """The root element of a small XML file; one that declares entities, and so may grow without bound, is refused.

    Raises:
        InputError: If it cannot be read, is no XML, has a document type, or is nested too deeply.
    """
    builder, depth = TreeBuilder(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise _UnsafeError("it is nested too deeply")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise _UnsafeError("it has a document type, which labels do not need")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    content = read_bytes_of(path, MAX_BYTES, what="file of labels")
    try:
        parser.Parse(content, True)
        root: Element = builder.close()
    except (expat.ExpatError, _UnsafeError, ValueError, LookupError) as error:
        raise InputError(f"{shown(path)} cannot be read as XML ({error}): correct it") from error
    return root


def read_voc(files: Mapping[str, Path], sizes: Sizes) -> Truth:
    """Read one XML file a picture.

    xmin, ymin, xmax, ymax are taken as the box's edges as they stand: the published converters of M3FD and LLVIP do so.
    (VOC itself counts pixels from 1 and includes the last one, which is half a pixel more on each side.) `difficult`
    objects are ignored; `occluded` and `truncated` ones count.

    Args:
        files: By the name of the picture.
        sizes: Of these pictures.

    Raises:
        InputError: Naming the file that is no such XML, or was made for another size.
    """
    boxes = {}
    for name, path in files.items():
        root = parse_xml(path)
        size = root.find("size")
        if size is not None:
            check_size(name, (int(_number(size, "width", path)), int(_number(size, "height", path))), sizes)
        boxes[name] = tuple(_object(entry, path) for entry in root.findall("object"))
    classes = tuple(sorted({box.label for some in boxes.values() for box in some}))
    return Truth(classes, boxes, class_ids=dict(enumerate(classes)))


def _object(entry: Element, path: Path) -> TrueBox:
    """One labelled object."""
    place = entry.find("bndbox")
    label = (entry.findtext("name") or "").strip()
    if place is None or not label:
        raise InputError(f"{shown(path)} has an object without a name or a bndbox: correct it")
    x0, y0, x1, y1 = (_number(place, side, path) for side in ("xmin", "ymin", "xmax", "ymax"))
    return TrueBox(label, (x0, y0, x1, y1), ignored=(entry.findtext("difficult") or "0").strip() not in ("", "0"))


def _number(entry: Element, field: str, path: Path) -> float:
    """A number below an element."""
    text = entry.findtext(field)
    try:
        return float(text or "")
    except ValueError as error:
        told = "lacks" if text is None else f"has {text.strip()!r} for"
        raise InputError(f"{shown(path)} {told} <{field}> of <{entry.tag}>: correct it") from error
