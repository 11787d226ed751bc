"""Which frames go together, and what is dropped."""

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from polyfuse.live.frames import LiveFrame
from polyfuse.live.pairing import LivePairing

LONG_AGO = -1000.0
"""Before the clock's now by so much that nothing waits for a better partner."""


def frame(number: int, seconds: float) -> LiveFrame:
    return LiveFrame(number, time.monotonic() + LONG_AGO + seconds, None, "gray")


def test_newest_frame_of_b_goes_with_the_nearest_of_a() -> None:
    pairing = LivePairing(0.5)
    for number, seconds in enumerate((0.00, 0.04, 0.08), start=1):
        pairing.put("a", frame(number, seconds))
    for number, seconds in enumerate((0.01, 0.05), start=1):
        pairing.put("b", frame(number, seconds))
    pair = pairing.next(0)
    assert pair is not None
    assert (pair.a.number, pair.b.number) == (2, 2)
    assert abs(pair.skew + 0.01) < 0.005  # the clock goes on between two frames
    assert pairing.drops.to_json() == {"a": 1, "b": 1, "unmatched": 0}


def test_no_pair_is_given_twice() -> None:
    pairing = LivePairing(0.5)
    pairing.put("a", frame(1, 0))
    pairing.put("b", frame(1, 0))
    assert pairing.next(0) is not None
    pairing.put("a", frame(2, 0.04))
    assert pairing.next(0) is None


def test_slow_a_is_used_again() -> None:
    pairing = LivePairing(0.5)
    pairing.put("a", frame(1, 0))
    for number in (1, 2, 3):
        pairing.put("b", frame(number, number / 100))
        pair = pairing.next(0)
        assert pair is not None
        assert (pair.a.number, pair.b.number) == (1, number)
    assert pairing.drops.to_json() == {"a": 0, "b": 0, "unmatched": 0}


def test_frames_too_far_apart_are_not_paired() -> None:
    pairing = LivePairing(0.1)
    pairing.put("a", frame(1, 0))
    pairing.put("b", frame(1, 0.2))
    assert pairing.next(0) is None
    assert pairing.drops.unmatched == 1


def test_a_partner_that_is_about_to_come_is_waited_for() -> None:
    pairing, now = LivePairing(0.5), time.monotonic() + 5  # so long it would wait, were the machine that busy
    pairing.put("a", LiveFrame(1, now - 0.04, None, "gray"))
    pairing.put("b", LiveFrame(1, now, None, "gray"))
    late = threading.Timer(0.01, pairing.put, ("a", LiveFrame(2, now, None, "gray")))
    late.start()
    pair = pairing.next(10)
    late.join()
    assert pair is not None
    assert pair.a.number == 2


def test_a_partner_that_does_not_come_is_not_waited_for_long() -> None:
    pairing, now = LivePairing(0.5), time.monotonic()
    pairing.put("a", LiveFrame(1, now - 0.04, None, "gray"))
    pairing.put("b", LiveFrame(1, now, None, "gray"))
    pair = pairing.next(5)
    assert pair is not None
    assert pair.a.number == 1


def test_waiting_ends_when_something_else_happened() -> None:
    pairing = LivePairing(0.5)
    threading.Timer(0.01, pairing.wake).start()
    assert pairing.next(30) is None


@given(
    events=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 0.1)), max_size=80),
    asks=st.lists(st.integers(1, 6), min_size=1, max_size=20),
)
def test_every_frame_of_b_is_given_or_counted_as_dropped(events: list[tuple[str, float]], asks: list[int]) -> None:
    pairing = LivePairing(0.05)
    count, given_numbers, clock, turns = {"a": 0, "b": 0}, [], 0.0, iter(asks * 80)
    until_ask = next(turns)
    for side, step in events:
        clock += step
        count[side] += 1
        pairing.put(side, frame(count[side], clock))
        until_ask -= 1
        if until_ask == 0:
            until_ask = next(turns)
            if (pair := pairing.next(0)) is not None:
                given_numbers.append(pair.b.number)
    assert given_numbers == sorted(set(given_numbers))
    drops = pairing.drops
    seen = len(given_numbers) + drops.b + drops.unmatched
    assert seen <= count["b"]
    if given_numbers:
        assert seen >= given_numbers[-1]
