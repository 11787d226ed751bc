"""What a study measures of a run's network itself, kept in measures.json so that it is done once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from polyfuse.ablation.plan import Pictures, Run
from polyfuse.errors import InputError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.conventions import decide
from polyfuse.fusion.fuser import Fuser
from polyfuse.fusion.sources import as_picture, same_size
from polyfuse.io import Pair, write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, read_bytes_of
from polyfuse.registry import load
from polyfuse.train.loop import LAST, end_of
from polyfuse.train.variants import Measures, Study

MEASURES = "measures.json"


def read_measures(study: Study, run: Run, pictures: Pictures) -> dict[str, float] | None:
    """Means over all pictures by key, see `Measures.key`; None if this run's weights have not been measured on them."""
    try:
        document: dict[str, Any] = parse_json(read_bytes_of(run.folder / MEASURES, MAX_RECORD, what="record"))
        measured = (document["pairs_sha256"], document["weights_sha256"], document["columns"])
        means = {str(key): float(value) for key, value in document["means"].items()}
    except (InputError, RecursionError, ValueError, KeyError, TypeError, AttributeError):
        return None
    hashes = {measures.name: weights_sha256(_weights_of(measures, run)) for measures in study.measures}
    return means if measured == (pictures.sha256, hashes, _columns(study)) else None


def write_measures(study: Study, run: Run, pictures: Pictures, device: str, say: Callable[[str], None]) -> None:
    """Measure the network of a run at the ends of the stages that the study names, and write measures.json.

    A row without such a stage has no such numbers.

    Raises:
        PolyfuseError: If weights or pictures cannot be read, or the file cannot be written.
    """
    means: dict[str, float] = {}
    for measures in study.measures:
        path = _weights_of(measures, run)
        if path.exists():
            means |= _measured(measures, study, path, pictures, device)
        elif any(stage.kind == measures.stage for stage in run.recipe.stages):
            say(f"{path.name} is not there, so that {measures.name} is not measured: delete {run.folder} to train anew")
    hashes = {measures.name: weights_sha256(_weights_of(measures, run)) for measures in study.measures}
    document = {
        "pairs_sha256": pictures.sha256,
        "weights_sha256": hashes,
        "columns": _columns(study),
        "means": {key: value for key, value in means.items() if math.isfinite(value)},
    }
    write_text(run.folder / MEASURES, json.dumps(document, indent=2, allow_nan=False) + "\n", overwrite=True)


def _weights_of(measures: Measures, run: Run) -> Path:
    """The weights file that is measured; a row that begins later than its stage has none."""
    is_last = measures.stage in (None, run.recipe.stages[-1].kind)
    return run.folder / (LAST if is_last else end_of(str(measures.stage)))


def _columns(study: Study) -> list[str]:
    """All columns, so that a study that has gained one is measured anew."""
    return [measures.key(column) for measures in study.measures for column in measures.columns]


def _measured(measures: Measures, study: Study, weights: Path, pictures: Pictures, device: str) -> dict[str, float]:
    """Means over the pairs by key."""
    model, values = load(study.family, weights=weights, device=device), dict[str, list[float]]()
    for pair in pictures.pairs:
        for column, value in _of_pair(measures, model, pair).items():
            values.setdefault(measures.key(column), []).append(value)
    return {key: math.fsum(column) / len(column) for key, column in values.items()}


@torch.inference_mode()
def _of_pair(measures: Measures, model: Any, pair: Pair) -> Mapping[str, float]:
    """Numbers of one pair, read and mapped as `polyfuse fuse` does by default."""
    options = FuseOptions()
    a, b, _ = same_size(as_picture(pair.a, options, "a"), as_picture(pair.b, options, "b"), options)
    conventions, _ = decide(a, b, options, model.provenance)
    fuser = Fuser(model, options, conventions)
    return measures.measure(model, fuser.tensor(a.array, "a"), fuser.tensor(b.array, "b"))


def weights_sha256(path: Path) -> str | None:
    """SHA-256 of the weights file; None while there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
