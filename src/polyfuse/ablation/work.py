"""One run of a study: train, fuse and score what is not done yet."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from typing import Any

from polyfuse.ablation.measured import read_measures, weights_sha256, write_measures
from polyfuse.ablation.plan import FUSED, SCORES, Pictures, Run
from polyfuse.errors import InputError
from polyfuse.evaluation import Collected, Item, Method, Task, choose_metrics, make_report, score_items
from polyfuse.evaluation.records import document
from polyfuse.evaluation.report import Column, columns_of
from polyfuse.fusion import FuseOptions, Writing, fuse_pairs
from polyfuse.io import write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, counted, read_bytes_of
from polyfuse.registry import load
from polyfuse.train import LAST, run_progress, train
from polyfuse.train.variants import Study


def carry_out(
    study: Study,
    run: Run,
    pictures: Pictures,
    *,
    device: str = "cpu",
    workers: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Train, fuse and score one run, and measure its network if the study says so.

    Its folder gets the fused pictures, scores.json and measures.json beside what training leaves.

    Args:
        study: The study.
        run: From `make_plan`.
        pictures: What is fused and scored.
        device: Where to train and fuse.
        workers: Processes for scoring, see `score_items`.
        say: Gets a line of progress now and then.

    Raises:
        TrainingError: If a loss or gradient is not finite.
        PolyfuseError: Whatever stops training, fusing or scoring.
        KeyboardInterrupt: If interrupted; training has left a checkpoint then.
    """
    progress = run_progress(run.recipe, run.folder)
    if progress != "finished":
        train(run.recipe, run.folder, resume=progress == "begun", device=device, say=say)
    if read_scores(study, run, pictures) is None:
        say(f"fusing {counted(len(pictures.pairs), 'pair')}")
        items = _fuse(study, run, pictures, device)
        say(f"scoring {counted(len(items), 'picture')}")
        _score(study, run, items, workers)
    if study.measures and read_measures(study, run, pictures) is None:
        say(f"measuring the network on {counted(len(pictures.pairs), 'pair')}")
        write_measures(study, run, pictures, device, say)


def columns_of_study(study: Study) -> tuple[Column, ...]:
    """A column for each metric of the study, and one for the balance of each in `study.balances`."""
    columns = columns_of(choose_metrics(study.metrics, study.protocol))
    wanted = {(name, "value") for name in study.metrics} | {(name, "bal") for name in study.balances}
    return tuple(column for column in columns if (column.metric.name, column.part) in wanted)


def read_scores(study: Study, run: Run, pictures: Pictures) -> dict[str, Any] | None:
    """The content of a run's scores.json; None if its weights have not been scored on these pictures."""
    try:
        scores: dict[str, Any] = parse_json(read_bytes_of(run.folder / SCORES, MAX_RECORD, what="record"))
        measured = [metric["name"] for metric in scores["metrics"]]
        scored = (scores["pairs"]["sha256"], scores["settings"]["weights_sha256"], scores["protocol"], measured)
        cells = scores["rows"][0]["summary"]
        for column in columns_of_study(study):
            _check_cell(cells[column.key]["mean"], cells[column.key]["left_out"])
    except (InputError, RecursionError, ValueError, LookupError, TypeError):
        return None
    wanted = (pictures.sha256, weights_sha256(run.folder / LAST), study.protocol, list(study.metrics))
    return scores if scored == wanted else None


def _check_cell(mean: object, left_out: object) -> None:
    """Refuse what `document` writes for no column: a mean is a finite number, or None where no picture has a value.

    Raises:
        ValueError: If it is something else.
    """
    is_mean = mean is None or (isinstance(mean, int | float) and not isinstance(mean, bool) and abs(mean) < math.inf)
    if not is_mean or type(left_out) is not int or left_out < 0:
        raise ValueError("a cell is damaged")


def _fuse(study: Study, run: Run, pictures: Pictures, device: str) -> list[Item]:
    """Fuse all pairs as `polyfuse fuse` does by default."""
    model, method = load(study.family, weights=run.folder / LAST, device=device), Method(run.variant.name)
    jobs = [(pair, run.folder / FUSED / f"{pair.name}.png") for pair in pictures.pairs]
    for outcome in fuse_pairs(jobs, model, FuseOptions(), writing=Writing(overwrite=True)):
        if outcome.error is not None:
            raise outcome.error
    return [Item(pair, {method: path}) for pair, path in jobs]


def _score(study: Study, run: Run, items: list[Item], workers: int | None) -> None:
    """Score the fused pictures as `polyfuse evaluate` does, and write scores.json."""
    task, collected = Task(study.metrics, study.protocol), Collected()
    with closing(score_items(items, task, workers=workers)) as results:
        for scored in results:
            collected.add(scored)
    for _, error in collected.failures:
        raise error
    settings = {"row": run.variant.name, "seed": run.recipe.seed, "weights_sha256": weights_sha256(run.folder / LAST)}
    report = make_report(collected, task, list(items[0].fused), settings=settings)
    write_text(run.folder / SCORES, json.dumps(document(report), indent=2, allow_nan=False) + "\n", overwrite=True)
