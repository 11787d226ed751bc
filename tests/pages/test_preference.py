"""Bradley-Terry scores: worked values, symmetry, and files that are no choices."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyfuse.errors import InputError
from polyfuse.pages.preference import Choice, bradley_terry, read_choices

METHODS = ("x", "y", "z")
choices = st.lists(
    st.builds(
        Choice, st.sampled_from(METHODS), st.sampled_from(METHODS), st.sampled_from(["left", "right", "neither"])
    ),
    max_size=30,
)


def scores(given_choices: list[Choice]) -> dict[str, float]:
    return {one.method: one.score for one in bradley_terry(given_choices)}


def test_one_win_gives_the_root_of_its_equation() -> None:
    # p of the winner: p = 1.5 / (1 / (p + 1/p) + 1 / (p + 1)), since the loser has 1/p; solved by hand with bisection.
    low, high = 1.0, 10.0
    for _ in range(200):
        p = (low + high) / 2
        low, high = (p, high) if 1.5 / (1 / (p + 1 / p) + 1 / (p + 1)) > p else (low, p)
    assert scores([Choice("x", "y", "left")])["x"] == pytest.approx(math.log(p), abs=1e-9)


def test_ties_alone_make_all_equal() -> None:
    assert scores([Choice("x", "y", "neither"), Choice("y", "z", "neither")]) == pytest.approx(
        {"x": 0, "y": 0, "z": 0}, abs=1e-9
    )


@settings(max_examples=8)
@given(choices)
def test_which_side_a_picture_was_on_does_not_matter(given_choices: list[Choice]) -> None:
    other = {"left": "right", "right": "left", "neither": "neither"}
    turned = [Choice(one.right, one.left, other[one.chosen]) for one in given_choices]  # type: ignore[arg-type]
    assert scores(turned) == pytest.approx(scores(given_choices), abs=1e-8)


@settings(max_examples=8)
@given(choices)
def test_one_more_win_raises_a_score_and_errors_are_finite(given_choices: list[Choice]) -> None:
    base = [*given_choices, Choice("x", "y", "neither")]
    assert scores([*base, Choice("x", "y", "left")])["x"] > scores(base)["x"]
    assert all(0 < one.error < 3 for one in bradley_terry(base))


@settings(max_examples=8)
@given(choices)
def test_counts_add_up(given_choices: list[Choice]) -> None:
    shown = [one for one in given_choices if one.left != one.right]
    found = bradley_terry(given_choices)
    assert sum(one.wins for one in found) == sum(one.losses for one in found)
    assert sum(one.wins + one.losses + one.ties for one in found) == 2 * len(shown)


def test_no_choices_give_no_scores() -> None:
    assert bradley_terry([]) == []
    assert bradley_terry([Choice("x", "x", "left")]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("[]", "holds no choices"),
        (json.dumps({"format": "polyfuse-notes", "choices": []}), "holds no choices"),
        (json.dumps({"format": "polyfuse-choices", "choices": 3}), "holds no choices"),
        (json.dumps({"format": "polyfuse-choices", "choices": [{"left": "x", "right": 3}]}), "that is no choice"),
        (json.dumps({"format": "polyfuse-choices", "choices": [{"left": "x", "right": "y", "chosen": "up"}]}), "is no"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_choices(tmp_path / "c.json")
