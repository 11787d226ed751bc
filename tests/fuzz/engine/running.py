"""Cases: made from a seed, run one after the other, told so that each can be had again."""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from polyfuse.errors import PolyfuseError
from polyfuse.io import atomic
from tests.fuzz.engine.clips import clips, states
from tests.fuzz.engine.guard import Seen, watched
from tests.fuzz.engine.pictures import PICTURES
from tests.fuzz.engine.raw_changes import RAW, splice
from tests.fuzz.engine.records import records, tables
from tests.fuzz.engine.seeds import Seed
from tests.fuzz.engine.trainings import checkpoints, packs, recipes, weights

MAKERS: dict[str, Callable[[], list[Seed]]] = {
    **PICTURES,
    "clip": clips,
    "state": states,
    "weights": weights,
    "recipe": recipes,
    "checkpoint": checkpoints,
    "pack": packs,
    "record": records,
    "table": tables,
}
"""What makes the files of each kind, in the folder of that kind."""
KINDS = tuple(MAKERS)
SEED = 20260
"""Of all cases unless another is given."""
_KNOWING = 0.65
"""Share of the changes that know the format, where there are such."""
_TEMPORARY = ".polyfuse-"


@dataclass(frozen=True)
class Case:
    """One changed file."""

    seed: int
    kind: str
    index: int
    file: Seed
    content: bytes = field(repr=False)
    generator: Random = field(repr=False)
    """In the state after the changes, for choices of the reader."""

    @property
    def command(self) -> str:
        """What writes this case to a file and reads it."""
        return f'python -m tests.fuzz.engine case "{self.kind}" {self.index} --seed {self.seed} -o FOLDER'


class Corpus:
    """The files of the corpus, made once; each kind has a folder, its workshop.

    Args:
        folder: An empty folder, which is filled.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._seeds = folder, {}  # type: ignore[var-annotated]
        self._kept: dict[str, dict[str, bytes]] = {}

    def seeds(self, kind: str) -> list[Seed]:
        """The files of a kind."""
        if kind not in self._seeds:
            workshop = self._folder / kind.replace(" ", "-")
            workshop.mkdir()
            with _in(workshop):
                self._seeds[kind] = MAKERS[kind]()
            self._kept[kind] = _files(workshop)
            self._warm_up(workshop, kind)
        seeds: list[Seed] = self._seeds[kind]
        return seeds

    def _warm_up(self, workshop: Path, kind: str) -> None:
        """Read every file as it is: it can be read, and what is only loaded at the first time is loaded then."""
        for file in self._seeds[kind]:
            place = workshop / file.place
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.content)
            with _in(workshop), suppress(PolyfuseError) if file.is_refused else nullcontext():
                if not file.read(file.place, Random(0)):
                    raise AssertionError(f"{kind}, {file.name}: the file of the corpus is passed over")
                if file.is_refused:
                    raise AssertionError(f"{kind}, {file.name}: the file of the corpus is read")
            _put_back(workshop, self._kept[kind])

    def case(self, seed: int, kind: str, index: int) -> Case:
        """Make a case: the same for the same three, whatever was made before."""
        rng, seeds = Random(f"{seed} {kind} {index}"), self.seeds(kind)
        file = seeds[index % len(seeds)]
        content = file.content
        if rng.random() < 0.08:
            content = splice(rng, content, rng.choice(seeds).content)
        elif file.changes and rng.random() < _KNOWING:
            content = rng.choice(file.changes)(rng, content)
            if rng.random() < 0.1:
                content = rng.choice(RAW)(rng, content)
        else:
            for _ in range(rng.choice((1, 1, 2))):
                content = rng.choice(RAW)(rng, content)
        return Case(seed, kind, index, file, content, rng)

    def run(self, case: Case) -> Seen:
        """Read a case in its workshop, which is as before afterwards; what should not be there is told."""
        workshop, kept = self._folder / case.kind.replace(" ", "-"), self._kept[case.kind]
        place = workshop / case.file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(case.content)
        scratch = self._folder / "temporary"
        scratch.mkdir(exist_ok=True)
        with _in(workshop), patch("tempfile.tempdir", str(scratch)):
            seen = watched(lambda: case.file.read(case.file.place, case.generator))
        seen.problems += _traces(case, kept, _files(workshop), seen.state)
        seen.problems += [f"left {path.name} in the folder of temporary files" for path in scratch.iterdir()]
        shutil.rmtree(scratch)
        _put_back(workshop, kept)
        atomic._swept.clear()
        if seen.problems:
            seen.state = "failed"
        return seen


def _files(folder: Path) -> dict[str, bytes]:
    """The content of every file in a folder and those below it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _traces(case: Case, kept: dict[str, bytes], now: dict[str, bytes], state: str) -> Iterator[str]:
    """What reading has left: temporary files, changed inputs, results of what was refused."""
    goes_on = case.kind in _GOING_ON
    before = {**kept, case.file.place: case.content}
    for name, content in now.items():
        if Path(name).name.startswith(_TEMPORARY) and name not in before:
            yield f"left {name}"
        elif name in before and before[name] != content and not goes_on:
            yield f"changed {name}"
        elif name not in before and not goes_on and state != "read":
            yield f"wrote {name}"
    if not goes_on:
        yield from (f"removed {name}" for name in before if name not in now)


_GOING_ON = ("state", "table")
"""Kinds whose readers go on with what they read: results, and logs of which damaged lines are taken out."""


def _put_back(workshop: Path, kept: dict[str, bytes]) -> None:
    """Make a workshop what it was; files that were not touched keep their times."""
    now = _files(workshop)
    for name in now.keys() - kept.keys():
        (workshop / name).unlink()
    for name, content in kept.items():
        if now.get(name) != content:
            (workshop / name).parent.mkdir(parents=True, exist_ok=True)
            (workshop / name).write_bytes(content)


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    """Work in a folder, so that no path of this machine gets into a file of the corpus."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass
class Tally:
    """What became of many cases."""

    states: dict[str, int] = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")
    failures: list[str] = field(default_factory=list)

    def add(self, case: Case, seen: Seen) -> None:
        """Count one case."""
        self.states[seen.state] = self.states.get(seen.state, 0) + 1
        label = f"{case.kind} {case.index} ({case.file.name})"
        self.slowest = max(self.slowest, (seen.seconds, label))
        self.largest = max(self.largest, (seen.megabytes, label))
        if seen.problems:
            self.failures.append(told(case, seen))

    def merge(self, other: Tally) -> None:
        """Count those of another tally too."""
        for state, count in other.states.items():
            self.states[state] = self.states.get(state, 0) + count
        self.slowest, self.largest = max(self.slowest, other.slowest), max(self.largest, other.largest)
        self.failures += other.failures

    def __str__(self) -> str:
        counts = ", ".join(f"{self.states.get(state, 0)} {state}" for state in ("read", "refused", "passed over"))
        return (
            f"{sum(self.states.values())} cases: {counts}, {len(self.failures)} failed; slowest "
            f"{self.slowest[0]:.2f} s ({self.slowest[1]}), most memory {self.largest[0]:.0f} MB ({self.largest[1]})"
        )


def told(case: Case, seen: Seen) -> str:
    """A failed case: what happened, where, and how to have it again."""
    lines = [f"{case.kind} {case.index} of seed {case.seed} ({case.file.name}): {'; '.join(seen.problems)}"]
    if seen.trace is not None:
        frames = traceback.extract_tb(seen.trace.__traceback__)[-4:]
        lines += [f"    {Path(frame.filename).name}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames]
    return "\n".join([*lines, f"    {case.command}"])


def run_cases(corpus: Corpus, seed: int, kind: str, indices: Iterable[int], note: Any = None) -> Tally:
    """Run cases of one kind; `note` gets each case before it is run, in case it ends the process."""
    tally = Tally()
    for index in indices:
        case = corpus.case(seed, kind, index)
        if note is not None:
            note(case)
        tally.add(case, corpus.run(case))
    return tally
