"""The application: its routes, what the OpenAPI document says of them, and replies as FastAPI sends them."""

# No postponed annotations: FastAPI looks at those of the endpoints, whose types are imported inside a function.

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from polyfuse._version import __version__
from polyfuse.errors import DependencyError, PolyfuseError
from polyfuse.service.answers import FORMATS, GONE, JSON, RefusedError
from polyfuse.service.desk import Desk, Reply, document
from polyfuse.service.fields import EVALUATE_FIELDS, EVALUATE_FILES, FUSE_FIELDS, FUSE_FILES, body_schema
from polyfuse.service.gate import Service
from polyfuse.service.page import POLICY, page_html

ABOUT = """\
Fuses pictures of one scene taken by different sensors, as the command polyfuse fuse does, and scores fused pictures, as
polyfuse evaluate does. Fields have the names of the commands' options without the dashes before them.

    curl -F a=@infrared.png -F b=@visible.png -F grey=true ADDRESS/fuse -o fused.png

An error is a JSON document with one line, {"error": "..."}. Where the service was started with a token, requests bring
it in the header Authorization: Bearer TOKEN."""
_ERRORS = {
    400: "A field, a model or a form is wrong, or a file is missing.",
    401: "The token is missing or wrong.",
    403: "A page of another machine asks.",
    406: "Accept names no type that is made here.",
    408: "The request did not come in time.",
    413: "More bytes or pixels than the service takes.",
    415: "The body is no multipart/form-data.",
    422: "A file is no picture, is damaged, or does not fit the other one.",
    429: "Too many requests wait; Retry-After says when to come back.",
    500: "The service has a fault.",
    501: "The service lacks an optional package.",
    503: "The service stops.",
    504: "It took too long.",
    507: "The service has no room for temporary files.",
}
_ERROR = {JSON: {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True)
class Route:
    """One kind of request, as it is answered and as it is told of."""

    method: str
    """Of HTTP."""
    path: str
    """Of its address."""
    answer: Callable[[Any], Awaitable[Reply]]
    """From a request to its reply."""
    summary: str
    """What it does, one line."""
    content: dict[str, Any]
    """Media types of the answer."""
    gives: str = "As asked for."
    """What the answer is."""
    body: dict[str, Any] = field(default_factory=dict)
    """What the OpenAPI document says of the request's body."""

    def told(self) -> dict[str, Any]:
        """What FastAPI is told of it."""
        responses: dict[int | str, dict[str, Any]] = {200: {"description": self.gives, "content": self.content}}
        if self.body:
            responses |= {status: {"description": text, "content": _ERROR} for status, text in _ERRORS.items()}
        extra = {"requestBody": self.body} if self.body else {}
        name = self.path.strip("/") or "page"
        facts = {"name": name, "summary": self.summary, "responses": responses, "openapi_extra": extra}
        return {"methods": [self.method], **facts}


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
    desk = Desk(service)

    def sent(reply: Reply) -> Response:
        return Response(reply.content, reply.status, dict(reply.headers), reply.media_type)

    def endpoint(answer: Callable[[Any], Awaitable[Reply]]) -> Callable[..., Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            return sent(await answer(request))

        return answered

    def failed(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = RefusedError(error.status_code, f"{error.detail.rstrip('.')}: see the page at /.")
        elif isinstance(error, ClientDisconnect):
            error = RefusedError(GONE, "the client is gone.")
        return sent(desk.failed(request, error))

    for route in _routes(desk, app):
        app.add_api_route(route.path, endpoint(route.answer), response_class=Response, **route.told())
    for wrong in (PolyfuseError, MemoryError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(wrong, failed)  # after that of Exception, the gate gets it too, for the log
    return app


def _routes(desk: Desk, app: Any) -> list[Route]:
    """All requests that are answered."""

    async def openapi(request: Any) -> Reply:
        return document(app.openapi())

    async def page(request: Any) -> Reply:
        policy = {"Content-Security-Policy": POLICY}
        return Reply(page_html(app.openapi()).encode(), "text/html; charset=utf-8", headers=policy)

    pictures = {**dict.fromkeys(FORMATS, _BINARY), JSON: {}}
    text: dict[str, Any] = {JSON: {}}
    html: dict[str, Any] = {"text/html": {}}
    plain: dict[str, Any] = {"text/plain": {}}
    return [
        Route("POST", "/fuse", desk.fuse, "Fuse two pictures.", pictures,
              "The picture, or JSON around it where Accept or a field says so.",
              body_schema(FUSE_FILES, FUSE_FIELDS, ["a"])),
        Route("POST", "/evaluate", desk.evaluate, "Score a fused picture.", text,
              "What polyfuse evaluate --json prints.",
              body_schema(EVALUATE_FILES, EVALUATE_FIELDS, ["fused", "a", "b"])),
        Route("GET", "/models", desk.models, "The models that are loaded, the default first.", text),
        Route("GET", "/health", desk.health, "Whether the service takes requests; 503 while it stops.", text),
        Route("GET", "/metrics", desk.metrics, "Figures for Prometheus.", plain),
        Route("GET", "/openapi.json", openapi, "This document.", text),
        Route("GET", "/", page, "This page.", html),
    ]  # fmt: skip
