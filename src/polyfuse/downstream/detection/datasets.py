"""Data sets with boxes as they are published: their pairs, their labels, and their splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from polyfuse.data.layouts import KAIST_TRAIN, WITHOUT_SPLIT, find_set
from polyfuse.downstream.detection.description import coco_classes
from polyfuse.downstream.detection.labels import read_files
from polyfuse.downstream.detection.text_labels import CLASS_FILES, lines_of, read_yolo
from polyfuse.downstream.detection.truth import Sizes, Truth, within_pictures
from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, find_marked_pairs
from polyfuse.io.pairs import list_pictures
from polyfuse.io.source import shown

SPLITS = ("train", "val", "test", WITHOUT_SPLIT)
M3FD_SHARE = 2905 / 4200
"""Share of M3FD to train on: of 4200 pairs 2905, and 1295 to test, as in the scene-wise split m3fd-zxSplit (Zhang et
al., "Rethinking Early-Fusion Strategies", which publishes its lists)."""
SEED = 0
_XML_FOLDERS = ("annotation", "annotations")
_FLIR_LISTS = {"train": "align_train.txt", "val": "align_validation.txt", "test": "align_validation.txt"}


@dataclass(frozen=True)
class LabelledSet:
    """The pairs of one split of a data set, with a file of labels for each."""

    layout: str
    """What its folders are like: "M3FD", "LLVIP", "MSRS", "KAIST", "FLIR" or "YOLO"."""
    split: str
    """"train", "val", "test" or "all"."""
    pairs: tuple[Pair, ...]
    """Those of its pairs that are labelled, in order."""
    files: Mapping[str, Path]
    """Labels of each pair, by name."""
    folder: Path
    """Of the labels."""
    classes: tuple[str, ...] = ()
    """Names of YOLO's classes, where no file names them."""
    notes: tuple[str, ...] = field(default=())
    """What the user should know, as how a split came about."""

    def truth(self, sizes: Sizes) -> Truth:
        """Read the labels.

        Args:
            sizes: Width and height of each pair.

        Raises:
            InputError: If a file is bad, or a box does not fit its picture.
        """
        files = dict(self.files)
        if self.classes:
            return within_pictures(read_yolo(files, self.classes, sizes), sizes)
        xml = all(path.suffix.lower() == ".xml" for path in files.values())
        return within_pictures(read_files(self.folder, files, sizes, xml=xml), sizes)


def find_labelled(folder: Path, split: str = "test", *, by_scene: bool = True) -> LabelledSet:
    """Find pairs and labels of a data set.

    - M3FD: Ir, Vis and Annotation/*.xml. Split by the lists train.txt and test.txt if they are in the folder or one
      below, else at random, seeded.
    - LLVIP: infrared/SPLIT, visible/SPLIT, Annotations/*.xml.
    - MSRS: detection/ir, detection/vi, detection/labels/*.txt, 80 pairs with COCO's classes and without splits.
    - KAIST: setNN/VNNN/lwir and visible, also below images, and annotations/setNN/VNNN/*.txt. Sets 00 to 05 are train.
    - FLIR, aligned: JPEGImages/*_PreviewData.jpeg and *_RGB.jpg, Annotations/*.xml, align_train.txt and
      align_validation.txt.
    - YOLO: ir and vi, or other names that `polyfuse data pack` knows, and *.txt in labels/SPLIT, SPLIT/labels or
      labels.

    Args:
        folder: Of the set.
        split: "train", "val", "test" or "all".
        by_scene: For M3FD: take the lists that part it by scenes if they are there; False parts it at random.

    Raises:
        UsageError: If the split is unknown.
        InputError: If the folder is of no such layout, or the split has no labelled pair.
    """
    if split not in SPLITS:
        raise UsageError(f"there is no split {split!r}: use {', '.join(SPLITS)}")
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give the folder of a data set")
    finders: tuple[Callable[[Path, str], LabelledSet | None], ...] = (
        _flir,
        _kaist,
        _msrs,
        _llvip,
        lambda place, part: _m3fd(place, part, by_scene=by_scene),
        _yolo,
    )
    for find in finders:
        labelled = find(folder, split)
        if labelled is not None:
            if not labelled.pairs:
                raise InputError(f"{shown(folder)} ({labelled.layout}) has no labelled pair in its split {split!r}")
            return labelled
    raise InputError(
        f"{shown(folder)} is no data set with boxes that polyfuse knows: give the folders of both sources and --truth"
    )


def _child(folder: Path, names: Sequence[str]) -> Path | None:
    """The folder in `folder` that has one of these names in any case."""
    places = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    return next((places[name] for name in names if name in places), None)


def _labelled(pairs: Sequence[Pair], files: Mapping[str, Path]) -> tuple[tuple[Pair, ...], dict[str, Path]]:
    """Pairs that have labels, and these."""
    kept = tuple(pair for pair in pairs if pair.name in files)
    return kept, {pair.name: files[pair.name] for pair in kept}


def _by_stem(folder: Path, suffix: str) -> dict[str, Path]:
    """Files of labels in a folder by stem, without lists of classes."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == suffix)
    return {path.stem: path for path in paths if path.name not in CLASS_FILES}


def _m3fd(folder: Path, split: str, *, by_scene: bool) -> LabelledSet | None:
    labels = _child(folder, _XML_FOLDERS)
    if labels is None or _child(folder, ("ir",)) is None or _child(folder, ("vis",)) is None:
        return None
    pairs, files = _labelled(find_set(folder, WITHOUT_SPLIT).pairs, _by_stem(labels, ".xml"))
    if split == WITHOUT_SPLIT:
        return LabelledSet("M3FD", split, pairs, files, labels)
    listed = _lists(folder, split) if by_scene else None
    if listed is not None:
        part, note = tuple(pair for pair in pairs if pair.name in listed), "split by the lists in the folder"
    else:
        part, note = _at_random(pairs, split), f"no lists of scenes, so split at random, seed {SEED}: frames may leak"
    return LabelledSet("M3FD", split, part, {pair.name: files[pair.name] for pair in part}, labels, notes=(note,))


def _lists(folder: Path, split: str) -> set[str] | None:
    """Stems in the list of a split, in the folder or in one of its folders; None where there is no list."""
    names = {"train": ("train.txt",), "val": ("val.txt", "test.txt"), "test": ("test.txt", "val.txt")}[split]
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        for name in names:
            if (place / name).is_file():
                return {Path(line.split()[0]).stem for line in lines_of(place / name)}
    return None


def _at_random(pairs: Sequence[Pair], split: str) -> tuple[Pair, ...]:
    """The pairs of a split drawn at random, the same each time; "val" is "test"."""
    order = np.random.default_rng(SEED).permutation(len(pairs))
    num_train = round(M3FD_SHARE * len(pairs))
    chosen = order[:num_train] if split == "train" else order[num_train:]
    return tuple(pairs[index] for index in sorted(chosen.tolist()))


def _llvip(folder: Path, split: str) -> LabelledSet | None:
    labels = _child(folder, _XML_FOLDERS)
    if labels is None or _child(folder, ("infrared",)) is None or _child(folder, ("visible",)) is None:
        return None
    pairs, files = _labelled(_of_splits(folder, split), _by_stem(labels, ".xml"))
    return LabelledSet("LLVIP", split, pairs, files, labels)


def _of_splits(folder: Path, split: str) -> list[Pair]:
    """Pairs of a split, or of all that there are."""
    parts = ("train", "val", "test") if split == WITHOUT_SPLIT else (split,)
    pairs: list[Pair] = []
    for part in parts:
        try:
            pairs += find_set(folder, part).pairs
        except InputError:
            if split != WITHOUT_SPLIT:
                raise
    return pairs


def _msrs(folder: Path, split: str) -> LabelledSet | None:
    base = folder if folder.name == "detection" else folder / "detection"
    labels = base / "labels"
    if not labels.is_dir():
        return None
    pairs, files = _labelled(find_set(base, WITHOUT_SPLIT).pairs, _by_stem(labels, ".txt"))
    note = () if split == WITHOUT_SPLIT else ("MSRS has boxes for 80 pairs without splits: all are taken",)
    named = any((labels / name).is_file() or (base / name).is_file() for name in CLASS_FILES)
    return LabelledSet("MSRS", WITHOUT_SPLIT, pairs, files, labels, () if named else coco_classes(), note)


def _kaist(folder: Path, split: str) -> LabelledSet | None:
    labels = next((path for path in sorted(folder.glob("annotations*")) if any(path.glob("set[0-9][0-9]"))), None)
    if labels is None:
        return None
    parts = {"train": ("train",), WITHOUT_SPLIT: ("train", "test")}.get(split, ("test",))
    pairs: list[Pair] = []
    for part in parts:
        numbers = [f"set{number:02}" for number in (KAIST_TRAIN if part == "train" else range(6, 12))]
        if any((folder / name).is_dir() or (folder / "images" / name).is_dir() for name in numbers):
            pairs += find_set(folder, part).pairs
    files = {"_".join(path.relative_to(labels).with_suffix("").parts): path for path in labels.glob("set*/V*/*.txt")}
    kept, chosen = _labelled(pairs, files)
    return LabelledSet("KAIST", split, kept, chosen, labels)


def _flir(folder: Path, split: str) -> LabelledSet | None:
    pictures, labels = _child(folder, ("jpegimages",)), _child(folder, _XML_FOLDERS)
    if pictures is None or labels is None:
        return None
    if not any(path.stem.endswith("_PreviewData") for path in list_pictures(pictures)):
        return None
    pairs = find_marked_pairs(pictures, None, ("_PreviewData", "_RGB"))
    files = {stem.removesuffix("_PreviewData"): path for stem, path in _by_stem(labels, ".xml").items()}
    if split != WITHOUT_SPLIT:
        path = folder / _FLIR_LISTS[split]
        listed = {line.removesuffix("_PreviewData") for line in lines_of(path)}
        pairs = [pair for pair in pairs if pair.name in listed]
    kept, chosen = _labelled(pairs, files)
    return LabelledSet("FLIR", split, kept, chosen, labels)


def _yolo(folder: Path, split: str) -> LabelledSet | None:
    places = (folder / "labels" / split, folder / split / "labels", folder / "labels")
    labels = next((path for path in places if path.is_dir() and _by_stem(path, ".txt")), None)
    if labels is None:
        return None
    group = find_set(folder, split)
    pairs, files = _labelled(group.pairs, _by_stem(labels, ".txt"))
    return LabelledSet("YOLO", group.split, pairs, files, labels)
