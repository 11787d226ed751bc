"""Every contestant trained and tested under equal conditions, with several seeds; what is done stays done.

DIR/trained/ROW/seedN/ holds the state of a run (`checkpoint.pt`) and what its network scored (`result.json`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from torch import nn

from polyfuse.downstream.rows import Contestants, Row
from polyfuse.downstream.training.engine import Budget, Lessons, Rgb, Task, identity, train_network
from polyfuse.errors import InputError, OutputError
from polyfuse.io import write_text
from polyfuse.io.documents import parse_json
from polyfuse.io.source import MAX_RECORD, file_sha256, read_bytes_of

TRAINED = "trained"
"""Folder, in that of a comparison, with the runs."""
RESULT = "result.json"
_SCHEMA = 1
Truth = TypeVar("Truth")


class Exam(Protocol):
    """What a trained network is asked."""

    def answer(self, network: nn.Module, picture: Rgb, index: int) -> Any:
        """What a network makes of the test picture of that index, as plain values that JSON holds."""


@dataclass(frozen=True, eq=False)
class Split(Generic[Truth]):
    """Pictures of all contestants with what is known of them."""

    contestants: Contestants
    """Whose pictures."""
    truths: tuple[Truth, ...]
    """Of each pair, in order."""

    def lessons(self, row: Row) -> Lessons[Truth]:
        """All pictures of a row, in memory."""
        return Lessons([self.contestants.picture(row, pair) for pair in self.contestants.pairs], self.truths)


@dataclass(frozen=True)
class Trial:
    """One row trained with one seed, and its answers."""

    row: Row
    """Whose pictures."""
    seed: int
    """Of the training."""
    answers: tuple[Any, ...]
    """Of each test picture, as `Exam.answer` gave them."""
    was_there: bool
    """Whether an earlier run had done it."""


def run_trials(
    task: Task[Truth],
    exam: Exam,
    train: Split[Truth],
    test: Split[Truth],
    budget: Budget,
    seeds: int,
    out: Path,
    *,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
    tell: Callable[[Row, int, int, float], None] = lambda row, seed, step, loss: None,
) -> Iterator[Trial]:
    """Train and test every row with seeds 0 to `seeds - 1`, yielding each trial when it is done.

    The pictures of one row at a time are in memory.

    Args:
        task: What is learned.
        exam: What is asked.
        train: To learn from.
        test: To be tested on; its rows are those of `train`.
        budget: The same for every row.
        seeds: How often each row is trained.
        out: Folder of the comparison.
        device: Where to train.
        say: Gets a line on what is damaged and done anew.
        tell: Is told row, seed, steps done and loss.

    Raises:
        OutputError: If the folder holds other runs, or cannot be written.
        TrainingError: If a loss is not finite.
    """
    for row, same in zip(train.contestants.rows, test.contestants.rows, strict=True):
        lessons, asked = train.lessons(row), test.lessons(same)
        for seed in range(seeds):
            folder = run_folder(out, row, seed)
            facts = f"{identity(task, lessons, budget, seed)} {asked.sha256(task)}"
            mark = hashlib.sha256(facts.encode()).hexdigest()
            answers = _read(folder / RESULT, mark, len(asked.pictures), say)
            was_there = answers is not None
            if answers is None:
                network = train_network(
                    task, lessons, budget, seed, folder, device=device, say=say,
                    tell=partial(tell, row, seed),
                )  # fmt: skip
                answers = tuple(exam.answer(network, picture, index) for index, picture in enumerate(asked.pictures))
                document = {"schema": _SCHEMA, "identity": mark, "answers": answers}
                write_text(folder / RESULT, json.dumps(document) + "\n", overwrite=True)
            yield Trial(row, seed, tuple(answers), was_there)


def run_folder(out: Path, row: Row, seed: int) -> Path:
    """Folder of a training; a name with other signs than letters, digits and a few more is spelled with % codes."""
    name = quote(row.name, safe=" +")
    return out / TRAINED / (name if name.strip(".") else name.replace(".", "%2E")) / f"seed{seed}"


def _read(path: Path, mark: str, count: int, say: Callable[[str], None]) -> tuple[Any, ...] | None:
    """Answers of an earlier run; None if there are none, or they are damaged.

    Raises:
        OutputError: If they are those of another run.
    """
    if not path.exists():
        return None
    try:
        document = parse_json(read_bytes_of(path, MAX_RECORD, what="result"))
        found, answers = document["identity"], document["answers"]
        is_whole = isinstance(answers, list) and len(answers) == count
    except (InputError, ValueError, KeyError, TypeError):
        found, answers, is_whole = mark, None, False
    if found != mark:
        raise OutputError(
            f"{path.parent} holds a training with other pictures, options or versions of them: choose another --out, "
            "or delete that folder."
        )
    if not is_whole:
        say(f"{path} is damaged: that network is tested anew")
        return None
    return tuple(answers)


def shared_pictures(train: Contestants, test: Contestants) -> list[str]:
    """Names of test pairs of which a source is, byte for byte, a source that is trained on too.

    Raises:
        InputError: If a file cannot be read.
    """
    known = {file_sha256(path) for pair in train.pairs for path in (pair.a, pair.b)}
    return [pair.name for pair in test.pairs if known & {file_sha256(pair.a), file_sha256(pair.b)}]
