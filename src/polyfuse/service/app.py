"""The application: the routes, and the way of a request from its form through the queue to an answer."""

# No postponed annotations: FastAPI looks at those of the functions below, whose types are imported inside a function.

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any

from polyfuse._version import __version__
from polyfuse.errors import DependencyError, PolyfuseError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.io.source import shown
from polyfuse.service.answers import FORMATS, GONE, JSON, RefusedError, told, wanted_format
from polyfuse.service.fields import (
    EVALUATE_FIELDS,
    EVALUATE_FILES,
    FUSE_FIELDS,
    FUSE_FILES,
    Field,
    body_schema,
    parse_fields,
)
from polyfuse.service.figures import MEDIA_TYPE
from polyfuse.service.gate import FACTS, Service
from polyfuse.service.jobs import Ticket
from polyfuse.service.page import POLICY, page_html
from polyfuse.service.uploads import Upload, read_form, texts
from polyfuse.service.work import Fused, check_partner, evaluate, fuse

SCHEMA = 1
"""Version of the JSON documents."""
LONGEST_NOTES = 4000
"""Characters of the header that holds the notes."""
ABOUT = """\
Fuses pictures of one scene taken by different sensors, as the command polyfuse fuse does, and scores fused pictures, as
polyfuse evaluate does. Fields have the names of the commands' options without the dashes before them.

    curl -F a=@infrared.png -F b=@visible.png -F grey=true ADDRESS/fuse -o fused.png

An error is a JSON document with one line, {"error": "..."}. Where the service was started with a token, requests bring
it in the header Authorization: Bearer TOKEN."""
_REFUSALS = {
    400: "A field, a model or a form is wrong.",
    401: "The token is missing or wrong.",
    408: "The request did not come in time.",
    413: "More bytes or pixels than the service takes.",
    415: "The body is no multipart/form-data.",
    422: "A file is no picture, is damaged, or does not fit the other one.",
    429: "Too many requests wait; Retry-After says when to come back.",
    500: "The service has a fault.",
    501: "The service lacks an optional package.",
    503: "The service stops.",
    504: "It took too long.",
}
_ERROR = {"content": {JSON: {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}}
_Work = Callable[[dict[str, Upload], dict[str, str]], Callable[[Ticket], Any]]
"""From the files and texts of a form to what is done in the worker's thread."""


def check_packages() -> None:
    """Make sure that all packages are there, before a model is loaded or a form comes.

    Raises:
        DependencyError: Naming the first that is missing.
    """
    for package in ("fastapi", "python_multipart", "uvicorn"):
        try:
            import_module(package)
        except ImportError as error:
            raise DependencyError(f"polyfuse serve needs {package}: pip install 'polyfuse[serve]'.") from error


def make_app(service: Service) -> Any:
    """The application of a service."""
    from fastapi import FastAPI, Request, Response
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    app = FastAPI(
        title="polyfuse", version=__version__, description=ABOUT, docs_url=None, redoc_url=None, openapi_url=None
    )
    limits = service.settings.limits

    def document(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        return Response(json.dumps(content), status, headers, JSON)

    def picture(fused: Fused, media_type: str) -> Response:
        headers = {"X-Polyfuse-Model": fused.sidecar["settings"]["model"]}
        if fused.sidecar["notes"]:
            headers["X-Polyfuse-Notes"] = json.dumps(fused.sidecar["notes"])[:LONGEST_NOTES]
        return Response(fused.content, 200, headers, media_type)

    def failed(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = RefusedError(error.status_code, f"{error.detail.rstrip('.')}: see the page at /.")
        elif isinstance(error, ClientDisconnect):
            error = RefusedError(GONE, "the client is gone.")
        status, line, headers = told(error)
        request.scope[FACTS]["error"] = line
        return document({"error": line}, status, headers)

    async def worked(request: Request, files: Sequence[Field], needed: Sequence[str], prepare: _Work) -> Any:
        """What the work of a request gives, in time."""
        service.worker.check_room()
        ticket, form, is_read = Ticket(), None, False
        try:
            async with asyncio.timeout(limits.seconds):
                form, uploads = await read_form(request, files, needed)
                is_read = True
                return await service.worker.done(prepare(uploads, texts(form)), gone(request), ticket)
        except TimeoutError as error:
            late = f"it took more than {limits.seconds:g} s"
            if is_read:
                raise RefusedError(504, f"{late}: send smaller pictures, or ask when less is going on.") from error
            raise RefusedError(408, f"{late} to send the request: send smaller pictures.") from error
        finally:
            if form is not None:
                await form.close()
            if is_read:
                request.scope[FACTS].update(waited=ticket.waited, worked=ticket.worked)

    async def post_fuse(request: Request) -> Response:
        def prepare(uploads: dict[str, Upload], given: dict[str, str]) -> Callable[[Ticket], Any]:
            values = parse_fields(given, FUSE_FIELDS)
            check_partner(uploads)
            model = _model(service, values["model"])
            accept = request.headers.get("accept")
            media_type, as_json = wanted_format(accept, values["format"], as_json=values["json"])
            request.scope[FACTS]["model"] = model.provenance.name

            def work(ticket: Ticket) -> tuple[Fused, Response]:
                fused = fuse(uploads, values, media_type, model, limits, ticket)
                return fused, document(_packed(fused, media_type)) if as_json else picture(fused, media_type)

            return work

        fused: Fused
        answer: Response
        fused, answer = await worked(request, FUSE_FILES, ["a"], prepare)  # an answer is large: the worker packs it
        pixels = fused.width * fused.height
        request.scope[FACTS].update(width=fused.width, height=fused.height, pixels=pixels)
        return answer

    async def post_evaluate(request: Request) -> Response:
        def prepare(uploads: dict[str, Upload], given: dict[str, str]) -> Callable[[Ticket], Any]:
            values = parse_fields(given, EVALUATE_FIELDS)
            return lambda ticket: evaluate(uploads, values, service.settings.device, limits, ticket)

        return document(await worked(request, EVALUATE_FILES, ["fused", "a", "b"], prepare))

    async def get_models() -> Response:
        models = [_model_facts(model) for model in service.models.values()]
        return document({"schema": SCHEMA, "default": next(iter(service.models)), "models": models})

    async def get_health() -> Response:
        state = "stopping" if service.stopping else "ok"
        return document({"status": state}, 503 if service.stopping else 200)

    async def get_metrics() -> Response:
        return Response(service.figures.text(service.gauges()), media_type=MEDIA_TYPE)

    async def get_openapi() -> Response:
        return document(app.openapi())

    async def get_page() -> Response:
        headers = {"Content-Security-Policy": POLICY}
        return Response(page_html(app.openapi()), 200, headers, "text/html; charset=utf-8")

    refusals: dict[int | str, dict[str, Any]] = {
        status: {"description": text, **_ERROR} for status, text in _REFUSALS.items()
    }
    pictures = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS}
    add = app.add_api_route
    add(
        "/fuse", post_fuse, methods=["POST"], response_class=Response, summary="Fuse two pictures.",
        responses={200: {"description": "The picture, or JSON around it where Accept or a field says so.",
                         "content": {**pictures, JSON: {}}}, 406: refusals[415] | {"description": "Accept names no "
                         "type that is made here."}, **refusals},
        openapi_extra={"requestBody": body_schema(FUSE_FILES, FUSE_FIELDS, ["a"])},
    )  # fmt: skip
    add(
        "/evaluate", post_evaluate, methods=["POST"], response_class=Response, summary="Score a fused picture.",
        responses={200: {"description": "What polyfuse evaluate --json prints.", "content": {JSON: {}}}, **refusals},
        openapi_extra={"requestBody": body_schema(EVALUATE_FILES, EVALUATE_FIELDS, ["fused", "a", "b"])},
    )  # fmt: skip
    for path, get, summary, kind in (
        ("/models", get_models, "The models that are loaded, the default first.", JSON),
        ("/health", get_health, "Whether the service takes requests; 503 while it stops.", JSON),
        ("/metrics", get_metrics, "Figures for Prometheus.", "text/plain"),
        ("/openapi.json", get_openapi, "This document.", JSON),
        ("/", get_page, "This page.", "text/html"),
    ):
        answer: dict[int | str, dict[str, Any]] = {200: {"description": "As asked for.", "content": {kind: {}}}}
        add(path, get, methods=["GET"], response_class=Response, summary=summary, responses=answer)
    for wrong in (PolyfuseError, MemoryError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(wrong, failed)  # after that of Exception, the gate gets it too, for the log
    return app


def gone(request: Any) -> Callable[[], Awaitable[None]]:
    """What ends once the client of a request is gone; its body has been read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return wait


def _packed(fused: Fused, media_type: str) -> dict[str, Any]:
    """A picture and what made it as plain JSON values."""
    return {
        "schema": SCHEMA,
        "media_type": media_type,
        "width": fused.width,
        "height": fused.height,
        "sidecar": fused.sidecar,
        "picture": base64.b64encode(fused.content).decode(),
    }


def _model(service: Service, name: str) -> FusionModel:
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


def _model_facts(model: FusionModel) -> dict[str, Any]:
    """What `GET /models` says of a model."""
    provenance = model.provenance
    return {
        "name": provenance.name,
        "family": model.spec.family,
        "weights_sha256": provenance.weights_sha256,
        "precision": model.precision or "float32",
        "device": str(model.device),
    }
