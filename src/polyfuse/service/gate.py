"""What stands before the application: who may ask, how much may be sent, and the line and figures of each answer."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from polyfuse.fusion.models import Model
from polyfuse.listening.address import HEADERS, is_local, names_this_machine
from polyfuse.service.answers import GONE, JSON, RefusedError, told
from polyfuse.service.figures import Figures
from polyfuse.service.jobs import Worker
from polyfuse.service.journal import Journal
from polyfuse.service.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

FACTS = "polyfuse"
"""Under this name the scope of a request holds what its line in the log will say."""
OPEN = ("/", "/health", "/openapi.json")
"""Paths that need no token: they say nothing of pictures or models."""
WORK = ("/fuse", "/evaluate")
"""Paths whose requests bring pictures."""
ROUTES = (*OPEN, "/models", "/metrics", *WORK)
"""Paths that there are; figures call all others "other"."""
MOST_AT_ONCE = 64
"""Requests with pictures that are read, waiting or worked on."""


class Service:
    """What is shared by all requests.

    Args:
        settings: What it was started with.
        models: By name; the first is the default.
        worker: Does the work.
        journal: Takes the log.
    """

    def __init__(self, settings: Settings, models: Mapping[str, Model], worker: Worker, journal: Journal) -> None:
        self.settings, self.models, self.worker, self.journal = settings, models, worker, journal
        self.figures = Figures()
        self.stopping = False
        """Whether it takes nothing more on."""
        self.active = 0
        """Requests with pictures that are read, waiting or worked on."""

    def gauges(self) -> dict[str, tuple[str, float]]:
        """Things as they are now, for the figures."""
        return {
            "polyfuse_active": ("Requests with pictures that are read, waiting or worked on.", self.active),
            "polyfuse_waiting": ("Requests in the queue.", self.worker.waiting),
            "polyfuse_waiting_limit": ("Requests that may be in the queue.", self.worker.most_waiting),
            "polyfuse_running": ("Requests that are worked on.", self.worker.running),
            "polyfuse_abandoned": ("Requests left before their result, since the start.", self.worker.abandoned),
            "polyfuse_stopping": ("Whether the service takes nothing more on.", int(self.stopping)),
        }


class Gate:
    """An ASGI application that lets requests through to another one.

    Args:
        inner: The application.
        service: What is shared.
    """

    def __init__(self, inner: Application, service: Service) -> None:
        self._inner, self._service = inner, service

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        passing = _Passing(scope, receive, send, self._service.settings.limits.request_bytes)
        is_work = scope["path"] in WORK and scope["method"] == "POST"
        try:
            self._check(scope, is_work)
            passing.check_length()
        except RefusedError as error:
            await passing.refuse(error)
        else:
            self._service.active += is_work
            try:
                await self._inner(scope, passing.receive, passing.send)
            except Exception as error:  # the application has answered already, where it could
                self._service.journal.fault(error)
                await passing.refuse(error)
            finally:
                self._service.active -= is_work
        finally:
            self._tell(scope, passing)

    def _check(self, scope: Mapping[str, Any], is_work: bool) -> None:
        """Refuse who may not ask, and work that is too much.

        Raises:
            RefusedError: Saying why.
        """
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        token = self._service.settings.token
        if token is None:
            origin = headers.get(b"origin")
            if not names_this_machine(headers.get(b"host")) or (origin and not _is_of_this_machine(origin)):
                raise RefusedError(403, "this service answers programs and pages of this machine alone.")
        elif scope["path"] not in OPEN:
            kind, _, given = headers.get(b"authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
                line = "the token is missing or wrong: send the header Authorization: Bearer TOKEN."
                raise RefusedError(401, line, {"WWW-Authenticate": "Bearer"})
        if is_work and self._service.stopping:
            raise RefusedError(503, "the service stops: ask another one.", {"Retry-After": "5"})
        if is_work and self._service.active >= MOST_AT_ONCE:
            line = f"{self._service.active} requests are under way: come back in 1 s."
            raise RefusedError(429, line, {"Retry-After": "1"})

    def _tell(self, scope: Mapping[str, Any], passing: _Passing) -> None:
        """Write the line of an answer and count it."""
        facts = passing.facts()
        self._service.journal.request(facts)
        path = scope["path"] if scope["path"] in ROUTES else "other"
        self._service.figures.count(path, facts["status"], facts)


def _is_of_this_machine(origin: str) -> bool:
    """Whether a page of this machine asks."""
    try:
        return is_local(urlsplit(origin).hostname or "")
    except ValueError:
        return False


class _Passing:
    """One request on its way: what comes in is counted, what goes out gets its headers.

    Args:
        scope: Of the request.
        receive: Gives its body.
        send: Takes the answer.
        most: Bytes that its body may have.
    """

    def __init__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send, most: int) -> None:
        self._scope, self._receive, self._send, self._most = scope, receive, send, most
        self._started = time.monotonic()
        self._in, self._out, self._status = 0, 0, GONE
        self._refusal: str | None = None
        scope[FACTS] = {}

    def check_length(self) -> None:
        """Refuse a body that says itself that it is too large.

        Raises:
            RefusedError: If so.
        """
        stated = dict(self._scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or len(stated) > 18 or int(stated) > self._most:
            raise self._too_large()

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the request has more than {self._most} bytes: send smaller pictures.")

    async def receive(self) -> Message:
        """A part of the body.

        Raises:
            RefusedError: Once it is too large.
        """
        message = await self._receive()
        self._in += len(message.get("body", b""))
        if self._in > self._most:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            names = {name.lower() for name, _ in message["headers"]}
            common = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message["headers"], *(one for one in common if one[0].lower() not in names)]
        self._out += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, error: Exception) -> None:
        """Answer with an error, unless an answer has begun."""
        if self._status != GONE:
            return
        status, self._refusal, more = told(error)
        body = error_body(self._refusal)
        headers = {"Content-Type": JSON, "Content-Length": str(len(body)), **more}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    def facts(self) -> dict[str, Any]:
        """What the log says of it."""
        client = self._scope.get("client")
        return {
            "client": client[0] if client else "-",
            "method": self._scope["method"],
            "path": self._scope["path"],
            "status": self._status,
            "seconds": time.monotonic() - self._started,
            "bytes_in": self._in,
            "bytes_out": self._out,
            **({} if self._refusal is None else {"error": self._refusal}),
            **self._scope[FACTS],
        }


def error_body(line: str) -> bytes:
    """The JSON document of an error."""
    return json.dumps({"error": line}).encode()
