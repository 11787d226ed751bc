"""Command lines that make parts of a benchmark by themselves, for who wants to follow one number."""

from __future__ import annotations

import shlex
from pathlib import Path

from polyfuse.benchmark.methods import ModelMethod
from polyfuse.benchmark.plan import Plan, Work
from polyfuse.benchmark.results import PICTURES, Store, as_file_name


def commands_of(plan: Plan, store: Store) -> list[str]:
    """One line that fuses with each model, and one that scores all, for each set that is two whole folders."""
    lines = []
    for work in plan.works:
        folders = _folders(work)
        if folders is None:
            continue
        places = {}
        for method in plan.methods_of(work.set.name):
            if isinstance(method, ModelMethod):
                place = store.folder / PICTURES / as_file_name(work.set.name) / as_file_name(method.name)
                places[method.name] = place
                if not method.config.options:
                    lines.append(shlex.join(["polyfuse", "fuse", *folders, "-o", str(place), *_choice(method)]))
        fused = [part for name, place in places.items() for part in ("--fused", f"{name}={place}")]
        for protocol, metrics in plan.metrics.items():
            asked = ["--protocol", protocol, "--metrics", ",".join(metrics), "--baselines"]
            lines.append(shlex.join(["polyfuse", "evaluate", *fused, *folders, *asked]))
    return lines


def _choice(method: ModelMethod) -> list[str]:
    """The options of `polyfuse fuse` that choose the model."""
    config = method.config
    words = ["--model", config.model]
    words += ["--weights", config.weights] if config.weights else []
    words += [] if config.precision == "float32" else ["--precision", config.precision]
    return words + [part for key, value in config.config.items() for part in ("--config", f"{key}={value}")]


def _folders(work: Work) -> list[str] | None:
    """The two folders that the pairs of a set are all of, under their own names; None if they are not."""
    pairs = work.set.pairs
    places: list[set[Path]] = [{pair.a.parent for pair in pairs}, {pair.b.parent for pair in pairs}]
    if any(len(found) != 1 for found in places) or any(pair.name != pair.a.stem for pair in pairs):
        return None
    folders = [found.pop() for found in places]
    same = [sum(1 for path in folder.iterdir() if not path.name.startswith(".")) for folder in folders]
    return [str(folder) for folder in folders] if same == [len(pairs)] * 2 else None
