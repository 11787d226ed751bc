"""Shares of `fuse` and `evaluate`, and what is refused before a cluster is started."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Runner = Callable[..., Any]
Folders = Callable[..., tuple[Path, Path]]


def test_shares_fuse_every_pair_once(polyfuse: Runner, folders: Folders) -> None:
    a, b = folders(7)
    written: list[str] = []
    for index in (1, 2, 3):
        ran = polyfuse("fuse", a, b, "-o", "out", "--model", "average", "--shard", f"{index}/3")
        assert ran.code == 0
        assert f"share {index} of 3: {len(ran.out)} of 7 pairs" in ran.err
        written += ran.out
    assert sorted(written) == [f"out/{index}.png" for index in range(7)]
    polyfuse("fuse", a, b, "-o", "whole", "--model", "average")
    for path in written:
        assert Path(path).read_bytes() == Path("whole", Path(path).name).read_bytes()


def test_share_without_pairs_is_no_error(polyfuse: Runner, folders: Folders) -> None:
    sources = folders(1)
    both = [
        polyfuse("fuse", *sources, "-o", "out", "--model", "average", "--shard", share, "--json")
        for share in ("1/2", "2/2")
    ]
    assert [one.code for one in both] == [0, 0]
    assert sorted(len(json.loads("\n".join(one.out))["results"]) for one in both) == [0, 1]


def test_share_of_an_evaluation_needs_the_pictures_of_its_pairs_alone(polyfuse: Runner, folders: Folders) -> None:
    a, b = folders(5)
    polyfuse("fuse", a, b, "-o", "out", "--model", "average", "--shard", "1/2")
    ran = polyfuse("evaluate", "out", a, b, "--metrics", "EN", "--json", "--shard", "1/2")
    assert ran.code == 0
    scored = [row["pair"] for row in json.loads("\n".join(ran.out))["per_picture"]]
    assert scored == sorted(path.stem for path in Path("out").glob("*.png"))
    assert polyfuse("evaluate", "out", a, b, "--metrics", "EN", "--shard", "2/2").code == 3


def shares_of_an_evaluation(polyfuse: Runner, folders: Folders, number: int = 3) -> list[str]:
    """Folders of all shares of an evaluation of six pairs, one of which has no picture of the first method."""
    a, b = folders(6)
    for model in ("average", "maximum"):
        polyfuse("fuse", a, b, "-o", model, "--model", model)
    Path("average/4.png").unlink()
    given = ("--fused", "average=average", "--fused", "maximum=maximum", a, b, "--metrics", "EN,CC", "--baselines")
    for index in range(1, number + 1):
        where = ("-o", f"scores-{index}", "--no-charts", "--on-error", "skip", "--shard", f"{index}/{number}")
        assert polyfuse("evaluate", *given, *where).code in (0, 1)
    assert polyfuse("evaluate", *given, "-o", "whole", "--no-charts", "--on-error", "skip").code == 1
    return [f"scores-{index}" for index in range(1, number + 1)]


def test_merged_shares_are_the_tables_of_one_run(polyfuse: Runner, folders: Folders) -> None:
    shares = shares_of_an_evaluation(polyfuse, folders)
    given = [word for folder in reversed(shares) for word in ("--merge", folder)]
    ran = polyfuse("evaluate", *given, "-o", "merged", "--no-charts")
    assert ran.code == 1
    assert "1 could not be scored (4 of average)" in ran.err[-1]
    for name in ("per_picture.csv", "summary.csv", "table.md", "table.tex"):
        assert Path("merged", name).read_bytes() == Path("whole", name).read_bytes()
    merged, whole = (json.loads(Path(folder, "results.json").read_text()) for folder in ("merged", "whole"))
    assert merged == whole


def test_shares_that_do_not_fit_are_refused(polyfuse: Runner, folders: Folders) -> None:
    one, two, three = shares_of_an_evaluation(polyfuse, folders)
    for folder, name in (("other", "SD"), ("copy", "EN")):
        Path(folder).mkdir()
        Path(folder, "results.json").write_text(Path(two, "results.json").read_text().replace('"EN"', f'"{name}"'))
    cases = {
        ("scores-1", "scores-2"): "shares are missing (3/3)",
        (one, two, "copy"): "are both share 2 of 3",
        (one, three, "other"): "differ in methods, metrics",
        (one, one): "are both share 1 of 3",
        ("whole",): "whole/results.json is no share",
        ("ir",): "ir/results.json cannot be read, it does not exist",
    }
    for shares, words in cases.items():
        ran = polyfuse("evaluate", *(word for folder in shares for word in ("--merge", folder)))
        assert (ran.code, ran.out) == (3, [])
        assert words in ran.problem
    assert polyfuse("evaluate", "--merge", one, "ir", "vi").code == 2


REFUSED = {
    "unknown engine": (["--engine", "dask"], 2, "'dask' is not one of 'torch', 'onnx', 'openvino', 'ray'"),
    "share past the last": (["--shard", "3/2"], 2, "'3/2' is no share: write I/N"),
    "share before the first": (["--shard", "0/2"], 2, "'0/2' is no share"),
    "no share": (["--shard", "x"], 2, "'x' is no share"),
    "workers without a cluster": (["--workers", "2"], 2, "--workers are processes of --engine ray"),
    "cluster without its engine": (["--address", "auto"], 2, "pass --engine ray as well"),
    "sequence": (["--engine", "ray", "--temporal", "exponential"], 2, "not a sequence"),
    "sequence in shares": (["--shard", "1/2", "--temporal", "exponential"], 2, "--shard parts folders"),
    "card": (["--engine", "ray", "--device", "cuda:1"], 2, "which Ray chooses: pass --device cuda"),
    "unknown model": (["--engine", "ray", "--model", "laplacain"], 2, "did you mean laplacian?"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_call_is_answered_before_any_work(case: str, polyfuse: Runner, folders: Folders) -> None:
    arguments, code, words = REFUSED[case]
    ran = polyfuse("fuse", *folders(2), "-o", "out", "--quiet", *arguments)
    assert (ran.code, ran.out) == (code, [])
    assert words in ran.problem
    assert not Path("out").exists()


@pytest.mark.parametrize("option", [("--engine", "ray"), ("--shard", "1/2")])
def test_clips_and_single_pairs_are_not_parted(
    option: tuple[str, str], polyfuse: Runner, pair: tuple[Path, Path]
) -> None:
    for sources, what in ((pair, "not a single pair: drop it"), (("ir.mp4", "vi.mp4"), "not clips: drop it")):
        ran = polyfuse("fuse", *sources, *option)
        assert ran.code == 2
        assert f"{option[0].split('=')[0]}" in ran.problem
        assert what in ran.problem


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("127.0.0.1:9", 3, "no cluster answers at 127.0.0.1:9"),
        ("head", 2, "--address head is no address of a cluster"),
        ("head:http", 2, "is no address of a cluster"),
    ],
)
def test_cluster_that_does_not_answer_is_told(
    address: str, code: int, words: str, polyfuse: Runner, folders: Folders
) -> None:
    ran = polyfuse("fuse", *folders(2), "--quiet", "--engine", "ray", "--address", address)
    assert ran.code == code
    assert words in ran.problem


def test_missing_ray_names_its_extra(polyfuse: Runner, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = polyfuse("fuse", *folders(2), "--quiet", "--engine", "ray")
    assert (ran.code, ran.out) == (4, [])
    assert ran.problem == '--engine ray needs Ray: pip install "polyfuse[ray]", on every machine'


def test_bucket_whose_package_is_missing_is_told(
    polyfuse: Runner, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.registry import known_implementations

    row = {"class": "absent_package.Absent", "err": "Install absentfs to access absent storage"}
    monkeypatch.setitem(known_implementations, "absent", row)
    ran = polyfuse("fuse", "absent://bucket/ir", folders(1)[1], "--engine", "ray")
    assert ran.code == 4
    assert ran.problem.startswith("absent://bucket/ir needs the package absentfs")


def test_addresses_are_listed_as_they_are_written(polyfuse: Runner, folders: Folders) -> None:
    from fsspec import filesystem

    system = filesystem("memory")
    try:
        for folder in folders(2):
            for path in folder.iterdir():
                system.pipe_file(f"/listed/{path}", path.read_bytes())
        given = ("memory://listed/ir", "memory://listed/vi", "-o", "memory://listed/out/")
        ran = polyfuse("fuse", *given, "--engine", "ray", "--dry-run")
        assert ran.code == 0
        line = "memory://listed/ir/{0}.png  +  memory://listed/vi/{0}.png  ->  memory://listed/out/{0}.png"
        assert ran.out == [line.format(index) for index in range(2)]
    finally:
        system.store.clear()
        system.pseudo_dirs[:] = [""]
