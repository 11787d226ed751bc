"""`polyfuse ablate` from end to end on a tiny budget: what it leaves, repeats, refuses and prints."""

import csv
import io
import json
import shutil
import signal
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polyfuse import cli
from polyfuse.errors import TrainingError
from polyfuse.registry import trained
from polyfuse.train import loop, turns

TINY = {"coder": {"channels": 3, "kernel_size": 3}}
METRICS = ["MI", "CE", "VIF", "Qabf", "Qcb", "SSIM"]
ROWS = ["full", "AE11", "AE12"]


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


Ablate = Callable[..., Ran]


@pytest.fixture
def ablate(
    write_recipe: Callable[..., Path],
    sources: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Ablate:
    """Run `polyfuse ablate fnet A B` with the tiny recipe, the rows AE11 and AE12, two seeds, and these options."""

    def run(*options: object, rows: str = "AE11,AE12", seeds: int = 2) -> Ran:
        words = ["ablate", "fnet", *sources, "-o", tmp_path / "study", "--recipe", write_recipe()]
        words += ["--rows", rows, "--seeds", seeds, *options]
        capsys.readouterr()
        code = cli.run([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def done_once() -> dict[str, Path]:
    """Where the finished study of this module is, once there is one."""
    return {}


@pytest.fixture
def done(ablate: Ablate, done_once: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A study that is done, this test's own copy: the rows and seeds that `ablate` runs by default."""
    study = tmp_path / "study"
    if not done_once:
        assert ablate("--quiet").code == 0
        done_once["study"] = tmp_path_factory.mktemp("done") / "study"
        study.rename(done_once["study"])
    return Path(shutil.copytree(done_once["study"], study))


@pytest.mark.parametrize("place", ["study/full/seed0/recipe.json", "study/AE11/seed1/scores.json"])
def test_study_never_replaces_its_recipe(ablate: Ablate, write_recipe: Any, tmp_path: Path, place: str) -> None:
    recipe = tmp_path / place
    recipe.parent.mkdir(parents=True)
    recipe.write_bytes(write_recipe().read_bytes())
    ran = ablate("--recipe", recipe)
    assert (ran.code, "is an input and would be replaced: choose another --out" in ran.err) == (5, True)
    assert [path for path in (tmp_path / "study").rglob("*") if path.is_file()] == [recipe]


def test_study_never_replaces_a_picture(ablate: Ablate, sources: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "study/full/seed0"
    place.mkdir(parents=True)
    (place / "fused").symlink_to(sources[0])
    before = (sources[0] / "0.png").read_bytes()
    ran = ablate()
    assert (ran.code, "is an input and would be replaced: choose another --out" in ran.err) == (5, True)
    assert (sources[0] / "0.png").read_bytes() == before
    assert [path.name for path in place.iterdir()] == ["fused"]


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time of writing and content of every file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def scores(study: Path, row: str, seed: int) -> dict[str, float]:
    """Means of one run, from its file."""
    document = json.loads((study / row / f"seed{seed}/scores.json").read_text("utf-8"))
    return {name: document["rows"][0]["summary"][name]["mean"] for name in METRICS}


def test_study_leaves_ordinary_run_folders_with_pictures_and_scores(done: Path) -> None:
    for row in ROWS:
        for seed in (0, 1):
            run = done / row / f"seed{seed}"
            wanted = {"recipe.json", "environment.json", "checkpoint.pt", "weights.safetensors", "log-fusion.csv"}
            assert wanted | {"scores.json", "fused/0.png", "fused/1.png"} <= set(files(run))
            assert json.loads((run / "recipe.json").read_text("utf-8"))["seed"] == seed
    assert not (done / "AE11/seed0/log-reconstruction.csv").exists()


def test_numbers_are_mean_and_spread_of_the_files_and_the_papers_stand_beside(ablate: Ablate, done: Path) -> None:
    ran = ablate("--format", "csv")
    lines = {(line["row"], line["metric"]): line for line in csv.DictReader(io.StringIO(ran.out))}
    assert list(lines) == [(row, metric) for row in ROWS for metric in METRICS]
    for (row, metric), line in lines.items():
        ours, full = ([scores(done, name, seed)[metric] for seed in (0, 1)] for name in (row, "full"))
        assert float(line["mean"]) == pytest.approx(statistics.mean(ours))
        assert float(line["sd"]) == pytest.approx(statistics.stdev(ours))
        if row != "full":
            assert float(line["difference"]) == pytest.approx(statistics.mean(ours) - statistics.mean(full))
            squares = statistics.variance(ours) / 2 + statistics.variance(full) / 2
            assert float(line["error"]) == pytest.approx(squares**0.5)
    printed = [lines["AE11", "MI"][key] for key in ("paper", "paper_difference", "protocol", "direction")]
    assert printed == ["2.22", "-0.35", "fnet", "up"]
    assert (lines["full", "MI"]["paper"], lines["full", "MI"]["difference"]) == ("2.57", "")


def test_table_states_the_budget_and_shows_the_same_numbers(ablate: Ablate, done: Path) -> None:
    lines = ablate().out.splitlines()
    assert "budget: reconstruction 2, fusion 2 steps of 1 crop of 16x16 out of 3 pairs of blocks/train" in lines
    assert "network: coder.channels 3, coder.kernel_size 3" in lines
    assert any("only the direction" in line for line in lines[:5])
    row = next(line for line in lines if line.startswith("AE11 no stage I"))
    ours = [scores(done, "AE11", seed)["MI"] for seed in (0, 1)]
    words = row.removeprefix("AE11 no stage I").split()
    assert words[0] == f"{statistics.mean(ours):.3f}±{statistics.stdev(ours):.3f}"
    assert words[2:4] == ["2.22", "-0.35"]
    assert max(map(len, (line for line in lines if line.startswith(("row", "full", "AE"))))) <= 120


def test_scores_are_those_of_fuse_and_evaluate(
    done: Path, tmp_path: Path, sources: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run, fused = done / "AE11/seed1", tmp_path / "again"
    pair = [str(path) for path in sources]
    weights = str(run / "weights.safetensors")
    assert cli.run(["fuse", *pair, "--model", "fnet", "--weights", weights, "-o", str(fused)]) == 0
    capsys.readouterr()
    assert cli.run(["evaluate", str(fused), *pair, "--protocol", "fnet", "--metrics", ",".join(METRICS), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["rows"][0]["summary"]
    assert {name: summary[name]["mean"] for name in METRICS} == scores(done, "AE11", 1)


def test_second_call_touches_nothing_and_prints_the_same(ablate: Ablate, done: Path) -> None:
    before = files(done)
    first, second = ablate(), ablate()
    assert (first.code, second.code, second.out) == (0, 0, first.out)
    assert first.err.count("finished") == len(ROWS) * 2
    assert files(done) == before


def test_further_seeds_and_rows_are_added_to_those_done(ablate: Ablate, done: Path) -> None:
    before = files(done)
    ablate(rows="AE13", seeds=3)
    after = files(done)
    assert before.items() <= after.items()
    assert {f"{row}/seed{seed}/scores.json" for row in ("full", "AE13") for seed in (0, 1, 2)} <= set(after)
    assert "AE11/seed2/scores.json" not in after


def test_table_only_trains_nothing_and_says_what_is_missing(ablate: Ablate, done: Path) -> None:
    (done / "full/seed1/scores.json").unlink()
    before = files(done)
    ran = ablate("--table-only", rows="AE11,AE13")
    assert ran.code == 0
    assert "not all seeds are done: full 1, AE13 0 of 2" in ran.out
    assert files(done) == before


def test_other_pictures_are_scored_anew_without_training(
    ablate: Ablate, done: Path, sources: tuple[Path, Path]
) -> None:
    before = files(done / "AE11/seed0")
    for folder in sources:
        (folder / "1.png").unlink()
    document = json.loads(ablate("--json", rows="AE11", seeds=1).out)
    after = files(done / "AE11/seed0")
    assert document["pairs"]["n"] == 1
    assert before["scores.json"] != after["scores.json"]
    assert before["weights.safetensors"] == after["weights.safetensors"]


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_interrupted_study_exits_with_its_code_and_ends_with_the_same_numbers(
    ablate: Ablate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    steps = iter(range(100))
    original = turns.take_turn

    def interrupted(*arguments: Any, **named: Any) -> dict[str, float]:
        if next(steps) == 4 + 1:  # the full model has four steps; this is the second of AE12
            signal.raise_signal(number)
        return original(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_turn", interrupted)
        assert ablate(rows="AE12", seeds=1).code == 128 + number
    run = tmp_path / "study/AE12/seed0"
    assert (run / "checkpoint.pt").exists()
    assert not (run / "weights.safetensors").exists()
    full = files(tmp_path / "study/full")
    ran = ablate(rows="AE12", seeds=1)
    assert "resumed at step 2 of 4" in ran.err
    assert files(tmp_path / "study/full") == full
    (tmp_path / "study").rename(tmp_path / "interrupted")
    assert ablate(rows="AE12", seeds=1).out == ran.out


@pytest.mark.parametrize(
    "setting",
    ["stages.1.steps=3", "stages.0.optimiser.rate=1e-3", "model.coder.channels=2", "stages.1.losses.ssim=1.0"],
)
def test_run_folder_of_another_recipe_is_refused_before_any_work(ablate: Ablate, done: Path, setting: str) -> None:
    before = files(done)
    ran = ablate("--quiet", "--set", setting, rows="AE12,AE13", seeds=1)
    key = setting.partition("=")[0]
    assert ran.code == 5
    assert f"full/seed0 holds a run of another recipe, {key.removesuffix('.ssim')}" in ran.err
    assert files(done) == before


def test_run_folder_on_other_data_is_refused(ablate: Ablate, done: Path, other_pack: Path) -> None:
    ran = ablate("--quiet", "--set", f"data.train={other_pack}", rows="AE11", seeds=1)
    assert (ran.code, "the packs hold other pictures" in ran.err) == (5, True)


def test_row_whose_training_breaks_down_is_named_and_the_others_are_complete(
    ablate: Ablate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyfuse.ablation import work

    def train(recipe: Any, out: Path, **named: Any) -> list[Path]:
        if "ae11" in recipe.name:
            raise TrainingError("total of turn fuser is nan")
        return trained.train(recipe, out, **named)

    monkeypatch.setattr(work, "train", train)
    ran = ablate("--quiet", seeds=1)
    assert ran.code == 1
    assert "AE11, seed 0: total of turn fuser is nan" in ran.err
    assert "1 of 3 runs could not be trained (AE11, seed 0)" in ran.err
    assert next(line for line in ran.out.splitlines() if line.startswith("AE11")).split()[4] == "n/a"
    assert (tmp_path / "study/AE12/seed0/scores.json").exists()


def test_without_a_known_data_set_the_papers_columns_are_left_out(
    write_recipe: Callable[..., Path],
    sources: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "tno").rename(tmp_path / "own")
    own = [str(tmp_path / "own" / path.name) for path in sources]
    words = ["ablate", "fnet", *own, "--recipe", str(write_recipe()), "--table-only", "-o", str(tmp_path / "study")]
    assert cli.run(words) == 0
    captured = capsys.readouterr()
    assert "tells no data set" in captured.err
    assert "paper" not in captured.out.partition("\nrow")[2]
    assert cli.run([*words, "--dataset", "roadscene"]) == 0
    assert "FNet, Table III, RoadScene" in capsys.readouterr().out


def test_folder_in_use_is_refused_but_its_table_is_shown(ablate: Ablate, done: Path) -> None:
    from polyfuse.ablation import hold

    with hold(done):
        refused, shown = ablate("--quiet"), ablate("--quiet", "--table-only")
    assert (refused.code, refused.out) == (5, "")
    assert "study is in use by process" in refused.err
    assert (shown.code, shown.out) == (0, ablate("--quiet").out)


def test_steps_are_split_over_the_stages(ablate: Ablate) -> None:
    assert "budget: reconstruction 3, fusion 3 steps" in ablate("--table-only", "--steps", 6).out


def test_json_holds_every_seed_and_the_agreement_with_the_paper(ablate: Ablate, done: Path) -> None:
    document = json.loads(ablate("--json").out)
    assert [row["row"] for row in document["rows"]] == ROWS
    assert document["model"] == TINY
    assert document["rows"][1]["seeds"]["1"] == scores(done, "AE11", 1)
    assert document["paper"] == {
        "name": "FNet",
        "budget": "reconstruction 20000, fusion 20000 steps of 16 crops of 128x128 of MSRS",
        "table": "Table III",
        "dataset": "TNO",
    }
    metrics = [entry for row in document["rows"][1:] for entry in row["metrics"].values()]
    clear = [e for e in metrics if abs(e["difference"]) > 2 * e["error"] and e["paper_difference"]]
    agreeing = [e for e in clear if e["difference"] * e["paper_difference"] > 0]
    assert document["clear"] == {"standard_errors": 2.0, "differences": len(clear), "agree": len(agreeing)}


def test_markdown_is_a_table_with_the_budget_above(ablate: Ablate, done: Path) -> None:
    out = ablate("--format", "md").out
    assert "- budget: reconstruction 2, fusion 2 steps" in out
    assert "| row | MI ↑ | Δ | paper | Δ | CE ↓ |" in out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--rows", "AE99"], 2, "has no row 'AE99': did you mean AE9"),
        (["--dataset", "TNOO"], 2, "no published table has the data set 'TNOO'"),
        (["--recipe", "fnet-cpuu"], 3, "fnet-cpuu is no recipe"),
        (["--set", "stages.0.stepz=3"], 2, "did you mean steps"),
        (["--set", "parts.invers.coder.threshold=soft"], 2, "parts has no 'invers': did you mean inverse"),
        (["--set", "data.train=gone.pack"], 3, "gone.pack cannot be read"),
        (["--seeds", "0"], 2, "--seeds"),
        (["--steps", "1"], 2, "1 steps are too few for 2 stages"),
    ],
)
def test_wrong_options_end_with_their_code_before_any_work(
    ablate: Ablate, tmp_path: Path, options: list[str], code: int, message: str
) -> None:
    ran = ablate("--quiet", *options)
    assert ran.code == code
    assert message in ran.err
    assert ran.out == ""
    assert not (tmp_path / "study").exists()
