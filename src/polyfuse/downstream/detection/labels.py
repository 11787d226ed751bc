"""Which labels are meant by a path: a JSON file, or a folder with one file a picture; the format is told by content."""

from __future__ import annotations

from pathlib import Path

from polyfuse.downstream.detection.coco import read_coco
from polyfuse.downstream.detection.text_labels import CLASS_FILES, KAIST_HEAD, lines_of, read_kaist, read_yolo
from polyfuse.downstream.detection.text_labels import yolo_classes as classes_beside
from polyfuse.downstream.detection.truth import Sizes, Truth, check_absent, name_of, within_pictures
from polyfuse.downstream.detection.voc import read_voc
from polyfuse.errors import InputError
from polyfuse.io.source import check_exists, shown

LABEL_SUFFIXES = (".xml", ".txt")


def read_truth(path: Path, sizes: Sizes, *, skip_absent: bool = False) -> Truth:
    """Read labels, whatever their format, and check them against the pictures.

    Args:
        path: A JSON file in COCO's format or from `polyfuse data synthetic`; or a folder with a file for each picture:
            XML as of Pascal VOC, text of KAIST (they begin with "% bbGt"), or text as of YOLO beside a data.yaml.
        sizes: Width and height of each picture that is there, by name.
        skip_absent: Leave out labelled pictures that are not there.

    Returns:
        The boxes of those of the pictures that are labelled, within them.

    Raises:
        InputError: If the labels cannot be read or do not fit the pictures.
    """
    check_exists(path)
    truth = _from_folder(path, sizes) if path.is_dir() else read_coco(path, sizes)
    return within_pictures(check_absent(truth, path, skip=skip_absent), sizes)


def _from_folder(folder: Path, sizes: Sizes) -> Truth:
    """The labels of a folder with one file a picture, in it or in folders below."""
    files: dict[str, Path] = {}
    absent: dict[str, str] = {}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in LABEL_SUFFIXES and path.is_file())
    paths = [path for path in paths if path.name not in CLASS_FILES]
    if not paths:
        raise InputError(f"{shown(folder)} holds no labels: files must end in {' or '.join(LABEL_SUFFIXES)}")
    for path in paths:
        place = path.relative_to(folder).as_posix()
        name = name_of(place, sizes)
        if name is None:
            absent[place] = ""
        elif name in files:
            raise InputError(f"{shown(folder)} has two files of labels for {shown(name)}: remove one")
        else:
            files[name] = path
    kinds = {path.suffix.lower() for path in paths}
    if len(kinds) > 1:
        raise InputError(f"{shown(folder)} holds both .xml and .txt labels: keep one kind of them")
    return replace_absent(read_files(folder, files, sizes, xml=kinds == {".xml"}), absent)


def read_files(folder: Path, files: dict[str, Path], sizes: Sizes, *, xml: bool) -> Truth:
    """Labels of one file a picture.

    Args:
        folder: Of the labels; names of YOLO's classes are looked for in it and above.
        files: By the name of the picture.
        sizes: Of these pictures.
        xml: Whether they are Pascal VOC's; text is KAIST's or YOLO's.
    """
    if xml:
        return read_voc(files, sizes)
    first = next((line for path in files.values() for line in lines_of(path)[:1]), "")
    if first.startswith(KAIST_HEAD):
        return read_kaist(files)
    return read_yolo(files, classes_beside(folder), sizes)


def replace_absent(truth: Truth, absent: dict[str, str]) -> Truth:
    """The same truth with the labels of pictures that are not there."""
    return Truth(truth.classes, truth.boxes, absent, truth.splits, truth.picture_ids, truth.class_ids, truth.notes)
