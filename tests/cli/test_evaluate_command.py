"""`polyfuse evaluate` from end to end: what goes where, exit codes, files, interruption."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.cli.evaluate import named_methods
from polyfuse.errors import UsageError
from polyfuse.io import write_picture

Runner = Callable[..., Any]
FEW = ("--metrics", "EN,MI,SSIM")
TEXTS = {"per_picture.csv", "summary.csv", "results.json", "table.md", "table.tex"}


@pytest.fixture
def scene(tmp_path: Path) -> tuple[str, str]:
    """Folders ir/ and vi/ with three pairs, and two methods one/ and two/."""
    rng = np.random.default_rng(8)
    for index in range(3):
        a, b = (rng.integers(0, 256, (20, 24), dtype=np.uint8) for _ in range(2))
        pictures = {"ir": a, "vi": b, "one": a // 2 + b // 2, "two": np.maximum(a, b)}
        for folder, picture in pictures.items():
            write_picture(tmp_path / folder / f"{index}.png", picture)
    return "ir", "vi"


def break_file(path: str) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:50])


def test_three_files_give_a_table_on_stdout_and_nothing_else(polyfuse: Runner, scene: tuple[str, str]) -> None:
    ran = polyfuse("evaluate", "one/0.png", "ir/0.png", "vi/0.png", *FEW)
    assert (ran.code, ran.err) == (0, [])
    assert "MI[cddfuse] ↑" in ran.out[0]
    assert ran.out[2].split()[:2] == ["0", "1"]
    assert "\x1b" not in "".join(ran.out)


def test_three_folders_are_matched_by_stem(polyfuse: Runner, scene: tuple[str, str]) -> None:
    ran = polyfuse("evaluate", "one", *scene, *FEW)
    assert ran.code == 0
    assert ran.out[2].split()[:2] == ["one", "3"]
    assert any(line.startswith("n = 3 pairs, list sha256 ") for line in ran.out)


def test_several_methods_and_baselines_share_a_table(polyfuse: Runner, scene: tuple[str, str]) -> None:
    ran = polyfuse("evaluate", "--fused", "mine=one", "--fused", "two", *scene, "--baselines", *FEW)
    assert ran.code == 0
    assert [line.split("  ")[0] for line in ran.out[2:9]] == [
        "mine", "two", "", "baselines", "copy a", "copy b", "average",
    ]  # fmt: skip
    assert any("two is within 2 % of the baseline maximum" in line for line in ran.out)


def test_out_holds_every_file_and_formats_parse_back(polyfuse: Runner, scene: tuple[str, str]) -> None:
    methods = ("--fused", "1=one", "--fused", "2=two")
    ran = polyfuse("evaluate", *methods, *scene, "--metrics", "MI,CC,MSE", "--out", "new/out")
    assert ran.code == 0
    charts = {f"{stem}.{kind}" for stem in ("radar", "box_MI", "box_CC", "box_MSE") for kind in ("png", "svg")}
    assert {path.name for path in Path("new/out").iterdir()} == TEXTS | charts
    assert ran.err == ["13 files in new/out"]
    found = json.loads(Path("new/out/results.json").read_text(encoding="utf-8"))
    with Path("new/out/per_picture.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["MI"]) for row in rows] == [picture["values"]["MI"] for picture in found["per_picture"]]
    assert r"\textbf{" in Path("new/out/table.tex").read_text(encoding="utf-8")


def test_existing_files_are_refused_unless_overwritten(polyfuse: Runner, scene: tuple[str, str]) -> None:
    call = ("evaluate", "one", *scene, "--metrics", "EN", "--out", "out", "--no-charts")
    assert polyfuse(*call).code == 0
    assert {path.name for path in Path("out").iterdir()} == TEXTS
    refused = polyfuse(*call)
    assert refused.code == 5
    assert "per_picture.csv and 4 more exist: pass --overwrite" in refused.problem
    assert polyfuse(*call, "--overwrite").code == 0


@pytest.mark.parametrize("form", ["csv", "md", "latex", "json"])
def test_format_chooses_what_stdout_carries(polyfuse: Runner, scene: tuple[str, str], form: str) -> None:
    ran = polyfuse("evaluate", "one", *scene, *FEW, "--format", form)
    text = "\n".join(ran.out)
    assert ran.code == 0
    if form == "csv":
        assert {row["metric"] for row in csv.DictReader(io.StringIO(text))} >= {"EN", "MI", "MI_min", "SSIM_bal"}
    elif form == "json":
        assert json.loads(text)["pairs"]["n"] == 3
    else:
        assert ("| one | 3 |" if form == "md" else r"\begin{tabular}{lccc}") in text


def test_json_of_a_failed_run_holds_the_error(polyfuse: Runner, scene: tuple[str, str]) -> None:
    ran = polyfuse("evaluate", "one", *scene, "--metrics", "nope", "--json")
    assert ran.code == 2
    assert json.loads("\n".join(ran.out))["error"]["exit_code"] == 2


def test_damaged_picture_stops_the_run_by_name(polyfuse: Runner, scene: tuple[str, str]) -> None:
    break_file("one/1.png")
    ran = polyfuse("evaluate", "one", *scene, *FEW, "--out", "out")
    assert (ran.code, ran.out) == (3, [])
    assert "1.png" in ran.problem
    assert "--on-error skip" in ran.problem
    assert not Path("out").exists()


def test_skip_scores_the_rest_and_exits_1(polyfuse: Runner, scene: tuple[str, str]) -> None:
    break_file("one/1.png")
    Path("two/2.png").unlink()
    Path("ir/0.png").unlink()
    ran = polyfuse("evaluate", "--fused", "one", "--fused", "two", *scene, *FEW, "--on-error", "skip", "--json")
    found = json.loads("\n".join(ran.out))
    assert ran.code == 1
    assert [line.split(":")[0] for line in ran.err] == ["0", "1 of one", "2 of two", "polyfuse"]
    assert [(p["pair"], p["method"]) for p in found["per_picture"]] == [("1", "two"), ("2", "one")]
    assert [failure["name"] for failure in found["failures"]] == ["0", "1 of one", "2 of two"]
    assert [line.partition(":")[0] for line in found["warnings"]] == ["one has 1 of 2 pairs", "two has 1 of 2 pairs"]
    assert found["error"]["exit_code"] == 1


def test_missing_fused_picture_is_told_before_any_work(polyfuse: Runner, scene: tuple[str, str]) -> None:
    Path("one/2.png").unlink()
    shutil.copy("one/0.png", "one/more.png")
    ran = polyfuse("evaluate", "one", *scene, *FEW)
    assert ran.code == 3
    assert "one lacks 1 of 3 fused pictures (2); 1 picture in one has no pair (more.png)" in ran.problem


def test_nothing_left_to_score_still_ends_with_1(polyfuse: Runner, scene: tuple[str, str]) -> None:
    for index in range(3):
        break_file(f"one/{index}.png")
    ran = polyfuse("evaluate", "one", *scene, *FEW, "--on-error", "skip")
    assert ran.code == 1
    assert "n/a" in ran.out[2]


def test_undefined_values_are_noted_and_counted(polyfuse: Runner, scene: tuple[str, str]) -> None:
    shutil.copy("ir/1.png", "one/1.png")
    ran = polyfuse("evaluate", "one", *scene, "--metrics", "SCD,MI")
    assert ran.code == 0
    assert ran.err == [
        "1: SCD[cddfuse] has no value, as in its toolbox: leave it out of means, or use a protocol that defines it "
        "(canonical)."
    ]
    assert "SCD: no finite value, left out of the mean: 1 of one" in ran.out
    assert polyfuse("evaluate", "one", *scene, "--metrics", "SCD", "--quiet").err == []


def test_published_rows_stand_in_a_block_of_their_own(polyfuse: Runner, scene: tuple[str, str]) -> None:
    ran = polyfuse("evaluate", "one", *scene, *FEW, "--compare", "FNet", "--dataset", "tno")
    assert (ran.code, ran.err) == (0, [])
    start = ran.out.index("published (FNet, Table I, TNO)")
    assert len(ran.out[start + 1 :]) > 13
    assert "2.57" in ran.out[start + 13]


def test_data_set_is_told_by_the_path_or_asked_for(polyfuse: Runner, scene: tuple[str, str]) -> None:
    assert "pass --dataset" in polyfuse("evaluate", "one", *scene, *FEW, "--compare", "fnet").problem
    Path("tno").mkdir()
    for folder in scene:
        Path(folder).rename(Path("tno") / folder)
    ran = polyfuse("evaluate", "one", "tno/ir", "tno/vi", *FEW, "--compare", "fnet")
    assert ran.err == ["data set TNO, told by the path tno/ir: pass --dataset if it is another"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--metrics", "MI,XYZZY"), "there is no metric"),
        (("--metrics", "EI"), "protocol cddfuse has no EI: it exists in"),
        (("--metrics", ","), "names none"),
        (("--protocol", "cddfuze"), "there is no protocol 'cddfuze': use cddfuse"),
        (("--compare", "nobody"), "use fnet, smfnet, daefuse"),
        (("--dataset", "TNO"), "pass --compare"),
        (("--device", "tpu9"), "use --device cpu"),
    ],
)
def test_wrong_choice_is_a_usage_error(
    polyfuse: Runner, scene: tuple[str, str], options: tuple[str, str], text: str
) -> None:
    ran = polyfuse("evaluate", "one", *scene, *options)
    assert ran.code == 2
    assert text in ran.problem


@pytest.mark.parametrize("paths", [(), ("one",), ("one", "ir"), ("--fused", "one", "two", "ir", "vi")])
def test_wrong_number_of_paths_is_a_usage_error(polyfuse: Runner, scene: tuple[str, str], paths: tuple[str]) -> None:
    ran = polyfuse("evaluate", *paths)
    assert ran.code == 2
    assert "paths are given: give" in ran.problem


@pytest.mark.parametrize("named", [("x=one", "x=two"), ("=one",), ("x=",)])
def test_wrong_name_of_a_method_is_a_usage_error(named: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--fused"):
        named_methods(named)


def test_list_of_pairs_takes_the_place_of_a_and_b(polyfuse: Runner, scene: tuple[str, str]) -> None:
    Path("list.csv").write_text("a,b\nir/0.png,vi/0.png\nir/1.png,vi/1.png\nir/2.png,vi/2.png\n")
    ran = polyfuse("evaluate", "one", "list.csv", *FEW)
    assert (ran.code, ran.out) == (0, polyfuse("evaluate", "one", *scene, *FEW).out)


def test_size_mismatch_names_the_files(polyfuse: Runner, scene: tuple[str, str]) -> None:
    write_picture(Path("one/0.png"), np.zeros((4, 5), np.uint8), overwrite=True)
    ran = polyfuse("evaluate", "one/0.png", "ir/0.png", "vi/0.png", *FEW)
    assert ran.code == 3
    assert (
        "0.png is 5x4 but ir/0.png is 24x20: resize them, or pass the --warp that they were fused with." in ran.problem
    )


def test_interrupted_scoring_writes_nothing(
    polyfuse: Runner, scene: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyfuse.evaluation import run

    real = run.score_item

    def interrupted(item: Any, task: Any) -> Any:
        if item.name == "1":
            raise KeyboardInterrupt
        return real(item, task)

    monkeypatch.setattr(run, "score_item", interrupted)
    ran = polyfuse("evaluate", "one", *scene, *FEW, "--out", "out")
    assert ran.code == 130
    assert not Path("out").exists()


def test_interrupted_writing_leaves_complete_files_only(
    polyfuse: Runner, scene: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(figure: Any, kind: str) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("polyfuse.evaluation.files.rendered", interrupted)
    ran = polyfuse("evaluate", "one", *scene, *FEW, "--out", "out")
    assert ran.code == 130
    assert {path.name for path in Path("out").iterdir()} == TEXTS
    json.loads(Path("out/results.json").read_text(encoding="utf-8"))


def test_help_loads_nothing_heavy(start: Callable[..., Any]) -> None:
    heavy = "[m for m in ('torch', 'numpy', 'rich', 'matplotlib') if m in sys.modules]"
    check = f"import atexit, sys; atexit.register(lambda: print({heavy}))"
    process = start("evaluate", "--help", before=check)
    out, err = process.communicate()
    assert (process.returncode, err, out.splitlines()[-1]) == (0, "", "[]")
