"""Many pairs: order, failures, resuming, memory, and reading, fusing and writing at the same time."""

import hashlib
import json
import os
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from polyfuse import FuseOptions, Result, load
from polyfuse.errors import InputError, OutputError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import Outcome, Writing, batch, fuse_pairs, sources, thermal
from polyfuse.io import Pair, write_picture

Jobs = list[tuple[Pair, Path]]
PATIENCE = 60
"""Seconds to wait for something that comes at once where things work."""


@pytest.fixture
def make_jobs(tmp_path: Path) -> Callable[..., Jobs]:
    """Jobs for `count` small pairs on disk; `bad` numbers those whose b is no picture."""

    def build(count: int, bad: tuple[int, ...] = ()) -> Jobs:
        jobs = []
        for index in range(count):
            a = write_picture(tmp_path / f"a/{index:03}.png", np.full((6, 8), index, np.uint8))
            b = write_picture(tmp_path / f"b/{index:03}.png", np.full((6, 8), 200, np.uint8))
            if index in bad:
                b.write_text("no picture")
            jobs.append((Pair(a.stem, a, b), tmp_path / "out" / a.name))
        return jobs

    return build


def run(jobs: Jobs, model: FusionModel | None = None, **how: Any) -> list[Outcome]:
    on_error = how.pop("on_error", "stop")
    return list(fuse_pairs(jobs, model or load("maximum"), FuseOptions(), writing=Writing(**how), on_error=on_error))


def states(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.pair.name, outcome.state) for outcome in outcomes]


def test_outcomes_come_in_order_and_their_files_exist(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(7)
    outcomes = run(jobs)
    assert states(outcomes) == [(f"{index:03}", "fused") for index in range(7)]
    assert all(outcome.path.is_file() for outcome in outcomes)


def test_each_outcome_is_on_disk_when_it_is_told(make_jobs: Callable[..., Jobs]) -> None:
    for outcome in fuse_pairs(make_jobs(5), load("maximum"), FuseOptions()):
        assert outcome.path.with_name(outcome.path.name + ".json").is_file()


def test_skip_goes_on_after_a_bad_pair(make_jobs: Callable[..., Jobs]) -> None:
    outcomes = run(make_jobs(5, bad=(0, 3)), on_error="skip")
    assert [outcome.state for outcome in outcomes] == ["failed", "fused", "fused", "failed", "fused"]
    assert isinstance(outcomes[3].error, InputError)


def test_stop_starts_nothing_after_a_bad_pair(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(9, bad=(2,))
    assert states(run(jobs)) == [("000", "fused"), ("001", "fused"), ("002", "failed")]
    assert [path.is_file() for _, path in jobs] == [True, True] + 7 * [False]


def test_every_file_that_was_written_is_told_after_a_failed_write(
    make_jobs: Callable[..., Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = make_jobs(9)
    save = Result.save

    def full_disk(self: Result, path: Path, **how: Any) -> Path:
        if path == jobs[1][1]:
            raise OutputError("no space")
        return save(self, path, **how)

    monkeypatch.setattr(Result, "save", full_disk)
    outcomes = run(jobs)
    assert {outcome.path for outcome in outcomes if outcome.state == "fused"} == {
        path for _, path in jobs if path.exists()
    }
    assert len(outcomes) < 9


def test_existing_results_are_refused_before_any_work(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(4)
    write_picture(jobs[3][1], np.zeros((6, 8), np.uint8))
    with pytest.raises(OutputError, match=r"003\.png exists: pass --overwrite"):
        run(jobs)
    assert not jobs[0][1].exists()


@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"resume": True}])
def test_result_never_replaces_a_source(how: dict[str, Any], make_jobs: Callable[..., Jobs]) -> None:
    pair, _ = make_jobs(1)[0]
    before = pair.b.read_bytes()
    with pytest.raises(OutputError, match="is a source and would be replaced"):
        run([(pair, pair.a.parent / ".." / "b" / pair.b.name)], **how)
    assert pair.b.read_bytes() == before


def test_overwrite_replaces_results(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(2)
    run(jobs, load("maximum"))
    before = jobs[0][1].read_bytes()
    run(jobs, load("average"), overwrite=True)
    assert jobs[0][1].read_bytes() != before


def test_resume_keeps_what_is_done_untouched_and_does_the_rest(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(4)
    run(jobs[:2])
    before = [path.stat().st_mtime_ns for _, path in jobs[:2]]
    assert [state for _, state in states(run(jobs, resume=True))] == ["kept", "kept", "fused", "fused"]
    assert [path.stat().st_mtime_ns for _, path in jobs[:2]] == before


@pytest.mark.parametrize("change", ["model", "option", "source", "no sidecar", "damaged sidecar", "deep sidecar"])
def test_resume_makes_again_what_was_made_in_another_way(change: str, make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(1)
    run(jobs)
    pair, path = jobs[0]
    sidecar = path.with_name(path.name + ".json")
    model, options = load("maximum"), FuseOptions()
    if change == "model":
        model = load("average")
    elif change == "option":
        options = FuseOptions(bit_depth="16")
    elif change == "source":
        jobs = [(Pair(pair.name, pair.b, pair.a), path)]
    elif change == "no sidecar":
        sidecar.unlink()
    else:
        sidecar.write_text('{"sources": []}' if change == "damaged sidecar" else "[" * 100_000)
    outcomes = list(fuse_pairs(jobs, model, options, writing=Writing(resume=True)))
    assert [outcome.state for outcome in outcomes] == ["fused"]


@pytest.mark.parametrize(("num_damaged", "words"), [(0, None), (1, "fused again"), (3, "as those of 2 more")])
def test_damaged_sidecars_are_told_once_and_counted(
    num_damaged: int, words: str | None, make_jobs: Callable[..., Jobs]
) -> None:
    jobs = make_jobs(4)
    run(jobs)
    for _, path in jobs[1 : 1 + num_damaged]:
        path.with_name(path.name + ".json").write_text('{"settings": ')
    outcomes = run(jobs, resume=True)
    assert [outcome.state for outcome in outcomes] == ["kept", *["fused"] * num_damaged, *["kept"] * (3 - num_damaged)]
    notes = [(outcome.pair.name, note) for outcome in outcomes for note in outcome.notes if "sidecar" in note]
    assert [name for name, _ in notes] == (["001"] if words else [])
    assert all("its sidecar is damaged" in note and str(words) in note for _, note in notes)


def test_resume_without_sidecars_goes_by_the_pictures(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(2)
    run(jobs[:1], sidecar=False)
    assert [state for _, state in states(run(jobs, resume=True, sidecar=False))] == ["kept", "fused"]


def change_source(pair: Pair, path: Path) -> None:
    write_picture(pair.b, np.full((6, 8), 77, np.uint8), overwrite=True)


def change_source_keeping_size_and_time(pair: Pair, path: Path) -> None:
    rewrite(pair.a, pair.a.read_bytes()[:-1] + b"x")


def cut_result(pair: Pair, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def damage_result(pair: Pair, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def damage_result_keeping_its_time(pair: Pair, path: Path) -> None:
    rewrite(path, path.read_bytes()[:-1] + b"x")


def rewrite(path: Path, data: bytes) -> None:
    """Give a file another content and the time of the earlier one."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def touch(pair: Pair, path: Path) -> None:
    for file in (pair.a, pair.b, path):
        os.utime(file, (1e9, 1e9))


def drop_what_010_did_not_write(path: Path) -> None:
    sidecar = path.with_name(path.name + ".json")
    record = json.loads(sidecar.read_text())
    del record["result"]
    for source in record["sources"].values():
        del source["bytes"], source["mtime_ns"]
    sidecar.write_text(json.dumps(record))


@pytest.mark.parametrize("earlier", ["", "0.1.0"])
@pytest.mark.parametrize(
    ("change", "state"), [(change_source, "fused"), (cut_result, "fused"), (damage_result, "fused"), (touch, "kept")]
)
def test_resume_looks_at_sources_and_result(
    change: Callable[[Pair, Path], None], state: str, earlier: str, make_jobs: Callable[..., Jobs]
) -> None:
    jobs = make_jobs(2)
    run(jobs)
    if earlier:
        drop_what_010_did_not_write(jobs[1][1])
    change(*jobs[1])
    assert [state for _, state in states(run(jobs, resume=True))] == ["kept", state]
    assert [state for _, state in states(run(jobs, resume=True))] == ["kept", "kept"]


@pytest.mark.parametrize("change", [change_source_keeping_size_and_time, damage_result_keeping_its_time])
def test_verify_looks_at_hashes_too(change: Callable[[Pair, Path], None], make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(1)
    run(jobs)
    change(*jobs[0])
    assert [outcome.state for outcome in run(jobs, resume=True)] == ["kept"]
    assert [outcome.state for outcome in run(jobs, resume=True, verify=True)] != ["kept"]


def test_resume_keeps_a_result_whose_sources_have_moved(make_jobs: Callable[..., Jobs], tmp_path: Path) -> None:
    pair, path = make_jobs(1)[0]
    run([(pair, path)])
    moved = Pair(pair.name, pair.a.rename(tmp_path / "moved.png"), pair.b)
    assert [outcome.state for outcome in run([(moved, path)], resume=True)] == ["kept"]


@pytest.mark.parametrize(("change", "state"), [(change_source, "fused"), (cut_result, "fused")])
def test_resume_without_sidecars_looks_at_times_and_pictures(
    change: Callable[[Pair, Path], None], state: str, make_jobs: Callable[..., Jobs]
) -> None:
    jobs = make_jobs(2)
    run(jobs, sidecar=False)
    change(*jobs[1])
    assert [state for _, state in states(run(jobs, resume=True, sidecar=False))] == ["kept", state]


def test_sidecar_holds_size_time_and_hash_of_the_result(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(1)
    run(jobs)
    pair, path = jobs[0]
    record = json.loads(path.with_name(path.name + ".json").read_text())
    facts = path.stat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["result"] == {"bytes": facts.st_size, "mtime_ns": facts.st_mtime_ns, "sha256": digest}
    source = record["sources"]["a"]
    assert (source["bytes"], source["mtime_ns"]) == (pair.a.stat().st_size, pair.a.stat().st_mtime_ns)


def test_existing_sidecar_is_refused_before_any_work(make_jobs: Callable[..., Jobs]) -> None:
    jobs = make_jobs(2)
    sidecar = jobs[1][1].with_name("001.png.json")
    sidecar.parent.mkdir()
    sidecar.write_text("mine")
    with pytest.raises(OutputError, match=r"001\.png\.json exists: pass --overwrite"):
        run(jobs)
    assert (sidecar.read_text(), jobs[0][1].exists()) == ("mine", False)
    assert [outcome.state for outcome in run(jobs, overwrite=True)] == ["fused", "fused"]


def test_sidecar_never_replaces_a_source(make_jobs: Callable[..., Jobs]) -> None:
    pair, path = make_jobs(1)[0]
    path.parent.mkdir()
    source = pair.a.rename(path.with_name(path.name + ".json"))
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is a source and would be replaced by a sidecar"):
        run([(Pair(pair.name, source, pair.b), path)], overwrite=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize("length", [251, 255, 256])
def test_name_without_room_for_the_sidecar_is_refused_before_any_work(
    length: int, make_jobs: Callable[..., Jobs]
) -> None:
    pair, path = make_jobs(1)[0]
    path = path.with_name("n" * (length - 4) + ".png")
    with pytest.raises(OutputError, match=r"cannot be written .*choose a shorter name"):
        run([(pair, path)])
    assert not path.parent.exists()
    if length <= 255:
        assert [outcome.state for outcome in run([(pair, path)], sidecar=False)] == ["fused"]


def test_results_that_were_removed_meanwhile_are_told(
    make_jobs: Callable[..., Jobs], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, save = make_jobs(9), Result.save

    def removed_at_the_sixth(self: Result, path: Path, **how: Any) -> Path:
        if path == jobs[5][1]:
            shutil.rmtree(path.parent)
        return save(self, path, **how)

    monkeypatch.setattr(Result, "save", removed_at_the_sixth)
    with pytest.raises(OutputError, match=r"000\.png.* removed meanwhile: fuse them again, --resume keeps the others"):
        run(jobs)
    assert [path.exists() for _, path in jobs] == [False] * 5 + [True] * 4


def test_pair_that_does_not_fit_into_memory_fails_alone(
    make_jobs: Callable[..., Jobs], make_model: Callable[..., FusionModel]
) -> None:
    def hungry(a: Any, b: Any) -> Any:
        return a.new_empty(2**52) if a[0, 0, 0, 0] == 0 else a

    outcomes = run(make_jobs(2), make_model(hungry), on_error="skip")
    assert [outcome.state for outcome in outcomes] == ["failed", "fused"]
    assert "000 does not fit into memory: pass a smaller --memory or --tile" in str(outcomes[0].error)


def test_next_pair_is_read_while_one_is_fused(
    make_jobs: Callable[..., Jobs], make_model: Callable[..., FusionModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    second_read, waited = Event(), []
    read = sources.as_picture

    def watched(source: Any, *rest: Any) -> Any:
        if Path(source).stem == "001":
            second_read.set()
        return read(source, *rest)

    def wait_for_second(a: Any, b: Any) -> Any:
        waited.append(second_read.wait(PATIENCE))
        return a

    monkeypatch.setattr(thermal, "as_picture", watched)
    run(make_jobs(2), make_model(wait_for_second))
    assert waited[0]


def test_result_is_written_while_the_next_pair_is_fused(
    make_jobs: Callable[..., Jobs], make_model: Callable[..., FusionModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    second_fused, waited = Event(), []
    save = Result.save

    def slow_disk(self: Result, path: Path, **how: Any) -> Path:
        if path.stem == "000":
            waited.append(second_fused.wait(PATIENCE))
        return save(self, path, **how)

    def watched(a: Any, b: Any) -> Any:
        if a[0, 0, 0, 0] > 0:  # pictures of the second pair
            second_fused.set()
        return a

    monkeypatch.setattr(Result, "save", slow_disk)
    run(make_jobs(2), make_model(watched))
    assert waited == [True]


def test_reading_does_not_run_far_ahead(
    make_jobs: Callable[..., Jobs], make_model: Callable[..., FusionModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    num_read = [0]
    leads: list[float] = []
    read = sources.as_picture

    def watched(*arguments: Any) -> Any:
        num_read[0] += 1
        return read(*arguments)

    def look(a: Any, b: Any) -> Any:
        leads.append(num_read[0] / 2 - len(leads))
        return a

    monkeypatch.setattr(thermal, "as_picture", watched)
    run(make_jobs(12), make_model(look))
    assert max(leads) <= 1 + batch.AHEAD


def test_memory_does_not_grow_with_the_number_of_pairs(tmp_path: Path, rng: np.random.Generator) -> None:
    side = 400
    a, b = (
        write_picture(tmp_path / f"{name}.png", rng.integers(0, 256, (side, side), dtype=np.uint8)) for name in "ab"
    )
    model = load("average")

    def peak(count: int) -> int:
        jobs = [(Pair(str(index), a, b), tmp_path / f"{count}-{index}.bmp") for index in range(count)]
        tracemalloc.start()
        for _ in fuse_pairs(jobs, model, FuseOptions(), writing=Writing(overwrite=True)):
            pass
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(3)
    # Kept pictures would add 40 times side * side bytes; the outcomes and jobs themselves are far below two pictures.
    # The queues are fuller in one run than in another: the fullest of three short ones counts.
    assert peak(50) - max(peak(10) for _ in range(3)) < 4 * side * side
