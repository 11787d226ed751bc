"""What the table makes of given scores: brackets, agreement, missing runs and missing values."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from polyfuse.ablation import Comparison, Pictures, compare, find_study, make_plan, work
from polyfuse.ablation.plan import Run
from polyfuse.ablation.tables import grid
from polyfuse.evaluation.terminal import terminal_text
from polyfuse.train import Recipe, load_recipe

STUDY = find_study("fnet")
PICTURES = Pictures((), "0" * 64)
Values = dict[str, list[float | None]]


@pytest.fixture
def comparison(
    base: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Comparison:
    """Of AE1 and AE13 with three seeds and these MI by row; the other metrics are 1 everywhere. AE1 prints 2.35 for
    2.57 of the full model, AE13 1.83."""
    values: Values = request.param
    monkeypatch.setattr(work, "weights_sha256", lambda path: "w")
    runs = make_plan(STUDY, base, STUDY.choose(["AE1", "AE13"]), 3, tmp_path)
    for run in runs:
        found = values[run.variant.name][run.recipe.seed :][:1]
        cells = {name: {"mean": 1.0, "left_out": 0} for name in STUDY.metrics}
        if found:
            cells["MI"] = {"mean": found[0], "left_out": int(found[0] is None)}  # type: ignore[dict-item]
            document = {
                "pairs": {"sha256": PICTURES.sha256},
                "protocol": STUDY.protocol,
                "metrics": [{"name": name} for name in STUDY.metrics],
                "settings": {"weights_sha256": "w"},
                "rows": [{"summary": cells}],
            }
            run.folder.mkdir(parents=True)
            (run.folder / "scores.json").write_text(json.dumps(document), encoding="utf-8")
    return compare(STUDY, base, runs, PICTURES, "TNO")


def words(comparison: Comparison, row: str) -> list[str]:
    """The cells of MI in the row of the printed table."""
    lines = terminal_text(grid(comparison), width=120, styled=False).splitlines()
    line = next(line for line in lines if line.startswith(f"{row} "))
    variant = next(line.variant for line in comparison.lines if line.variant.name == row)
    return line.removeprefix(f"{row:4} {variant.summary}").split()[:4]


CLEAR: Values = {"full": [2.0, 2.1, 2.2], "AE1": [1.0, 1.1, 1.2], "AE13": [2.0, 2.1, 2.3]}
OTHER_WAY: Values = {"full": [2.0, 2.1, 2.2], "AE1": [3.0, 3.1, 3.2], "AE13": [1.0, 1.1, 1.2]}
ONE_SEED: Values = {"full": [2.0], "AE1": [1.0], "AE13": [3.0]}
MISSING: Values = {"full": [2.0, 2.1, 2.2], "AE1": [], "AE13": [None, 2.0, 2.0]}


@pytest.mark.parametrize("comparison", [CLEAR], indirect=True)
def test_difference_within_twice_its_error_is_in_brackets(comparison: Comparison) -> None:
    # sd 0.1 over three seeds on both sides: the error of the difference is 0.1 * sqrt(2 / 3) = 0.0816
    assert words(comparison, "AE1") == ["1.100±0.100", "-1.000", "2.35", "-0.22"]
    assert words(comparison, "AE13") == ["2.133±0.153", "(+0.033)", "1.83", "-0.74"]
    assert words(comparison, "full")[:2] == ["2.100±0.100", "2.57"]
    assert comparison.lines[1].entries["MI"].error == pytest.approx(0.1 * math.sqrt(2 / 3))


@pytest.mark.parametrize(("comparison", "agreement"), [(CLEAR, (1, 1)), (OTHER_WAY, (2, 1))], indirect=["comparison"])
def test_agreement_counts_the_signs_of_clear_differences(comparison: Comparison, agreement: tuple[int, int]) -> None:
    assert comparison.agreement == agreement


@pytest.mark.parametrize("comparison", [ONE_SEED], indirect=True)
def test_one_seed_shows_no_spread_and_no_clear_difference(comparison: Comparison) -> None:
    assert words(comparison, "AE1") == ["1.000", "(-1.000)", "2.35", "-0.22"]
    assert comparison.agreement == (0, 0)
    assert "not all seeds are done: full 1, AE1 1, AE13 1 of 3" in grid(comparison).footer


@pytest.mark.parametrize("comparison", [MISSING], indirect=True)
def test_missing_runs_and_values_are_told_and_never_averaged(comparison: Comparison) -> None:
    assert words(comparison, "AE1")[:3] == ["n/a", "2.35", "-0.22"]
    assert words(comparison, "AE13")[0] == "2.000±0.000"
    footer = grid(comparison).footer
    assert "not all seeds are done: AE1 0 of 3" in footer
    assert "MI: no finite value, left out of the mean: 1 of AE13" in footer


@pytest.mark.parametrize(
    "damage",
    [
        {"rows": []},
        {"rows": 3},
        {"rows": [{"summary": {}}]},
        *(
            {"rows": [{"summary": dict.fromkeys(STUDY.metrics, cell)}]}
            for cell in (1, {"mean": 1.0}, {"mean": "1", "left_out": 0}, {"mean": math.nan, "left_out": 0},
                         {"mean": 1.0, "left_out": "0"}, {"mean": True, "left_out": 0}, {"mean": 1.0, "left_out": -1})
        ),
    ],
    ids=lambda damage: str(damage)[:70],
)  # fmt: skip
@pytest.mark.parametrize("comparison", [ONE_SEED], indirect=True)
def test_scores_that_are_damaged_count_as_missing(
    comparison: Comparison, tmp_path: Path, damage: dict[str, Any]
) -> None:
    path = tmp_path / "AE1/seed0/scores.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage), encoding="utf-8")
    run = Run(STUDY.choose(["AE1"])[1], load_recipe(tmp_path / "tiny.json"), path.parent, "finished")
    assert work.read_scores(STUDY, run, PICTURES) is None
