"""What is kept of each method and pair: one JSON file with hashes, settings and scores, the same bytes everywhere."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from polyfuse.errors import InputError
from polyfuse.evaluation import Evaluation
from polyfuse.io import write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, read_bytes_of

SCHEMA = 1
RESULTS, PICTURES = "results", "pictures"
"""Folders, in that of a benchmark: SET/METHOD/PAIR.json and SET/METHOD/PAIR.png."""
_PARTS = ("values", "lower", "balance", "of_b")
Metrics = Mapping[str, Sequence[str]]
"""Names of metrics by protocol."""


def as_file_name(name: str) -> str:
    """A name of a set, method or pair as a folder or file can have it, different for different names.

    >>> as_file_name("a/b"), as_file_name("..")
    ('a%2Fb', '%2E%2E')
    """
    text = quote(name, safe=" +,=()@")
    return text.replace(".", "%2E") if not text.strip(".") else text


@dataclass(frozen=True)
class Unit:
    """One method on one pair."""

    set: str
    """Name of the set."""
    method: str
    """Name of the method or baseline."""
    pair: str
    """Name of the pair."""

    def below(self, folder: Path, suffix: str) -> Path:
        """Its file in a folder."""
        return folder / as_file_name(self.set) / as_file_name(self.method) / f"{as_file_name(self.pair)}{suffix}"


@dataclass(frozen=True)
class Kept:
    """What is known of one method on one pair."""

    inputs: Mapping[str, str]
    """SHA-256 of a, b and fused, the last but for baselines."""
    made_by: Mapping[str, Any]
    """All that determines the result but the inputs."""
    scores: Mapping[str, Evaluation] = field(default_factory=dict)
    """By protocol."""

    def has(self, metrics: Metrics) -> bool:
        """Whether all these numbers are there."""
        return all(
            protocol in self.scores and set(names) <= self.scores[protocol].values.keys()
            for protocol, names in metrics.items()
        )


class Store:
    """The results in the folder of a benchmark.

    Args:
        folder: Of the benchmark.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def record(self, unit: Unit) -> Path:
        """The JSON file of a unit."""
        return unit.below(self.folder / RESULTS, ".json")

    def picture(self, unit: Unit) -> Path:
        """The fused picture of a unit, where a model makes it."""
        return unit.below(self.folder / PICTURES, ".png")

    def read(self, unit: Unit, inputs: Mapping[str, str], made_by: Mapping[str, Any]) -> Kept | None:
        """What is kept of a unit, if it was made of these inputs in this way.

        Args:
            unit: Which one.
            inputs: SHA-256 of a, b and, if known, fused.
            made_by: All that determines the result but the inputs.

        Returns:
            None if there is nothing, it is damaged, or anything differs.
        """
        kept = read_kept(self.record(unit))
        if kept is None or kept.made_by != json.loads(json.dumps(made_by)):
            return None
        return kept if all(kept.inputs.get(name) == digest for name, digest in inputs.items()) else None

    def write(self, unit: Unit, kept: Kept) -> Path:
        """Write what is known of a unit in place of what was.

        Raises:
            OutputError: If it cannot be written; what was stays then.
        """
        return write_text(self.record(unit), encoded(unit, kept), overwrite=True)


def read_kept(path: Path) -> Kept | None:
    """What a result file holds; None if there is none or it is damaged."""
    if not os.path.lexists(path):
        return None
    try:
        values = parse_json(read_bytes_of(path, MAX_RECORD, what="result"))
        if values["schema"] != SCHEMA:
            return None
        scores = {protocol: _decoded(protocol, part) for protocol, part in values["scores"].items()}
        return Kept(dict(values["inputs"]), dict(values["made_by"]), scores)
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        return None


def encoded(unit: Unit, kept: Kept) -> str:
    """The text of a result file."""
    values = {
        "schema": SCHEMA,
        "set": unit.set,
        "method": unit.method,
        "pair": unit.pair,
        "inputs": dict(kept.inputs),
        "made_by": dict(kept.made_by),
        "scores": {protocol: _encoded(evaluation) for protocol, evaluation in kept.scores.items()},
    }
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _encoded(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as plain values; numbers that are not finite, which JSON does not know, are texts."""
    parts = {part: getattr(evaluation, part) for part in _PARTS}
    numbers = {
        part: {name: value if math.isfinite(value) else str(value) for name, value in values.items()}
        for part, values in parts.items()
    }
    return {**numbers, "notes": list(evaluation.notes), "copies": list(evaluation.copies)}


def _decoded(protocol: str, values: Mapping[str, Any]) -> Evaluation:
    numbers = {part: {name: float(value) for name, value in values[part].items()} for part in _PARTS}
    return Evaluation(
        protocol,
        numbers["values"],
        numbers["lower"],
        numbers["balance"],
        tuple(map(str, values["notes"])),
        tuple(map(str, values["copies"])),
        numbers["of_b"],
    )


def joined(old: Evaluation | None, new: Evaluation) -> Evaluation:
    """New numbers, and those of before that they lack."""
    if old is None:
        return new
    parts = {part: {**getattr(old, part), **getattr(new, part)} for part in _PARTS}
    return Evaluation(
        new.protocol,
        parts["values"],
        parts["lower"],
        parts["balance"],
        tuple(dict.fromkeys((*old.notes, *new.notes))),
        new.copies,
        parts["of_b"],
    )


def all_results(folder: Path) -> Iterator[Path]:
    """The result files of a benchmark, in order."""
    yield from sorted((folder / RESULTS).glob("*/*/*.json"))
