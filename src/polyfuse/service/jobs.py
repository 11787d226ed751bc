"""The one thread that works, and the queue before it: bounded, in order, left again by those who no longer wait."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from polyfuse.service.answers import GONE, RefusedError

T = TypeVar("T")
LONGEST_WAIT = 60
"""Seconds at most after which a client is told to come back."""


class Ticket:
    """One request in the queue: when it began, and whether somebody still waits for it."""

    def __init__(self) -> None:
        self.came, self.begun, self.ended = time.monotonic(), 0.0, 0.0
        self.abandoned = False

    def check(self) -> None:
        """End the work where nobody waits for it; called between its steps.

        Raises:
            RefusedError: If so.
        """
        if self.abandoned:
            raise RefusedError(GONE, "nobody waits for the result any more.")

    def on_tile(self, done: int, total: int) -> None:
        """The same, called by fusion after each tile."""
        self.check()

    @property
    def waited(self) -> float:
        """Seconds in the queue."""
        return (self.begun or time.monotonic()) - self.came

    @property
    def worked(self) -> float:
        """Seconds of work; 0 before it began."""
        return (self.ended or time.monotonic()) - self.begun if self.begun else 0.0


class Worker:
    """Does one piece of work at a time, in a thread of its own.

    One thread, since a picture takes all threads of PyTorch. Pictures of one size are not put into a batch: the last
    bits of a network's output may depend on the batch, and a result here is the very file that `polyfuse fuse` writes.

    Args:
        most_waiting: Pieces that may wait for the one under way.
        begin: Called once in that thread.
    """

    def __init__(self, most_waiting: int, begin: Callable[[], None]) -> None:
        self.most_waiting = most_waiting
        self.abandoned = 0
        """How many left before they had their result."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="polyfuse service", initializer=begin)
        self._tickets: set[Ticket] = set()
        self._usual = 1.0

    @property
    def waiting(self) -> int:
        """Pieces that wait."""
        return sum(not ticket.begun for ticket in self._tickets)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._tickets

    @property
    def running(self) -> int:
        """Pieces under way: 0 or 1."""
        return len(self._tickets) - self.waiting

    def check_room(self) -> None:
        """Refuse what could not be queued.

        Raises:
            RefusedError: With the seconds after which there may be room.
        """
        if len(self._tickets) > self.most_waiting:
            half = self._usual * len(self._tickets) / 2  # by then there are several places, not one for all that ask
            seconds = min(LONGEST_WAIT, max(1, math.ceil(half)))
            raise RefusedError(
                429, f"{len(self._tickets)} requests wait: come back in {seconds} s.", {"Retry-After": str(seconds)}
            )

    async def done(self, work: Callable[[Ticket], T], gone: Callable[[], Awaitable[None]], ticket: Ticket) -> T:
        """What the work gives, once it is its turn.

        Args:
            work: Gets the ticket, whose `check` it calls between its steps.
            gone: Ends when the client is gone.
            ticket: Of this request.

        Raises:
            RefusedError: If there is no room, or the client went.
        """
        self.check_room()
        ticket.came = time.monotonic()
        loop = asyncio.get_running_loop()
        self._tickets.add(ticket)
        job = self._pool.submit(self._run, work, ticket)
        job.add_done_callback(lambda _: self._tell(loop, ticket))
        result = asyncio.wrap_future(job)
        leaving = asyncio.ensure_future(gone())
        ends: set[asyncio.Future[Any]] = {result, leaving}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                return result.result()
            raise RefusedError(GONE, "the client is gone.")
        finally:
            leaving.cancel()
            if not result.done():
                ticket.abandoned = True
                self.abandoned += 1
                result.cancel()

    def close(self) -> None:
        """Take nothing more on; what is under way ends at its next step."""
        for ticket in self._tickets:
            ticket.abandoned = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, work: Callable[[Ticket], T], ticket: Ticket) -> T:
        """In the thread: one piece of work."""
        ticket.begun = time.monotonic()
        try:
            ticket.check()
            return work(ticket)
        finally:
            ticket.ended = time.monotonic()

    def _tell(self, loop: asyncio.AbstractEventLoop, ticket: Ticket) -> None:
        """In whichever thread ended a piece: have the loop forget it."""
        with suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(self._leave, ticket)

    def _leave(self, ticket: Ticket) -> None:
        """Forget a piece that is done, and remember how long it took."""
        self._tickets.discard(ticket)
        if ticket.ended:
            self._usual = 0.8 * self._usual + 0.2 * ticket.worked
