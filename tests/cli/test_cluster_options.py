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


REFUSED = {
    "unknown engine": (["--engine", "dask"], 2, "'dask' is not one of 'torch', 'ray'"),
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
