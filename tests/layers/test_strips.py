"""Strips cover a map, give the same whoever works them off, and leave PyTorch's settings as they were."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from polyfuse.errors import PolyfuseError
from polyfuse.layers import strips
from polyfuse.layers.strips import MIN_ROWS, STRIP_BYTES, Strip, each_strip, side_by_side, threads_for_strips

BOTH = pytest.mark.parametrize("threads", [1, 2, 3])


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@given(st.integers(1, 400), st.integers(1, 5), st.integers(0, 4), st.integers(1, 1000))
def test_strips_cover_every_row_once(height: int, threads: int, halo: int, columns: int) -> None:
    like = torch.empty(height, 1, 1).expand(height, columns, 24)
    found = strips._strips(like, halo, threads)
    assert [row for strip in found for row in range(height)[strip.inner]] == list(range(height))
    for strip in found:
        assert strip.outer == slice(max(0, strip.inner.start - halo), min(height, strip.inner.stop + halo))
        assert range(height)[strip.outer][strip.crop] == range(height)[strip.inner]


@given(st.integers(1, 3000), st.integers(1, 5), st.integers(1, 3000))
def test_strips_at_work_together_stay_small_and_are_shared_out_evenly(height: int, threads: int, columns: int) -> None:
    like = torch.empty(height, 1, 1).expand(height, columns, 24)
    rows = [strip.inner.stop - strip.inner.start for strip in strips._strips(like, 1, threads)]
    assert max(rows) <= MIN_ROWS or threads * max(rows) * columns * 24 * 4 <= STRIP_BYTES + threads * columns * 24 * 4
    assert len(rows) % threads == 0 or max(rows) == MIN_ROWS or len(rows) * max(rows) - height < max(rows) * threads


@BOTH
def test_results_come_from_top_to_bottom_and_rows_where_they_belong(threads: int) -> None:
    torch.set_num_threads(threads)
    x = torch.arange(100.0)[:, None, None].expand(100, 4, 8)
    found = torch.empty(100, 4, 8)

    def work(strip: Strip) -> int:
        found[strip.inner] = 2 * x[strip.outer][strip.crop]
        return strip.inner.start

    starts = each_strip(x, 2, work)
    assert starts == sorted(starts)
    assert len(starts) >= threads
    assert torch.equal(found, 2 * x)


def test_each_thread_works_alone_and_the_caller_keeps_its_threads() -> None:
    torch.set_num_threads(2)
    there = threading.Barrier(2, timeout=20)

    def work(strip: Strip) -> tuple[str, int]:
        there.wait()  # both strips at once, or not at all
        return threading.current_thread().name, torch.get_num_threads()

    found = each_strip(torch.empty(2 * MIN_ROWS, 4, 8), 0, work)
    assert len({name for name, _ in found}) == 2
    assert [count for _, count in found] == [1, 1]
    assert torch.get_num_threads() == 2
    late: list[int] = []
    thread = threading.Thread(target=lambda: late.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert late == [2]


@BOTH
@pytest.mark.parametrize("inference", [True, False])
def test_gradients_stay_off_as_they_are_for_the_caller(threads: int, inference: bool) -> None:
    torch.set_num_threads(threads)
    with torch.inference_mode(inference), torch.no_grad():
        weight = torch.ones(1, requires_grad=True)

        def work(strip: Strip) -> Tensor:
            return weight * strip.inner.start

        found = each_strip(torch.empty(100, 4, 8), 0, work)
    assert not any(x.requires_grad for x in found)
    assert all(x.is_inference() == inference for x in found)


@BOTH
def test_an_error_in_a_strip_reaches_the_caller(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(threads)
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)

    def work(strip: Strip) -> None:
        if strip.inner.start:
            raise PolyfuseError("no strip but the first")

    with pytest.raises(PolyfuseError, match="no strip but the first"):
        each_strip(torch.empty(100, 4, 8), 0, work)


FORKED = """
import os, torch
from polyfuse.layers.strips import each_strip
torch.set_num_threads(2)
like = torch.empty(64, 4, 8)
first = each_strip(like, 0, lambda strip: strip.inner.start)
child = os.fork()
if child == 0:
    os._exit(0 if each_strip(like, 0, lambda strip: strip.inner.start) == first else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60)


@BOTH
def test_threads_are_lent_to_strips_and_given_back(threads: int) -> None:
    torch.set_num_threads(threads)
    there = threading.Barrier(threads, timeout=20)

    def work(_: Strip) -> int:
        there.wait()
        return torch.get_num_threads()

    for _ in range(2):
        with threads_for_strips():
            assert torch.get_num_threads() == 1
            assert each_strip(torch.empty(threads * MIN_ROWS, 4, 8), 0, work) == [1] * threads
            with threads_for_strips():
                assert each_strip(torch.empty(threads * MIN_ROWS, 4, 8), 0, work) == [1] * threads
        assert torch.get_num_threads() == threads
    with pytest.raises(PolyfuseError, match="enough"), threads_for_strips():
        raise PolyfuseError("enough")
    assert torch.get_num_threads() == threads


@BOTH
def test_calls_side_by_side_are_answered_in_order(threads: int) -> None:
    def seen(n: int) -> tuple[int, int, bool]:
        return n, torch.get_num_threads(), torch.is_inference_mode_enabled()

    torch.set_num_threads(threads)
    with torch.inference_mode():
        found = side_by_side([partial(seen, n) for n in range(4)])
    assert found == [(n, 1, True) for n in range(4)]
