"""Threads are lent to work in parts and given back; models give the same inside and outside; others notice nothing."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest
import torch

from polyfuse import load
from polyfuse.errors import PolyfuseError
from polyfuse.ops.threads import share_out, side_by_side, threads, threads_for_strips

BOTH = pytest.mark.parametrize("count", [1, 2, 3])


@BOTH
def test_threads_are_lent_to_parts_and_given_back(count: int, set_threads: Callable[[int], None]) -> None:
    set_threads(count)
    there = threading.Barrier(count, timeout=20)

    def work(_: int) -> int:
        there.wait()  # all at once, or not at all
        return torch.get_num_threads()

    for _ in range(2):
        with threads_for_strips():
            assert torch.get_num_threads() == 1
            assert threads() == count
            assert share_out(work, range(count)) == [1] * count
            with threads_for_strips():
                assert share_out(work, range(count)) == [1] * count
            assert threads() == count
        assert torch.get_num_threads() == threads() == count
    with pytest.raises(PolyfuseError, match="enough"), threads_for_strips():
        raise PolyfuseError("enough")
    assert torch.get_num_threads() == count


def test_a_caller_that_does_not_want_it_changes_nothing(set_threads: Callable[[int], None]) -> None:
    set_threads(2)
    with threads_for_strips(wanted=False):
        assert torch.get_num_threads() == threads() == 2


def test_threads_that_run_already_keep_theirs(set_threads: Callable[[int], None]) -> None:
    set_threads(2)
    running, inside = threading.Event(), threading.Event()
    seen: list[int] = []

    def other() -> None:
        seen.append(torch.get_num_threads())
        running.set()
        inside.wait(20)
        seen.extend([torch.get_num_threads(), threads()])

    thread = threading.Thread(target=other)
    thread.start()
    assert running.wait(20)
    with threads_for_strips():
        inside.set()
        thread.join()
    assert seen == [2, 2, 2]


def _seen_by(number: int) -> tuple[int, int, bool]:
    return number, torch.get_num_threads(), torch.is_inference_mode_enabled()


@BOTH
def test_calls_side_by_side_are_answered_in_order(count: int, set_threads: Callable[[int], None]) -> None:
    set_threads(count)
    with torch.inference_mode():
        answers = side_by_side([partial(_seen_by, number) for number in range(4)])
    assert answers == [(n, 1, True) for n in range(4)]


@pytest.mark.parametrize("name", ["fnet.road", "fnet-t16.road", "smfnet-s.road", "daefuse-t.road"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_model_gives_the_same_whether_its_caller_enters_or_not(
    name: str, precision: Literal["float32", "bf16"], set_threads: Callable[[int], None]
) -> None:
    set_threads(2)
    model = load(name)
    model.precision = precision
    a, b = torch.rand(2, 1, 1, 40, 33, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        outside = model(a, b)
        with threads_for_strips():
            inside = model(a, b)
    assert (inside - outside).abs().max().item() <= (1e-6 if precision == "float32" else 1e-3)


FORKED = """
import os, torch
from polyfuse.ops.threads import share_out
torch.set_num_threads(2)
first = share_out(lambda part: part + 1, range(4))
child = os.fork()
if child == 0:
    os._exit(0 if share_out(lambda part: part + 1, range(4)) == first else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60)
