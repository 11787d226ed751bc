"""Found boxes in files: predictions made elsewhere, in COCO's format of results, and our own of a run that goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polyfuse.downstream.detection.coco import MAX_BYTES, expecting, read_json
from polyfuse.downstream.detection.found import Found, found
from polyfuse.downstream.detection.truth import Truth, name_of
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.io import write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import read_bytes_of, shown

SCHEMA = 1


def read_predictions(path: Path, truth: Truth) -> tuple[dict[str, Found], tuple[str, ...]]:
    """Read what a detector elsewhere found: a list of image_id, category_id, bbox and score, as COCO's tools write it.

    Numbers are those of the labels' own COCO file; where the labels have none, image_id is the name of the picture and
    category_id the place of the class in their list. A file may also bring `images` and `categories` of its own, with
    its list under `annotations`.

    Args:
        path: A JSON file.
        truth: The labels.

    Returns:
        What was found in each labelled picture, and notes on what does not concern them.

    Raises:
        InputError: If it is no such file, a score is NaN, or nothing in it is about these pictures and classes.
    """
    document = read_json(path, what="file of predictions")
    with expecting(path, "file of predictions"):
        entries, pictures, classes = _parts(document, truth)
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in truth.boxes}
        elsewhere = other = 0
        for entry in entries:
            name = pictures.get(entry["image_id"]) or name_of(str(entry["image_id"]), truth.boxes)
            label = classes.get(entry["category_id"])
            if name not in results:
                elsewhere += 1
            elif label not in truth.classes:
                other += 1
            else:
                results[name].append({**entry, "label": label})
        boxes = {name: _found(some, f"{shown(path)}, {name}") for name, some in results.items()}
    if entries and len(entries) == elsewhere + other:
        missing = "pictures" if elsewhere else "classes"
        raise InputError(f"{shown(path)} says nothing of the labelled {missing}: check image_id and category_id in it")
    notes = []
    if elsewhere:
        notes.append(f"{path.name}: {elsewhere} of {len(entries)} boxes are in pictures without labels, left out")
    if other:
        notes.append(f"{path.name}: {other} of {len(entries)} boxes are of classes that are not scored, left out")
    return boxes, tuple(notes)


def _parts(document: Any, truth: Truth) -> tuple[list[dict[str, Any]], dict[Any, str], dict[Any, str]]:
    """The list of boxes, and names of pictures and classes by number."""
    if isinstance(document, list):
        return document, dict(truth.picture_ids), dict(truth.class_ids)
    pictures = {entry["id"]: name_of(str(entry["file_name"]), truth.boxes) or "" for entry in document["images"]}
    return document["annotations"], pictures, {entry["id"]: str(entry["name"]) for entry in document["categories"]}


def _found(entries: list[dict[str, Any]], where: str) -> Found:
    """The boxes of one picture."""
    edges = []
    for entry in entries:
        left, top, width, height = (float(value) for value in entry["bbox"])
        edges.append((left, top, left + width, top + height))
    scores = [float(entry["score"]) for entry in entries]
    return found(edges, scores, tuple(entry["label"] for entry in entries), where=where)


class Kept:
    """What was found in the pictures of one row, kept in a file so that a run that was killed goes on.

    Args:
        path: The file; replaced where it is of another detector or damaged.
        made_by: The detector as plain JSON values.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any]) -> None:
        self._path = path
        self._made_by = json.loads(json.dumps(made_by))
        self._pictures: dict[str, dict[str, Any]] = self._earlier()
        self._changed = False

    def _earlier(self) -> dict[str, dict[str, Any]]:
        """What an earlier run left, if it is of use."""
        try:
            document = parse_json(read_bytes_of(self._path, MAX_BYTES))
            if document["made_by"] == self._made_by and document["schema"] == SCHEMA:
                return dict(document["pictures"])
        except (PolyfuseError, ValueError, KeyError, TypeError):
            pass
        return {}

    def get(self, name: str, digest: str) -> Found | None:
        """What was found in the picture of that name when it had these pixels; None if that is not known."""
        try:
            entry = self._pictures[name]
            if entry["pixels"] != digest:
                return None
            boxes = entry["boxes"]
            return found([box[:4] for box in boxes], [box[4] for box in boxes], tuple(b[5] for b in boxes), where=name)
        except (PolyfuseError, KeyError, TypeError, ValueError, IndexError):
            return None

    def put(self, name: str, digest: str, boxes: Found) -> None:
        """Remember what was found."""
        rows = zip(boxes.edges.tolist(), boxes.scores.tolist(), boxes.labels, strict=True)
        self._pictures[name] = {"pixels": digest, "boxes": [[*edges, score, label] for edges, score, label in rows]}
        self._changed = True

    def save(self) -> None:
        """Write the file, if anything is new.

        Raises:
            OutputError: If it cannot be written.
        """
        if self._changed:
            self._changed = False
            pictures = dict(self._pictures)  # other threads may add to it meanwhile
            document = {"schema": SCHEMA, "made_by": self._made_by, "pictures": pictures}
            write_text(self._path, json.dumps(document) + "\n", overwrite=True)
