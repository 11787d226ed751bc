"""Scores of preference from choices between two pictures each, as the blind test of a page records them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError
from polyfuse.io.documents import parse_json
from polyfuse.io.source import read_bytes_of, shown

FORMAT = "polyfuse-choices"
"""What the files that pages export call themselves."""
_MAX_BYTES = 1 << 26
_ENOUGH, _ROUNDS = 1e-12, 100_000


@dataclass(frozen=True)
class Choice:
    """Two methods were shown, and one was preferred, or neither."""

    left: str
    """Method of the picture on the left."""
    right: str
    """Method of the picture on the right."""
    chosen: Literal["left", "right", "neither"]
    """Which picture was preferred."""


@dataclass(frozen=True)
class Preference:
    """The score of one method."""

    method: str
    """Name."""
    score: float
    """Bradley-Terry score on the logistic scale: of two methods the first is preferred with the chance
    1 / (1 + exp(second - first)). 0 is a method that wins as often as it loses."""
    error: float
    """Standard error of the score."""
    wins: int
    """How often it was preferred."""
    losses: int
    """How often the other one was."""
    ties: int
    """How often neither was."""

    @property
    def chance(self) -> float:
        """Chance to be preferred to a method of score 0."""
        return 1 / (1 + math.exp(-self.score))


def bradley_terry(choices: Iterable[Choice]) -> list[Preference]:
    """Scores of all methods that were shown, best first; equal ones by name.

    A tie counts as half a win of each. So that a method that never lost has a score too, each is given one tie against
    an imagined method of score 0, which draws scores towards 0 where choices are few. Strengths are found by Hunter's
    iteration p_i = (w_i + 1/2) / (sum_j n_ij / (p_i + p_j) + 1 / (p_i + 1)), the errors from the inverse of the
    information matrix. The page computes the same in `preference.js`.

    Source: Bradley and Terry 1952; Hunter 2004 for the iteration; the imagined tie is ours.

    >>> [(p.method, round(p.score, 3)) for p in bradley_terry([Choice("x", "y", "left"), Choice("y", "x", "neither")])]
    [('x', 0.42), ('y', -0.42)]
    """
    shown_choices = [choice for choice in choices if choice.left != choice.right]
    names = sorted({name for choice in shown_choices for name in (choice.left, choice.right)})
    index = {name: number for number, name in enumerate(names)}
    wins, ties = (np.zeros((len(names), len(names))) for _ in range(2))
    for choice in shown_choices:
        left, right = index[choice.left], index[choice.right]
        if choice.chosen == "neither":
            ties[left, right] += 1
            ties[right, left] += 1
        else:
            winner, loser = (left, right) if choice.chosen == "left" else (right, left)
            wins[winner, loser] += 1
    met = wins + wins.T + ties
    strengths = _strengths(wins.sum(axis=1) + ties.sum(axis=1) / 2, met)
    errors = _errors(strengths, met)
    found = [
        Preference(
            name,
            float(np.log(strengths[number])),
            float(errors[number]),
            int(wins[number].sum()),
            int(wins[:, number].sum()),
            int(ties[number].sum()),
        )
        for name, number in index.items()
    ]
    return sorted(found, key=lambda preference: (-preference.score, preference.method))


def _strengths(won: NDArray[np.float64], met: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(score) of each method, by fixed-point iteration from 1."""
    strengths = np.ones(len(won))
    for _ in range(_ROUNDS):
        weights = (met / (strengths[:, None] + strengths[None, :])).sum(axis=1) + 1 / (strengths + 1)
        earlier, strengths = strengths, (won + 0.5) / weights
        if np.abs(np.log(strengths / earlier)).max(initial=0) < _ENOUGH:
            break
    return strengths


def _errors(strengths: NDArray[np.float64], met: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors of the scores."""
    if not len(strengths):
        return np.zeros(0)
    share = strengths[:, None] / (strengths[:, None] + strengths[None, :])
    information = -met * share * share.T
    alone = strengths / (strengths + 1)
    np.fill_diagonal(information, 0)
    np.fill_diagonal(information, -information.sum(axis=1) + alone * (1 - alone))
    errors: NDArray[np.float64] = np.sqrt(np.diag(np.linalg.inv(information)))
    return errors


def read_choices(path: Path) -> list[Choice]:
    """The choices in a JSON file that the blind test of a page exported.

    Raises:
        InputError: If it cannot be read or is no such file.
    """
    try:
        document = parse_json(read_bytes_of(path, _MAX_BYTES, what="file of choices"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{shown(path)} is no JSON ({error}): export it again from the page.") from error
    is_ours = isinstance(document, dict) and document.get("format") == FORMAT
    if not is_ours or not isinstance(document.get("choices"), list):
        raise InputError(f"{shown(path)} holds no choices: give a JSON file that the blind test of a page exported.")
    return [_choice(entry, path) for entry in document["choices"]]


def _choice(entry: Any, path: Path) -> Choice:
    """One entry, checked."""
    if isinstance(entry, dict):
        left, right, chosen = (entry.get(key) for key in ("left", "right", "chosen"))
        if isinstance(left, str) and isinstance(right, str) and chosen in ("left", "right", "neither"):
            return Choice(left, right, chosen)
    text = shown(json.dumps(entry), most=80)
    raise InputError(f"{shown(path)} holds an entry that is no choice ({text}): export it again from the page.")
