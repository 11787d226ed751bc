"""Many pictures: baselines, failures by name, stop or skip, worker processes."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation import BASELINES, Method, Scored, Task, find_items, score_items
from polyfuse.evaluation.baselines import AVERAGE, COPY_A, COPY_B, MAXIMUM, score_baselines, trivial_answers
from polyfuse.io import write_picture
from polyfuse.metrics import METRICS, score

Scenes = Callable[..., tuple[Path, Path, dict[str, Path]]]
TASK = Task(("EN", "MI", "SSIM"))


def run(scenes: Scenes, task: Task = TASK, on_error: str = "skip", workers: int | None = None) -> list[Scored]:
    items, _ = find_items(*_arguments(scenes), skip_missing=on_error == "skip")
    return list(score_items(items, task, on_error=on_error, workers=workers))  # type: ignore[arg-type]


def _arguments(scenes: Scenes) -> tuple[dict[str, Path], Path, Path]:
    root = scenes(0)[0].parent
    if not (root / "ir").exists():
        scenes()
    return {"mix": root / "mix", "noisy": root / "noisy"}, root / "ir", root / "vi"


def test_every_method_is_scored_in_order_with_digests(scenes: Scenes) -> None:
    results = run(scenes)
    assert [scored.item.name for scored in results] == ["0", "1", "2"]
    assert [list(scored.evaluations) for scored in results] == [[Method("mix"), Method("noisy")]] * 3
    assert all(len(digest) == 64 for scored in results for digest in scored.digests or ())


def test_two_workers_give_what_one_gives_in_the_same_order(scenes: Scenes) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert run(scenes, workers=2) == run(scenes, workers=1)
    finally:
        torch.set_num_threads(threads)


def test_few_pictures_start_no_process(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyfuse.evaluation.run._spread", None)
    assert len(run(scenes)) == 3


def test_damaged_fused_picture_fails_alone(scenes: Scenes) -> None:
    _arguments(scenes)
    path = scenes(0)[2]["mix"] / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    results = run(scenes)
    assert [list(scored.evaluations) for scored in results][1] == [Method("noisy")]
    [(name, error)] = results[1].failures()
    assert name == "1 of mix"
    assert "1.png" in str(error)


def test_damaged_source_fails_once_for_all_methods(scenes: Scenes) -> None:
    _arguments(scenes)
    (scenes(0)[0] / "1.png").write_bytes(b"no picture")
    results = run(scenes)
    assert results[1].evaluations == {}
    assert results[1].digests is None
    assert [name for name, _ in results[1].failures()] == ["1"]


def test_stop_ends_with_the_first_failure(scenes: Scenes) -> None:
    _arguments(scenes)
    (scenes(0)[0] / "1.png").write_bytes(b"no picture")
    assert [bool(scored.failures()) for scored in run(scenes, on_error="stop")] == [False, True]


def test_size_mismatch_fails_and_names_both_files(scenes: Scenes) -> None:
    _arguments(scenes)
    write_picture(scenes(0)[2]["mix"] / "2.png", np.zeros((5, 7), np.uint8), overwrite=True)
    [(name, error)] = run(scenes)[2].failures()
    assert name == "2 of mix"
    assert "2.png is 7x5 but" in str(error)


@pytest.mark.parametrize("task", [Task(("EI",)), Task(("EN",), "nobody"), Task(("XX",)), Task(("EN",), device="tpu9")])
def test_impossible_task_is_refused_before_any_work(scenes: Scenes, task: Task) -> None:
    with pytest.raises(UsageError):
        run(scenes, task)


def test_baselines_are_scored_beside_the_methods(scenes: Scenes) -> None:
    assert list(run(scenes, Task(("MI",), baselines=True))[0].evaluations) == [
        Method("mix"),
        Method("noisy"),
        *BASELINES,
    ]


def test_average_is_rounded_half_to_even_and_maximum_is_pixelwise() -> None:
    a = torch.tensor([[[[1.0, 2.0, 3.0, 250.0]]]])
    b = torch.tensor([[[[2.0, 3.0, 0.0, 251.0]]]])
    answers = trivial_answers(a, b)
    assert answers[AVERAGE].flatten().tolist() == [2, 2, 2, 250]
    assert answers[MAXIMUM].flatten().tolist() == [2, 3, 3, 251]


def test_baselines_see_what_the_protocol_sees(rng: np.random.Generator) -> None:
    a = torch.from_numpy(rng.integers(0, 256, (1, 1, 44, 44), dtype=np.uint8))
    b = torch.from_numpy(rng.integers(0, 256, (1, 3, 44, 44), dtype=np.uint8))
    grey = score_baselines(a, b, (METRICS["MI"], METRICS["SCD"]), "cddfuse")
    assert grey[COPY_B].values["MI"] == float(score(b, a, b, metrics=["MI"]).values["MI"])
    assert math.isnan(grey[COPY_A].values["SCD"])
    channels = score_baselines(a, b, (METRICS["EN"],), "vifb")
    assert channels[COPY_B].values["EN"] == float(score(b, a, b, metrics=["EN"], protocol="vifb").values["EN"])


def test_item_too_large_for_memory_fails_by_name(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*arguments: object, **how: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("polyfuse.evaluation.run.Scorer.__call__", explode)
    failures = run(scenes)[0].failures()
    assert isinstance(failures[0][1], InputError)
    assert "0 does not fit into memory" in str(failures[0][1])


def test_other_runtime_error_is_a_bug_and_is_not_hidden(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*arguments: object, **how: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("polyfuse.evaluation.run.Scorer.__call__", explode)
    with pytest.raises(RuntimeError, match="a bug"):
        run(scenes)
