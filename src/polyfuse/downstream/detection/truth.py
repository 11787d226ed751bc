"""True boxes: what is in which picture, whichever format the labels have, checked against the pictures themselves.

Coordinates are those of COCO: pixels from the top left corner of the picture, so that the whole picture is
(0, 0, width, height). A box may be ignored: whoever finds what is in it gains nothing, whoever misses it loses nothing.
That is COCO's crowd, VOC's difficult, and KAIST's ignore flag, heavy occlusion and doubtful classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from polyfuse.errors import InputError, UsageError
from polyfuse.io.pairs import listed
from polyfuse.io.source import counted, shown

Edges = tuple[float, float, float, float]
"""x0, y0, x1, y1."""
Sizes = Mapping[str, tuple[int, int]]
"""Width and height of each picture by its name."""


@dataclass(frozen=True)
class TrueBox:
    """One labelled object, or a region to be ignored."""

    label: str
    """Its class."""
    edges: Edges
    """x0, y0, x1, y1 in pixels."""
    ignored: bool = False
    """Whether it counts for nothing: a detection of this class that lies in it by half is neither right nor wrong."""
    area: float | None = None
    """Pixels of the object where the labels say so, as COCO's masks do; None is the area of the box."""

    @property
    def num_pixels(self) -> float:
        """What small, medium and large go by."""
        x0, y0, x1, y1 = self.edges
        return (x1 - x0) * (y1 - y0) if self.area is None else self.area


@dataclass(frozen=True)
class Truth:
    """The labels of a set of pictures."""

    classes: tuple[str, ...]
    """All that the labels may name, in their order, also those of which there is no box."""
    boxes: Mapping[str, tuple[TrueBox, ...]]
    """By the name of the picture; a picture with nothing in it has an empty tuple, an unlabelled one none."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Labelled pictures that are not there, with their split or "": nothing is scored on them."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """Split of each labelled picture, where the labels say so."""
    picture_ids: Mapping[int | str, str] = field(default_factory=dict)
    """Name of the picture by its number in a COCO file, which predictions made elsewhere go by."""
    class_ids: Mapping[int, str] = field(default_factory=dict)
    """Class by its number in a COCO file, or by its place in a list."""
    notes: tuple[str, ...] = ()
    """What the user should know."""

    def num_boxes(self, label: str, names: Iterable[str] | None = None) -> int:
        """How many boxes of a class count, in some pictures or in all."""
        chosen = self.boxes if names is None else names
        return sum(box.label == label and not box.ignored for name in chosen for box in self.boxes[name])

    def of(self, names: Collection[str]) -> Truth:
        """The same for some of the pictures."""
        return replace(self, boxes={name: self.boxes[name] for name in names})

    def merged(self, merge: Mapping[str, str]) -> Truth:
        """The same with some classes under the name of another.

        Args:
            merge: New name by old one, e.g. {"bus": "car", "truck": "car"}; names that do not occur do no harm.
        """
        boxes = {
            name: tuple(replace(box, label=merge.get(box.label, box.label)) for box in some)
            for name, some in self.boxes.items()
        }
        classes = tuple(dict.fromkeys(merge.get(label, label) for label in self.classes))
        ids = {number: merge.get(label, label) for number, label in self.class_ids.items()}
        return replace(self, classes=classes, boxes=boxes, class_ids=ids)

    def chosen(self, wanted: Iterable[str]) -> Truth:
        """The same for some of the classes; boxes of others are left out.

        Raises:
            UsageError: If a class is unknown.
        """
        classes = tuple(dict.fromkeys(wanted))
        for label in classes:
            if label not in self.classes:
                raise UsageError(f"the labels know no class {label!r}: they have {', '.join(self.classes)}")
        boxes = {name: tuple(box for box in some if box.label in classes) for name, some in self.boxes.items()}
        return replace(self, classes=classes, boxes=boxes)


def name_of(path: str, names: Collection[str]) -> str | None:
    """Which picture a label means: by its path without suffix, its stem, or its folders and stem joined by "_".

    >>> name_of("test/7.jpg", {"7"}), name_of("set06/V000/I01.jpg", {"set06_V000_I01"}), name_of("8.png", {"7"})
    ('7', 'set06_V000_I01', None)
    """
    place = PurePosixPath(path.replace("\\", "/"))
    place = place.with_suffix("") if place.name else place
    for name in (place.as_posix(), place.name, "_".join(place.parts)):
        if name in names:
            return name
    return None


def check_absent(truth: Truth, path: Path, *, skip: bool) -> Truth:
    """Decide about labelled pictures that are not there.

    Labels of a whole data set often go with the folder of one split. So where labels name splits, those of splits that
    have no picture here are left out, with a note.

    Args:
        truth: From a reader.
        path: Of the labels, for messages.
        skip: Leave out the others too.

    Raises:
        InputError: If pictures are missing and `skip` is off, or if no labelled picture is there at all.
    """
    if not truth.boxes:
        raise InputError(f"{shown(path)} labels none of the pictures: check that names of labels and pictures agree")
    here = {truth.splits.get(name, "") for name in truth.boxes}
    missing = [name for name, split in truth.absent.items() if split in here]
    notes = list(truth.notes)
    others = len(truth.absent) - len(missing)
    if others:
        splits = ", ".join(sorted({split for split in truth.absent.values() if split not in here}))
        notes.append(f"{counted(others, 'labelled picture')} of other splits ({splits}) left out")
    if missing and not skip:
        raise InputError(
            f"{shown(path)} labels pictures that are not there, {len(missing)} in all ({listed(missing)}): "
            "add them, or pass --absent skip"
        )
    if missing:
        notes.append(f"{counted(len(missing), 'labelled picture')} not there ({listed(missing)}), left out")
    return replace(truth, absent={}, notes=tuple(notes))


def within_pictures(truth: Truth, sizes: Sizes) -> Truth:
    """Clip boxes to their pictures, with a note of how many reached beyond.

    Raises:
        InputError: If a box lies outside its picture, has no area, or holds NaN or infinity.
    """
    clipped = 0
    boxes: dict[str, tuple[TrueBox, ...]] = {}
    for name, some in truth.boxes.items():
        inside = [_inside(box, name, sizes[name]) for box in some]
        clipped += sum(after.edges != before.edges for after, before in zip(inside, some, strict=True))
        boxes[name] = tuple(inside)
    notes = truth.notes
    if clipped:
        notes += (f"{clipped} true box{'' if clipped == 1 else 'es'} reached beyond the picture, cut off",)
    return replace(truth, boxes=boxes, notes=notes)


def _inside(box: TrueBox, name: str, size: tuple[int, int]) -> TrueBox:
    """A box cut to its picture."""
    x0, y0, x1, y1 = box.edges
    told = f"{shown(name)}: the box {x0:g},{y0:g} to {x1:g},{y1:g} of {shown(box.label)}"
    if not all(abs(value) < float("inf") for value in box.edges):
        raise InputError(f"{told} holds NaN or infinity: correct the labels")
    if x1 <= x0 or y1 <= y0:
        raise InputError(f"{told} has no area: correct the labels")
    width, height = size
    inside = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        raise InputError(f"{told} lies outside its picture of {width}x{height}: are these labels for another size?")
    return box if inside == box.edges else replace(box, edges=inside, area=None)


def check_size(name: str, said: tuple[int, int], sizes: Sizes) -> None:
    """Refuse labels made for a picture of another size.

    Raises:
        InputError: If width or height differ; zeros say nothing and pass.
    """
    if all(said) and said != sizes[name]:
        width, height = sizes[name]
        raise InputError(
            f"{shown(name)} is {width}x{height} and its labels are for {said[0]}x{said[1]}: give labels of this size"
        )
