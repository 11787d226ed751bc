"""The way of a request from its form through the queue to a reply, and what else the service tells."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polyfuse.errors import UsageError, needing_torch
from polyfuse.fusion.models import Model
from polyfuse.io.source import shown
from polyfuse.service.answers import JSON, RefusedError, told, wanted_format
from polyfuse.service.fields import EVALUATE_FIELDS, EVALUATE_FILES, FUSE_FIELDS, FUSE_FILES, Field, parse_fields
from polyfuse.service.figures import MEDIA_TYPE
from polyfuse.service.gate import FACTS, Service
from polyfuse.service.jobs import Ticket
from polyfuse.service.models import model_facts
from polyfuse.service.uploads import Upload, read_form, texts
from polyfuse.service.work import Fused, check_partner, fuse

SCHEMA = 1
"""Version of the JSON documents."""
MOST_NOTES, LONGEST_NOTE = 8, 400
"""Notes in a header, and characters of each."""

Work = Callable[[Ticket], "Reply"]
"""What is done in the worker's thread."""
Prepare = Callable[[Mapping[str, Upload], Mapping[str, str]], Work]
"""From the files and texts of a form to the work; refuses what can be refused before it waits."""


@dataclass(frozen=True)
class Reply:
    """An answer."""

    content: bytes
    """Its body."""
    media_type: str = JSON
    """What that is."""
    status: int = 200
    """Of HTTP."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the log says besides."""


def document(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of plain JSON values."""
    return Reply(json.dumps(content).encode(), JSON, status, headers or {})


class Desk:
    """Answers requests. A request is one of Starlette's.

    Args:
        service: What is shared.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def fuse(self, request: Any) -> Reply:
        """`POST /fuse`: the picture, or JSON around it."""
        service = self._service

        def prepare(uploads: Mapping[str, Upload], given: Mapping[str, str]) -> Work:
            values = parse_fields(given, FUSE_FIELDS)
            check_partner(uploads)
            model = _model(service, values["model"])
            accept = request.headers.get("accept")
            media_type, as_json = wanted_format(accept, values["format"], as_json=values["json"])
            request.scope[FACTS]["model"] = model.provenance.name

            def work(ticket: Ticket) -> Reply:
                fused = fuse(uploads, values, media_type, model, service.settings.limits, ticket)
                return _picture_reply(fused, media_type, as_json=as_json)

            return work

        return await self._worked(request, FUSE_FILES, ["a"], prepare)

    async def evaluate(self, request: Any) -> Reply:
        """`POST /evaluate`: the scores."""
        settings = self._service.settings

        def prepare(uploads: Mapping[str, Upload], given: Mapping[str, str]) -> Work:
            values = parse_fields(given, EVALUATE_FIELDS)

            def work(ticket: Ticket) -> Reply:
                from polyfuse.service.scores import evaluate  # PyTorch is not everywhere

                return document(evaluate(uploads, values, settings.device, settings.limits, ticket))

            return work

        return await self._worked(request, EVALUATE_FILES, ["fused", "a", "b"], prepare)

    async def models(self, request: Any) -> Reply:
        """`GET /models`: those that are loaded."""
        models = self._service.models
        facts = [model_facts(model) for model in models.values()]
        return document({"schema": SCHEMA, "default": next(iter(models)), "models": facts})

    async def health(self, request: Any) -> Reply:
        """`GET /health`: whether requests are taken."""
        stopping = self._service.stopping
        return document({"status": "stopping" if stopping else "ok"}, 503 if stopping else 200)

    async def metrics(self, request: Any) -> Reply:
        """`GET /metrics`: figures."""
        return Reply(self._service.figures.text(self._service.gauges()).encode(), MEDIA_TYPE)

    def failed(self, request: Any, error: Exception) -> Reply:
        """The reply to a request that failed."""
        status, line, headers = told(error)
        request.scope[FACTS]["error"] = line
        return document({"error": line}, status, headers)

    async def _worked(self, request: Any, files: Sequence[Field], needed: Sequence[str], prepare: Prepare) -> Reply:
        """What the work of a request gives, in time.

        Raises:
            RefusedError: If there is no room, the form is wrong, it takes too long, or the client left.
            DependencyError: If it needs PyTorch, and there is none.
            PolyfuseError: Of the work.
        """
        worker, seconds = self._service.worker, self._service.settings.limits.seconds
        worker.check_room()
        ticket, form = Ticket(), None
        try:
            async with asyncio.timeout(seconds):
                form, uploads = await read_form(request, files, needed)
                with needing_torch():
                    reply = await worker.done(prepare(uploads, texts(form)), _gone(request), ticket)
        except TimeoutError as error:
            late = f"it took more than {seconds:g} s"
            if form is None:
                raise RefusedError(408, f"{late} to send the request: send smaller pictures.") from error
            raise RefusedError(504, f"{late}: send smaller pictures, or ask when less is going on.") from error
        finally:
            if form is not None:
                await form.close()
                request.scope[FACTS].update(waited=ticket.waited, worked=ticket.worked)
        request.scope[FACTS].update(reply.facts)
        return reply


def _gone(request: Any) -> Callable[[], Awaitable[None]]:
    """What ends once the client of a request is gone; its body has been read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return wait


def _picture_reply(fused: Fused, media_type: str, *, as_json: bool) -> Reply:
    """A picture, or a document with it and with what made it."""
    size = {"width": fused.width, "height": fused.height}
    facts = {**size, "pixels": fused.width * fused.height}
    if as_json:
        picture = base64.b64encode(fused.content).decode()
        content = {"schema": SCHEMA, "media_type": media_type, **size, "sidecar": fused.sidecar, "picture": picture}
        return Reply(json.dumps(content).encode(), facts=facts)
    headers = {"X-Polyfuse-Model": ascii(fused.sidecar["settings"]["model"])[1:-1]}
    notes = [note[:LONGEST_NOTE] for note in fused.sidecar["notes"][:MOST_NOTES]]
    return Reply(
        fused.content,
        media_type,
        headers=headers | ({"X-Polyfuse-Notes": json.dumps(notes)} if notes else {}),
        facts=facts,
    )


def _model(service: Service, name: str) -> Model:
    """A loaded model by its name.

    Raises:
        UsageError: If it is not among them.
    """
    models = service.models
    if name.lower() == "auto":
        return next(iter(models.values()))
    known = {called.lower(): model for called, model in models.items()}
    if name.lower() not in known:
        names = ", ".join(models)
        raise UsageError(f"model {shown(name, most=60)!r} is not loaded: use {names}, or start with --model.")
    return known[name.lower()]
