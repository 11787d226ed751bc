"""Shares of an evaluation that several machines made, put together: the tables of one run over all pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from polyfuse.errors import InputError
from polyfuse.evaluation.report import Collected
from polyfuse.evaluation.run import Task
from polyfuse.evaluation.scoring import Evaluation
from polyfuse.evaluation.triples import Method
from polyfuse.io import natural_key
from polyfuse.io.documents import parse_json
from polyfuse.io.shards import Shard
from polyfuse.io.source import read_bytes_of, shown

RESULTS = "results.json"
_LARGEST = 1 << 34
"""Bytes of one share; a picture takes some thousand."""
_SAME = ("protocol", "metrics", "versions")
"""What all shares must have in common."""


def share_settings(shard: Shard, collected: Collected) -> dict[str, Any]:
    """What a share records so that it can be put together with the others."""
    return {"share": list(shard), "pairs": [[name, *digests] for name, digests in collected.pairs]}


def merge_shares(folders: Sequence[Path]) -> tuple[Collected, Task, list[Method], dict[str, Any]]:
    """Put together what `polyfuse evaluate --shard I/N -o FOLDER` wrote.

    Args:
        folders: One for each of the N shares, in any order.

    Returns:
        All numbers, with pairs in natural order; what was computed; the rows; the settings of the first share.

    Raises:
        InputError: If a folder holds no share, one is missing or there twice, or they were not made in one way.
    """
    documents = [(folder, _read(folder)) for folder in folders]
    try:
        _check_complete([(folder, document["settings"]["shard"]["share"]) for folder, document in documents])
        first = documents[0][1]
        methods = [Method(row["method"], row["kind"]) for row in first["rows"]]
        for folder, document in documents:
            rows = [Method(row["method"], row["kind"]) for row in document["rows"]]
            if rows != methods or any(document[key] != first[key] for key in _SAME):
                what = "methods, metrics, protocol or versions"
                raise InputError(
                    f"{shown(folder)} and {shown(folders[0])} differ in {what}: score them again in one way"
                )
        collected = Collected()
        for _, document in documents:
            _add(collected, document)
        settings = {key: value for key, value in first["settings"].items() if key not in ("shard", "bootstrap")}
        names = tuple(metric["name"] for metric in first["metrics"])
        task = Task(names, first["protocol"], bool(settings["baselines"]), str(settings["device"]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"a share is damaged ({type(error).__name__}: {error}): score it again") from error
    collected.pairs.sort(key=lambda pair: natural_key(pair[0]))
    collected.pictures.sort(key=lambda picture: natural_key(picture[0]))
    collected.failures.sort(key=lambda failure: natural_key(failure[0]))
    return collected, task, methods, settings


def _read(folder: Path) -> dict[str, Any]:
    """The numbers of one share."""
    path = folder / RESULTS
    document = parse_json(read_bytes_of(path, _LARGEST, what="share of an evaluation"))
    if not isinstance(document, dict) or "shard" not in document.get("settings", {}):
        raise InputError(f"{shown(path)} is no share: write it with `polyfuse evaluate --shard I/N -o FOLDER`")
    return document


def _check_complete(shares: Sequence[tuple[Path, Sequence[int]]]) -> None:
    """Refuse shares of different numbers, one that is there twice, and a set that is not whole."""
    (number, *others) = {share[1] for _, share in shares}
    if others:
        raise InputError(f"these are shares of {number} and of {others[0]}: give those of one number")
    seen: dict[int, Path] = {}
    for folder, (index, _) in shares:
        if index in seen:
            raise InputError(
                f"{shown(folder)} and {shown(seen[index])} are both share {index} of {number}: leave one out"
            )
        seen[index] = folder
    missing = [f"{index}/{number}" for index in range(1, number + 1) if index not in seen]
    if missing:
        raise InputError(f"shares are missing ({', '.join(missing[:5])}): give the folders of all {number}")


def _add(collected: Collected, document: Mapping[str, Any]) -> None:
    """Add the numbers of one share."""
    collected.pairs += [(name, (a, b)) for name, a, b in document["settings"]["shard"]["pairs"]]
    for row in document["per_picture"]:
        values, lower, balance, of_b = (_floats(row[part]) for part in ("values", "lower", "balance", "of_b"))
        notes, copies = tuple(row["notes"]), tuple(row["copies"])
        evaluation = Evaluation(document["protocol"], values, lower, balance, notes, copies, of_b)
        collected.pictures.append((row["pair"], Method(row["method"], row["kind"]), evaluation))
    collected.failures += [(one["name"], InputError(one["message"])) for one in document["failures"]]


def _floats(values: Mapping[str, float | None]) -> dict[str, float]:
    """Values as they were before JSON, which knows no NaN; infinity is NaN too, and as little part of a mean."""
    return {name: math.nan if value is None else float(value) for name, value in values.items()}
