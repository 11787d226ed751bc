"""The server: models loaded once, a socket, connections that are not let hang, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from polyfuse.fusion.models import Model
from polyfuse.listening.address import listen, web_address
from polyfuse.service.app import check_packages, make_app
from polyfuse.service.gate import Gate, Service
from polyfuse.service.jobs import Worker
from polyfuse.service.journal import Journal
from polyfuse.service.models import load_models, set_threads
from polyfuse.service.settings import Settings

LONGEST_IDLE = 10.0
"""Seconds for the head of a request, between requests, and for a client that takes nothing of its answer."""
MOST_CONNECTIONS = 512
"""Beyond that, those that wait for a request are closed."""
LONGEST_SENDING = 5.0
"""Seconds for a request that is still being sent once the service is told to stop."""
_TICK = 0.25
"""Seconds between two looks at the connections."""
_GRACE = 2
"""Seconds for answers to leave once nothing is worked on any more."""


class Server:
    """A service that listens.

    Args:
        settings: What it is started with.
        models: From `load_models`.
        journal: Takes the log.

    Raises:
        OutputError: If nothing can listen there.
    """

    def __init__(self, settings: Settings, models: dict[str, Model], journal: Journal) -> None:
        import uvicorn

        # PyTorch's number of threads is one of each thread that computes
        worker = Worker(settings.limits.queue, lambda: set_threads(settings, models))
        self.service = Service(settings, models, worker, journal)
        config = uvicorn.Config(
            Gate(make_app(self.service), self.service), http="h11", ws="none", loop="asyncio", lifespan="off",
            log_config=None, log_level="critical", access_log=False, server_header=False, proxy_headers=False,
            timeout_keep_alive=int(LONGEST_IDLE), timeout_graceful_shutdown=_GRACE,
        )  # fmt: skip
        server: Any = uvicorn.Server(config)
        server.handle_exit = self._on_signal
        self._server = server
        self._signals: list[int] = []
        self._listening = listen(settings.host, settings.port)
        self.port: int = self._listening.getsockname()[1]

    def run(self) -> None:
        """Serve until `stop` or a signal, and finish what was taken on."""
        try:
            with self._listening:
                asyncio.run(self._run(self._listening))
        finally:
            self.service.worker.close()
        self.service.journal.event("stopped")
        if self._signals:  # handlers are those from before again: the program ends as it always does
            signal.raise_signal(self._signals[0])

    def stop(self) -> None:
        """Take nothing more on, and end once nothing is under way."""
        self.service.stopping = True

    @property
    def num_connections(self) -> int:
        """Connections that are open."""
        return len(self._server.server_state.connections)

    def _on_signal(self, number: int, frame: object) -> None:
        """Stop in order at the first signal, at once at the second."""
        self._signals.append(number)
        self.stop()
        if len(self._signals) > 1:
            self._server.should_exit = self._server.force_exit = True

    async def _run(self, listening: socket.socket) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            await self._server.serve(sockets=[listening])
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        """Look after connections, and end the server once it is to stop and nothing is under way."""
        quiet: dict[Any, tuple[float, int]] = {}
        stopping_since = None
        while True:
            await asyncio.sleep(_TICK)
            quiet = _close_hanging(self._server.server_state.connections, quiet)
            if not self.service.stopping:
                continue
            if stopping_since is None:
                stopping_since = time.monotonic()
                self.service.journal.event("stopping", active=self.service.active)
            stopping = time.monotonic() - stopping_since
            done = self.service.worker.is_idle and (stopping > LONGEST_SENDING or not self.service.active)
            if done or stopping > self.service.settings.limits.seconds:
                self._server.should_exit = True


def _close_hanging(connections: set[Any], quiet: dict[Any, tuple[float, int]]) -> dict[Any, tuple[float, int]]:
    """Cut connections on which nothing is asked and nothing moves: uvicorn gives the head of a request all the time.

    Args:
        connections: Of uvicorn.
        quiet: Since when each has been quiet, and the bytes that it had not sent yet, as of the last look.

    Returns:
        The same for the next look.
    """
    now, still = time.monotonic(), {}
    for connection in connections:
        cycle, transport = connection.cycle, connection.transport
        if transport is None or (cycle is not None and not cycle.response_complete):
            continue
        unsent = transport.get_write_buffer_size()
        since, before = quiet.get(connection, (now, unsent))
        still[connection] = (now if unsent < before else since, unsent)
    oldest = sorted(still, key=lambda connection: still[connection][0])
    excess = max(0, len(connections) - MOST_CONNECTIONS)
    for place, connection in enumerate(oldest):
        if place < excess or now - still[connection][0] > LONGEST_IDLE:
            with suppress(OSError, RuntimeError):
                connection.transport.abort()
    return still


def serve(settings: Settings, *, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Serve until the program is interrupted.

    Args:
        settings: Where, for whom, with which models and limits.
        say: Is told which models are loaded.
        ready: Is told the address once it can be asked.

    Raises:
        DependencyError: If a package of the extra `serve` is missing.
        UsageError: If a model cannot be used.
        OutputError: If nothing can listen at the address.
    """
    check_packages()
    journal = Journal(settings.log_format)
    server = Server(settings, load_models(settings, say), journal)
    address = web_address(settings.host, server.port)
    journal.event("listening", address=address, models=list(server.service.models))
    ready(address)
    server.run()
