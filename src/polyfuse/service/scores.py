"""The work of `POST /evaluate`, as the command `evaluate` does it. It needs PyTorch, which not every service has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from polyfuse.alignment import read_warp
from polyfuse.errors import UsageError
from polyfuse.evaluation import BASELINES, Collected, Method, Task, choose_metrics, find_items, make_report, score_items
from polyfuse.evaluation.records import document
from polyfuse.service.jobs import Ticket
from polyfuse.service.settings import Limits
from polyfuse.service.uploads import Upload, laid_out, without
from polyfuse.service.work import most_pixels


def evaluate(
    uploads: Mapping[str, Upload], values: Mapping[str, Any], device: str, limits: Limits, ticket: Ticket
) -> dict[str, Any]:
    """Score a fused picture: the document that `polyfuse evaluate --json` prints.

    Args:
        uploads: Files by their fields: fused, a and b.
        values: Of the other fields.
        device: Where to compute.
        limits: Of the service.
        ticket: Of the request.

    Raises:
        PolyfuseError: As the command, or if nobody waits any more.
    """
    names = None if values["metrics"] is None else values["metrics"].replace(",", " ").split()
    metrics = choose_metrics(names, values["protocol"])
    if not metrics:
        raise UsageError("metrics names none: write for example MI,VIF,Qabf.")
    with laid_out(uploads) as paths, _one_thread():
        if "warp" not in paths and values["frame"] != "b":
            raise UsageError("frame says on whose pixels a warped pair is: send a file warp as well, or drop it.")
        fused, a, b = (paths[name] for name in ("fused", "a", "b"))
        items, _ = find_items({fused.stem: fused}, a, b)
        task = Task(
            tuple(metric.name for metric in metrics),
            values["protocol"],
            values["baselines"],
            device,
            most_pixels(values, limits),
            values["strict"],
            read_warp(paths["warp"]) if "warp" in paths else None,
            values["frame"],
        )
        ticket.check()
        collected = Collected()
        for scored in score_items(items, task, workers=1):
            collected.add(scored)
        if collected.failures:
            raise collected.failures[0][1]
        rows = [Method(fused.stem), *(BASELINES if task.baselines else ())]
        facts = document(make_report(collected, task, rows, settings=_settings(values, paths, device)))
        plain: dict[str, Any] = without(facts, a.parents[1])
    return plain


def _settings(values: Mapping[str, Any], paths: Mapping[str, Path], device: str) -> dict[str, Any]:
    """What was compared and how, with the keys that the command gives it."""
    return {
        "fused": {paths["fused"].stem: str(paths["fused"])},
        "a": str(paths["a"]),
        "b": str(paths["b"]),
        "protocol": values["protocol"],
        "metrics": values["metrics"],
        "baselines": values["baselines"],
        "compare": [],
        "dataset": None,
        "match": "stem",
        "device": device,
        "on_error": "stop",
        **({"warp": str(paths["warp"]), "frame": values["frame"]} if "warp" in paths else {}),
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of PyTorch for the body: scores have the same bytes everywhere, as those of the command."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
