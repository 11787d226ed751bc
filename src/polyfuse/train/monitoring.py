"""Readings of a stage's monitors: written to monitors-STAGE.csv, and a warning said once when a status gets worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from polyfuse.train.journal import STATUS, Journal, read_log
from polyfuse.train.stage import Batch, Parts, Stage

KIND = "monitors"


class Monitoring:
    """The monitors of a run.

    Args:
        folder: The run folder. Statuses are judged by all readings in its file, so that a resumed run judges alike.
        journal: The log that readings are written to.
        say: Gets warnings.
    """

    def __init__(self, folder: Path, journal: Journal, say: Callable[[str], None]) -> None:
        self._folder, self._journal, self._say = folder, journal, say
        self._said: set[tuple[str, str, str]] = set()

    @torch.no_grad()
    def read(
        self, stage: Stage, parts: Parts, probe: Batch, step: int, share: float, means: Mapping[str, float]
    ) -> None:
        """Take and write one reading.

        Args:
            stage: The stage whose monitors are read.
            parts: The networks with their current weights, not averaged.
            probe: Validation crops, the same for every reading.
            step: Steps of all stages done.
            share: How much of the stage is done, in (0, 1].
            means: Means of the logged values over the steps since the last reading.
        """
        if stage.watch is None:
            return
        numbers = stage.watch.measure(parts, probe) | {name: means[name] for name in stage.watch.means}
        before = read_log(self._folder / f"{KIND}-{stage.name}.csv")
        readings = {name: [*before.get(name, []), value] for name, value in {"step": float(step), **numbers}.items()}
        statuses = stage.watch.judge(readings, share)
        self._journal.write(
            KIND, stage.name, step, numbers | {name + STATUS: status for name, status in statuses.items()}
        )
        for name, status in statuses.items():
            if status != "ok" and (stage.name, name, status) not in self._said:
                self._said.add((stage.name, name, status))
                self._say(f"step {step}, {stage.name}: monitor {name}: {status} (monitors-{stage.name}.csv)")
