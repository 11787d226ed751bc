"""Runs as programs of their own: killed without warning, and two processes at once."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from polyfuse.train import load_recipe, train
from polyfuse.train.checkpoint import PREVIOUS, load_checkpoint
from polyfuse.weights.store import load_weights

WriteRecipe = Callable[..., Path]
PATIENCE = 120
"""Seconds after which a program that shows no sign of life fails its test."""
PROGRAM = """
import sys
sys.modules |= {"matplotlib": None, "tensorboard": None}  # as if not installed: they take longer than the run
from polyfuse.cli import main
main()
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many threads here as in the programs: sums in another order have other last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def start(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """`polyfuse train ARGUMENTS` as a program with one thread."""
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, "train", *arguments, "--threads", "1"]
    return subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )


@pytest.mark.slow
def test_killed_run_is_resumed_to_the_same_bits(tmp_path: Path, write_recipe: WriteRecipe) -> None:
    recipe = write_recipe(steps=20, rhythm={"log_every": 5, "validation_crop": 16})
    process = start(tmp_path, str(recipe), "-o", "run", "--set", "rhythm.checkpoint_minutes=0")
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "run" / PREVIOUS).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err

    train(load_recipe(recipe), tmp_path / "run", resume=True)
    train(load_recipe(recipe), tmp_path / "whole")

    resumed, whole = (load_weights(tmp_path / name / "weights.safetensors")[0] for name in ("run", "whole"))
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed by Linux")
def test_workers_and_tracker_do_not_outlive_a_killed_run(tmp_path: Path, write_recipe: WriteRecipe) -> None:
    process = start(tmp_path, str(write_recipe(steps=10_000)), "-o", "run", "--workers", "1")
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "run/log-reconstruction.csv").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    family = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(family) >= 2
    while any(Path(f"/proc/{number}").exists() for number in family):
        assert time.monotonic() < deadline, f"{family} live on"
        time.sleep(0.01)
    process.communicate()


def descendants(parent: int) -> list[int]:
    """Processes that `parent` started, and those that they did."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    children = [number for number, above in parents.items() if above == parent]
    return children + [number for child in children for number in descendants(child)]


def test_two_processes_train_like_one_with_the_same_batch(tmp_path: Path, write_recipe: WriteRecipe) -> None:
    recipe = write_recipe(steps=4)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [start(tmp_path, str(recipe), "-o", "two", RANK=rank, LOCAL_RANK=rank, **shared) for rank in ("0", "1")]
    ended = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    assert (ended[0][0].splitlines()[0], ended[1]) == ("two/weights.safetensors", ("", ""))

    train(load_recipe(recipe), tmp_path / "one")

    one, two = (load_checkpoint(tmp_path / name, print)["parts"] for name in ("one", "two"))
    for part, tensors in one.items():
        for name, value in tensors.items():
            # Means over 2 and over 1 + 1 crops differ in the last bit, which Adam can turn into part of a step of 1e-4.
            torch.testing.assert_close(two[part][name], value, rtol=0, atol=2e-5, msg=f"{part}.{name}")
