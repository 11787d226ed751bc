"""Stamps of senders on this machine's clock, and the pace of clips."""

import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.live.clock import ArrivalClock, Pace

DELAYS = st.lists(st.floats(0, 0.3), min_size=2, max_size=60)


@given(delays=DELAYS)
def test_no_frame_was_taken_after_it_came(delays: list[float]) -> None:
    clock = ArrivalClock()
    for number, delay in enumerate(delays):
        now = 1000 + number / 25 + delay
        assert clock.time_of(7 + number / 25, now) <= now + 1e-9


@given(delays=DELAYS)
def test_jitter_is_out_once_the_quickest_frame_came(delays: list[float]) -> None:
    clock, quickest = ArrivalClock(), int(np.argmin(delays))
    times = [clock.time_of(number / 25, 1000 + number / 25 + delay) for number, delay in enumerate(delays)]
    expected = [1000 + number / 25 + min(delays) for number in range(quickest, len(delays))]
    np.testing.assert_allclose(times[quickest:], expected, atol=1e-9)  # sums of doubles near 1000


def test_a_sender_whose_clock_is_fast_is_followed() -> None:
    clock = ArrivalClock()
    # 1 in 1000 too fast: after 100 s its stamps are 0.1 s ahead; forgetting takes two windows of 10 s.
    late = [number / 25 - clock.time_of(1.001 * number / 25, number / 25) for number in range(2500)]
    assert max(late) < 0.025


def test_stamps_that_begin_anew_are_taken_from_their_beginning() -> None:
    clock = ArrivalClock()
    clock.time_of(500.0, 1000.0)
    assert clock.time_of(0.0, 1001.0) == 1001.0


def test_frame_without_stamp_has_the_time_it_came() -> None:
    assert ArrivalClock().time_of(None, 3.5) == 3.5


def test_clips_begin_when_every_source_is_there() -> None:
    pace, stop = Pace(2), threading.Event()
    pace.ready("a")
    went: list[bool] = []
    thread = threading.Thread(target=lambda: went.append(pace.wait(stop)))
    thread.start()
    before = time.monotonic()
    pace.ready("b")
    thread.join()
    assert went == [True]
    assert before <= pace.due(0.0) <= time.monotonic()


def test_waiting_for_a_source_that_never_comes_can_be_stopped() -> None:
    pace, stop = Pace(2), threading.Event()
    stop.set()
    assert not pace.wait(stop)


def test_both_clips_slip_by_what_one_is_late() -> None:
    pace = Pace(1)
    pace.ready("a")
    pace.wait(threading.Event())
    before = pace.due(1.0)
    pace.slip(0.5)
    assert pace.due(1.0) - before == 0.5
    assert pace.slipped == 0.5
