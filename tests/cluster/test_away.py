"""What a worker does with pairs at addresses, in this process, which alone sees memory://."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from polyfuse import registry
from polyfuse.cluster.fusing import Fusing
from polyfuse.cluster.mirror import Mirror
from polyfuse.cluster.scoring import Scoring
from polyfuse.errors import InputError
from polyfuse.evaluation import Task, find_items
from polyfuse.evaluation.run import score_item
from polyfuse.fusion import FuseOptions, Outcome, Writing, fuse_pairs
from polyfuse.io import Pair, find_pairs, write_picture

OPTIONS = FuseOptions()
LOAD = partial(registry.load, "laplacian")
Job = tuple[Pair, Path]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three pairs on this machine."""
    rng = np.random.default_rng(5)
    for index in range(3):
        write_picture(tmp_path / f"ir/{index}.png", rng.integers(0, 256, (12, 16), dtype=np.uint8))
        write_picture(tmp_path / f"vi/{index}.png", rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    return tmp_path / "ir", tmp_path / "vi"


@pytest.fixture
def away(folders: tuple[Path, Path]) -> Iterator[Any]:
    """The same pairs at memory://b/ir and memory://b/vi."""
    system = fsspec.filesystem("memory")
    for folder in folders:
        for path in folder.iterdir():
            system.pipe_file(f"/b/{folder.name}/{path.name}", path.read_bytes())
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def jobs(away: Any, tmp_path: Path) -> tuple[Mirror, list[Job]]:
    """The pairs at addresses, as a run finds them."""
    (tmp_path / "mirror").mkdir()
    mirror = Mirror(tmp_path / "mirror")
    pairs = find_pairs(mirror.listed("memory://b/ir"), mirror.listed("memory://b/vi"))
    return mirror, [(pair, mirror.place(f"memory://b/out/{pair.name}.png")) for pair in pairs]


def fused(mirror: Mirror, jobs: list[Job], *, stopped: Callable[[], bool] = lambda: False, **how: Any) -> list[Outcome]:
    """What a worker makes of the jobs."""
    on_error = how.pop("on_error", "stop")
    fusing = Fusing(LOAD, how.pop("options", OPTIONS), Writing(**how), on_error, mirror.folder, Path.cwd())
    outcomes: list[Outcome] = fusing(stopped, lambda: None)(jobs)
    return outcomes


def test_pairs_at_addresses_become_the_files_of_a_run_here(
    away: Any, jobs: tuple[Mirror, list[Job]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    outcomes = fused(*jobs)
    assert [outcome.state for outcome in outcomes] == ["fused"] * 3
    here = [(pair, tmp_path / f"here/{pair.name}.png") for pair in find_pairs(*folders)]
    list(fuse_pairs(here, LOAD(), OPTIONS))
    for pair, path in here:
        assert away.cat_file(f"/b/out/{pair.name}.png") == path.read_bytes()
    record = json.loads(away.cat_file("/b/out/1.png.json"))
    assert [record["sources"][side]["path"] for side in "ab"] == ["memory://b/ir/1.png", "memory://b/vi/1.png"]
    assert str(tmp_path) not in json.dumps(record)
    assert len(away.find("/b/out")) == 6


def test_resuming_keeps_what_is_the_same_and_makes_the_rest(away: Any, jobs: tuple[Mirror, list[Job]]) -> None:
    fused(*jobs)
    away.pipe_file("/b/ir/1.png", away.cat_file("/b/ir/0.png"))
    before = away.cat_file("/b/out/0.png")
    assert [outcome.state for outcome in fused(*jobs, resume=True)] == ["kept", "fused", "kept"]
    assert away.cat_file("/b/out/0.png") == before
    assert away.cat_file("/b/out/1.png") != before


def test_exchanged_sources_are_told_in_their_roles(jobs: tuple[Mirror, list[Job]]) -> None:
    mirror, (job, *_) = jobs
    (outcome,) = fused(mirror, [job], options=FuseOptions(swap=True))
    assert mirror.address(outcome.pair.a) == "memory://b/vi/0.png"


@pytest.mark.parametrize(
    ("on_error", "states"), [("skip", ["fused", "failed", "fused"]), ("stop", ["fused", "failed"])]
)
def test_pair_that_failed_names_its_address(
    on_error: str, states: list[str], away: Any, jobs: tuple[Mirror, list[Job]]
) -> None:
    away.pipe_file("/b/ir/1.png", b"no picture")
    outcomes = fused(*jobs, on_error=on_error)
    assert [outcome.state for outcome in outcomes] == states
    assert str(outcomes[1].error).startswith("memory://b/ir/1.png is not a picture")
    assert not away.exists("/b/out/1.png")


def test_missing_source_is_one_failed_pair(away: Any, jobs: tuple[Mirror, list[Job]]) -> None:
    away.rm_file("/b/vi/2.png")
    outcomes = fused(*jobs, on_error="skip")
    assert isinstance(outcomes[2].error, InputError)
    assert str(outcomes[2].error).startswith("memory://b/vi/2.png does not exist")


def test_stopped_run_begins_no_pair(away: Any, jobs: tuple[Mirror, list[Job]]) -> None:
    assert fused(*jobs, stopped=lambda: True) == []
    assert not away.exists("/b/out")


def test_scores_at_addresses_are_those_here(
    away: Any, jobs: tuple[Mirror, list[Job]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    mirror, task = jobs[0], Task(("EN", "MI"))
    for index in range(3):
        content = b"no picture" if index == 2 else (folders[0] / f"{index}.png").read_bytes()
        away.pipe_file(f"/b/f/{index}.png", content)
    places = [mirror.listed(f"memory://b/{name}") for name in ("f", "ir", "vi")]
    items, _ = find_items({"f": places[0]}, *places[1:])
    scored = Scoring(task, "skip", mirror.folder, Path.cwd())(lambda: False, lambda: None)(items)
    away.get("/b/f", str(tmp_path / "f"), recursive=True)
    for one, item in zip(scored, find_items({"f": tmp_path / "f"}, *folders)[0], strict=True):
        here = score_item(item, task)
        assert (one.evaluations, one.digests) == (here.evaluations, here.digests)
    ((name, error),) = scored[2].failures()
    assert (name, str(error).split(" is not")[0]) == ("2", "memory://b/f/2.png")
