"""Which classes the masks of a data set hold: their names in the order of their indices, and what is not counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, counted, read_bytes_of, shown

MAX_CLASSES = 256
"""Classes that masks of 8 bits can tell apart."""


@dataclass(frozen=True)
class Classes:
    """The classes of a data set.

    Raises:
        InputError: If there are fewer than two or more than 256 names, or one comes twice.
    """

    names: tuple[str, ...]
    """`names[index]` is the class of a pixel with that index."""
    ignore: int | None = 255
    """Index of pixels that are neither trained on nor counted; None if all count."""

    def __post_init__(self) -> None:
        """Refuse what are no classes."""
        if not 2 <= len(self.names) <= MAX_CLASSES:
            raise InputError(f"{len(self.names)} names of classes are given: name 2 to {MAX_CLASSES}")
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            raise InputError(f"the class {shown(doubled[0])} is named twice: give every index a name of its own")

    def check(self, mask: NDArray[Any], path: Path) -> None:
        """Refuse a mask with an index that is no class.

        Raises:
            InputError: Naming the file, the index and the number of its pixels.
        """
        known = mask < len(self.names)
        if self.ignore is not None:
            known |= mask == self.ignore
        if not known.all():
            wrong = int(mask[~known][0])
            ignored = "" if self.ignore is None else f" and {self.ignore} is ignored"
            raise InputError(
                f"{shown(path)} holds class {wrong} in {counted(int(np.sum(mask == wrong)), 'pixel')}, known are 0 to "
                f"{len(self.names) - 1}{ignored}: name all classes with --classes, or pass --ignore {wrong}"
            )


MFNET = Classes(
    ("unlabelled", "car", "person", "bike", "curve", "car_stop", "guardrail", "colour_cone", "bump"),
)
"""MFNet (Ha et al. 2017) and MSRS, whose labels are MFNet's: 0 is all that belongs to no class, and counts as one here;
--ignore 0 leaves it out."""
FMB = Classes(
    ("background", "road", "sidewalk", "building", "lamp", "sign", "vegetation", "sky", "person", "car", "truck", "bus",
     "motorcycle", "bicycle", "pole"),
    0,
)  # fmt: skip
"""FMB: 14 classes from 1; 0 is what nobody labelled, and is not counted. Source: Liu et al. 2023 (SegMiF)."""


def classes_from_file(path: Path, ignore: int | None) -> Classes:
    """Read the names of classes: a text file with a name a line in the order of the indices, or a JSON document.

    Args:
        path: The file; of a JSON document either the list of names or its entry "labels", as in truth.json of the drawn
            scenes.
        ignore: See `Classes.ignore`.

    Raises:
        InputError: If it cannot be read or names no classes.
    """
    content = read_bytes_of(path, MAX_RECORD, what="list of classes")
    try:
        text = content.decode("utf-8-sig")
        names: Any = parse_json(text) if path.suffix.lower() == ".json" else text.split("\n")
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{shown(path)} cannot be read as names of classes: write one a line, in UTF-8") from error
    if isinstance(names, dict):
        names = names.get("labels")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{shown(path)} holds no list of names: give a JSON list, or an entry labels")
    return Classes(tuple(name.strip() for name in names if name.strip()), ignore)
