"""`polyfuse benchmark` from end to end on small drawn pictures: report, resuming, shards, odd names, bad input."""

import csv
import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse import pages
from polyfuse.io import write_picture, write_text

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")

Runner = Callable[..., Any]
SUITE = """
title = "Yard & <b>garden</b>"
models = ["laplacian"]
metrics = ["MI", "SSIM"]
diagrams = []

[set.yard]
a = "ir"
b = "vi"
name_a = "infrared"

[sheets]
pairs = 1
"""
ODD = '<script>alert(1)</script>, |50 %| & "x" \'$y$ _z_ \\'


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A suite with eight pairs, and a folder theirs/ with their averages."""
    rng = np.random.default_rng(3)
    for name in map(str, range(8)):
        a, b = (rng.integers(0, 256, (24, 32), dtype=np.uint8) for _ in range(2))
        for folder, picture in (("ir", a), ("vi", b), ("theirs", a // 2 + b // 2)):
            write_picture(tmp_path / folder / f"{name}.png", picture)
    (tmp_path / "yard.toml").write_text(SUITE, encoding="utf-8")
    return tmp_path


def contents(folder: str) -> dict[str, bytes]:
    """Every file of a benchmark that must be the same wherever it is made."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if "pictures" not in path.parts and path.name not in ("report.md", "results.json")
    }


def test_one_command_writes_every_part_and_a_second_one_does_nothing_twice(
    polyfuse: Runner, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("benchmark", "yard.toml", "--fused", f"{ODD}=theirs", "--no-page", "--workers", "1", "--quiet")
    ran = polyfuse(*call)
    assert (ran.code, ran.out, ran.err) == (0, ["benchmark/report.md"], [])
    report = Path("benchmark/report.md").read_text("utf-8")
    outside_code = "\n".join(line for line in report.splitlines() if not line.startswith("    "))
    assert "<script>" not in outside_code
    assert "<b>" not in outside_code
    for words in ("LOSTmax", "copy a", "maximum", "Friedman", "| laplacian |", "polyfuse benchmark yard.toml"):
        assert words in report
    assert r"\&" in Path("benchmark/tables/yard.cddfuse.tex").read_text("utf-8")
    assert r"\textless" not in report
    with Path("benchmark/summary.csv").open(encoding="utf-8") as file:
        assert {row["method"] for row in csv.DictReader(file)} >= {"laplacian", ODD, "copy a"}
    found = json.loads(Path("benchmark/results.json").read_text("utf-8"))
    assert found["sets"][0]["pairs"]["n"] == 8
    assert Path("benchmark/sheets/yard.png").is_file()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something is done twice")

    before = contents("benchmark")
    monkeypatch.setattr("polyfuse.evaluation.run.score_item", never)
    monkeypatch.setattr("polyfuse.fusion.batch.fuse_pictures", never)
    assert polyfuse(*call).code == 0
    assert contents("benchmark") == before
    Path("benchmark/results/yard/laplacian/3.json").unlink()
    with pytest.raises(AssertionError, match="twice"):
        polyfuse(*call)


def test_two_shards_merge_to_the_bytes_of_one_run_after_one_was_stopped(
    polyfuse: Runner, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("benchmark", "yard.toml", "--no-page", "--workers", "1", "--quiet")
    assert polyfuse(*call, "-o", "whole").code == 0
    from polyfuse.evaluation import run

    score, scored = run.score_item, []

    def stop(*arguments: Any) -> Any:
        scored.append(arguments)
        if len(scored) == 3:
            raise KeyboardInterrupt
        return score(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(run, "score_item", stop)
        assert polyfuse(*call, "--shard", "1/2", "-o", "one").code == 130
    assert len(list(Path("one/results/yard/laplacian").iterdir())) == 2
    assert polyfuse(*call, "--shard", "1/2", "-o", "one").code == 0
    assert not Path("one/report.md").exists()
    assert polyfuse(*call, "--shard", "2/2", "-o", "two").out == ["two/results"]
    monkeypatch.setattr(run, "score_item", lambda *_: pytest.fail("something is done twice"))
    assert polyfuse(*call, "--merge", "one", "--merge", "two", "-o", "merged").code == 0
    assert contents("merged") == contents("whole")


def test_merging_results_that_contradict_each_other_is_refused(polyfuse: Runner, yard: Path) -> None:
    call = ("benchmark", "yard.toml", "--no-page", "--workers", "1", "--quiet", "--pairs", "1")
    assert polyfuse(*call, "--shard", "1/2", "-o", "one").code == 0
    shutil.copytree("one", "two")
    path = next(Path("two/results/yard/laplacian").iterdir())
    path.write_text(path.read_text("utf-8").replace('"MI": ', '"MI": 1'), encoding="utf-8")
    ran = polyfuse(*call, "--merge", "one", "--merge", "two", "-o", "merged")
    assert ran.code == 3
    assert "were made of the same things and differ" in ran.problem
    assert polyfuse(*call, "--merge", "ir").code == 3


def test_missing_sets_are_named_and_the_others_go_on(polyfuse: Runner, yard: Path) -> None:
    (yard / "both.toml").write_text('sets = ["vifb-21", "yard"]\n' + SUITE, encoding="utf-8")
    ran = polyfuse("benchmark", "both.toml", "--data", ".", "--dry-run")
    assert ran.code == 0
    assert ran.err == ["vifb-21 is missing: get folder input of github.com/xingchenzhang/VIFB, as vifb/test/ir and "
                       "vifb/test/vi; the other sets go on"]  # fmt: skip
    assert ran.out[0] == "yard: 8 pairs, 8 independent"
    ran = polyfuse("benchmark", "both.toml", "--data", ".", "--no-page", "--workers", "1", "--pairs", "2", "--quiet")
    assert ran.code == 1
    assert "sets are missing (vifb-21)" in ran.problem
    assert "vifb-21 is missing" in Path("benchmark/report.md").read_text("utf-8")


def test_method_that_lacks_pictures_is_refused_or_reported(polyfuse: Runner, yard: Path) -> None:
    (yard / "theirs/5.png").unlink()
    call = ("benchmark", "yard.toml", "--fused", "theirs=theirs", "--no-page", "--workers", "1", "--quiet")
    ran = polyfuse(*call)
    assert (ran.code, Path("benchmark").exists()) == (3, False)
    assert "theirs lacks 1 of 8 pictures of yard" in ran.problem
    ran = polyfuse(*call, "--on-error", "skip")
    assert ran.code == 1
    assert "theirs: no result for 1 pair (5)" in Path("benchmark/report.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing.toml",), 3, "one of medical, quick, road"),
        (("yard.toml", "--inset", "1,2"), 2, "write x,y,w,h"),
        (("yard.toml", "--inset", "30,20,10,10"), 3, "lies outside"),
        (("yard.toml", "--shard", "3/2"), 2, "is no share"),
        (("yard.toml", "--sets", "tno-25"), 2, "not in the suite: use yard"),
        (("yard.toml", "--only", "average,nothing"), 2, "--only names average, not in the suite: use "),
        (("yard.toml", "--only", "laplacian,nothing"), 2, "--only names nothing, not in the suite: use "),
        (("yard.toml", "-o", "ir"), 5, "holds other files"),
        (("road",), 2, "pass --data"),
    ],
)
def test_bad_input_is_one_line(polyfuse: Runner, yard: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    ran = polyfuse("benchmark", *arguments, "--no-page", "--workers", "1", "--pairs", "1", "--quiet")
    assert ran.code == code
    assert words in ran.problem


def test_full_disk_midway_leaves_whole_files_and_the_run_goes_on(
    polyfuse: Runner, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def full(path: Path, text: str, **how: Any) -> Path:
        written.append(path)
        if len(written) == 4:
            with monkeypatch.context() as patch:
                patch.setattr(Path, "write_bytes", no_space)
                return write_text(path, text, **how)
        return write_text(path, text, **how)

    def no_space(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    call = ("benchmark", "yard.toml", "--no-page", "--workers", "1", "--quiet", "--pairs", "2")
    with monkeypatch.context() as patch:
        patch.setattr("polyfuse.benchmark.results.write_text", full)
        ran = polyfuse(*call)
    assert ran.code == 5
    assert "free some space" in ran.problem
    whole = list(Path("benchmark/results").rglob("*.json"))
    assert len(whole) == 3
    assert all(json.loads(path.read_text("utf-8"))["schema"] == 1 for path in whole)
    assert polyfuse(*call).code == 0


@pytest.mark.skipif(not (Path(pages.__file__).parent / "site").is_dir(), reason="this checkout lacks the page's files")
def test_page_holds_pictures_tables_and_odd_names(polyfuse: Runner, yard: Path) -> None:
    call = ("benchmark", "yard.toml", "--fused", f"{ODD}=theirs", "--workers", "1", "--quiet", "--pairs", "1")
    ran = polyfuse(*call)
    assert (ran.code, ran.out) == (0, ["benchmark/report.md", "benchmark/page/index.html"])
    page = Path("benchmark/page/index.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert polyfuse(*call).code == 0


def test_pair_that_two_sets_share_is_fused_and_scored_once(
    polyfuse: Runner, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from polyfuse.fusion.pair import fuse_pictures

    fused = []

    def counted(*arguments: Any) -> Any:
        fused.append(arguments)
        return fuse_pictures(*arguments)

    monkeypatch.setattr("polyfuse.fusion.batch.fuse_pictures", counted)
    (yard / "twice.toml").write_text(SUITE + '\n[set.again]\na = "ir"\nb = "vi"\n', encoding="utf-8")
    call = ("benchmark", "twice.toml", "--no-page", "--workers", "1", "--quiet", "--pairs", "2")
    assert polyfuse(*call).code == 0
    assert len(fused) == 2
    one, other = (json.loads(Path(f"benchmark/results/{name}/laplacian/2.json").read_text("utf-8"))
                  for name in ("yard", "again"))  # fmt: skip
    assert (one["scores"], other["set"]) == (other["scores"], "again")
    assert Path("benchmark/pictures/again/laplacian/2.png").is_file()


def test_timings_are_taken_in_turns_and_kept(polyfuse: Runner, yard: Path) -> None:
    timing = '\n[timing]\nsizes = ["32x24"]\nrepeats = 2\n'
    (yard / "timed.toml").write_text(SUITE + timing, encoding="utf-8")
    call = ("benchmark", "timed.toml", "--no-page", "--workers", "1", "--quiet", "--pairs", "1", "--json")
    first = json.loads("\n".join(polyfuse(*call).out))["timings"]
    assert (first["reference"], first["rows"][0]["turns"], first["rows"][0]["ratio"]) == ("laplacian", 2, 1.0)
    assert json.loads("\n".join(polyfuse(*call).out))["timings"] == first


@pytest.mark.slow  # starts two programs of its own
def test_run_that_was_killed_goes_on_to_the_bytes_of_one_that_was_not(
    polyfuse: Runner, start: Callable[..., Any], yard: Path
) -> None:
    call = ("benchmark", "yard.toml", "--no-page", "--workers", "1")
    before = (
        "import os, signal\nfrom polyfuse.evaluation import run\nscore, done = run.score_item, []\n"
        "def kill(*a):\n    done.append(a)\n    return score(*a) if len(done) < 5 else os.kill(os.getpid(), 9)\n"
        "run.score_item = kill\n"
    )
    process = start(*call, "-o", "killed", before=before)
    process.communicate(timeout=300)
    assert process.returncode == -9
    assert len(list((yard / "killed/results/yard/laplacian").glob("*.json"))) == 4
    process = start(*call, "-o", "killed")
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert polyfuse(*call, "-o", "whole", "--quiet").code == 0
    assert contents("killed") == contents("whole")


@pytest.mark.slow
def test_results_are_the_same_in_several_processes(polyfuse: Runner, yard: Path) -> None:
    call = ("benchmark", "yard.toml", "--no-page", "--quiet")
    assert polyfuse(*call, "--workers", "1", "-o", "one").code == 0
    assert polyfuse(*call, "--workers", "2", "-o", "two").code == 0
    assert contents("one") == contents("two")
