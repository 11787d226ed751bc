"""The page of folders too large to copy: served on this machine alone, pictures read when they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from polyfuse._version import __version__
from polyfuse.comparison.request import Request, find_pictures
from polyfuse.comparison.shelf import TILE, WHOLE, Place, Shelf, level_of
from polyfuse.errors import DependencyError, InputError, PolyfuseError, UsageError
from polyfuse.evaluation import Item
from polyfuse.io import peek_size
from polyfuse.io.source import shown
from polyfuse.listening.address import LOCAL, listen, web_address
from polyfuse.pages import Collection, Pair
from polyfuse.pages.document import page_facts, pair_facts, script_json
from polyfuse.pages.html import page_html

_NAMES = ["127.0.0.1", "localhost"]
"""What a browser may call it: no page from elsewhere can lead here under a name of its own."""
_KEEP = {"Cache-Control": "private, max-age=3600"}


def served_pairs(request: Request) -> tuple[list[Pair], list[str], list[str]]:
    """The pairs of a page that is served: files are found and their sizes compared, no picture is decoded.

    Returns:
        Pairs, methods, and notes.

    Raises:
        UsageError: If models or a warp are asked for.
        InputError: If names do not match, or sizes differ and failures are not skipped.
    """
    if request.models:
        raise UsageError("--serve shows pictures that are there: fuse them first, then give --fused NAME=DIR.")
    if request.warp is not None:
        raise UsageError("--serve shows pictures as they are: fuse with --warp first, or write a page with -o.")
    items, notes = find_pictures(request)
    pairs = []
    for item in items:
        try:
            pairs.append(_pair(item, request))
        except PolyfuseError as error:
            if request.on_error == "stop":
                raise
            notes.append(f"{item.name}: {error}")
    if not pairs:
        raise InputError("no pair is left to show: see the lines above.")
    return pairs, list(request.fused), notes


def _pair(item: Item, request: Request) -> Pair:
    """One pair, its sizes compared by what the headers say."""
    size = peek_size(item.pair.a, max_pixels=request.max_pixels)
    fused, lacking = {}, [*item.missing.values()]
    for path in (item.pair.b, *item.fused.values()):
        other = peek_size(path, max_pixels=request.max_pixels)
        if other != size:
            text = f"{shown(path)} is {other[0]}x{other[1]} and the first source {size[0]}x{size[1]}"
            if path == item.pair.b or request.on_error == "stop":
                raise InputError(f"{item.name}: {text}: bring them to one size")
            lacking.append(text)
    for method, path in item.fused.items():
        if peek_size(path, max_pixels=request.max_pixels) == size:
            fused[method.name] = path
    return Pair(item.name, item.pair.a, item.pair.b, fused, note="; ".join(dict.fromkeys(lacking)))


def served_html(request: Request, pairs: Sequence[Pair], methods: Sequence[str]) -> str:
    """The page, with addresses of this server in place of files."""
    collection = Collection(shown(request.a.name), tuple(pairs), request.name_a, request.name_b)
    title = request.title or f"{collection.name}: {', '.join(methods)}"
    facts = page_facts(title, f"polyfuse {__version__}, served on this machine", [collection], [], [])
    facts["methods"] = list(methods)
    facts |= {"id": f"served {title}", "root": "p", "served": {"tile": TILE, "whole": WHOLE}}
    for pair in pairs:
        width, height = peek_size(pair.a, max_pixels=request.max_pixels)
        fused = [f"m{methods.index(name)}" for name in pair.fused]
        maps = fused if request.maps else []
        entry = pair_facts(pair, methods, []) | {"width": width, "height": height, "level": level_of(width, height)}
        entry |= {"notes": {}, "apart": None, "fused": fused, "lost": maps, "share": maps}
        facts["collections"][0]["pairs"].append(entry)
    return page_html(title, f"<script>polyfuse.data = {script_json(facts)};</script>")


def make_app(request: Request, pairs: Sequence[Pair], methods: Sequence[str]) -> Any:
    """The application: the page at /, pictures below /p.

    Raises:
        DependencyError: If Starlette is missing.
    """
    try:
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.responses import HTMLResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError as error:
        raise _missing("starlette") from error

    shelf = Shelf(pairs, methods, max_pixels=request.max_pixels)
    page = served_html(request, pairs, methods)

    def answer(make: Callable[[], tuple[bytes, str]]) -> Response:
        try:
            content, media_type = make()
            return Response(content, media_type=media_type, headers=_KEEP)
        except KeyError:
            return PlainTextResponse("there is no such picture", 404)
        except PolyfuseError as error:
            return PlainTextResponse(str(error), 422)

    def place(asked: Any) -> Place:
        return Place(int(asked.path_params["pair"]), str(asked.path_params["slot"]))

    def index(_: Any) -> Response:
        return HTMLResponse(page)

    def small(asked: Any) -> Response:
        return answer(lambda: (shelf.small(place(asked)), "image/jpeg"))

    def whole(asked: Any) -> Response:
        where = place(asked)
        slot, _, kind = where.slot.partition("-")
        if kind:
            return answer(lambda: (shelf.maps(Place(where.pair, slot), kind), "image/png"))
        return answer(lambda: shelf.whole(where))

    def tile(asked: Any) -> Response:
        level, column, row = (int(asked.path_params[name]) for name in ("level", "column", "row"))
        return answer(lambda: (shelf.tile(place(asked), min(level, 16), column, row), "image/png"))

    routes = [
        Route("/", index),
        Route("/p/0-{pair:int}/{slot}.jpg", small),
        Route("/p/0-{pair:int}/{slot}", whole),
        Route("/p/0-{pair:int}/{slot}/{level:int}/{column:int}/{row:int}", tile),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_NAMES)])


def serve(request: Request, port: int, *, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Serve the page until the program is interrupted.

    Args:
        request: What is compared: folders of results; models are not run.
        port: To listen at; 0 for any that is free.
        say: Is told notes.
        ready: Is told the address once it can be opened.

    Raises:
        DependencyError: If Starlette or uvicorn is missing.
        OutputError: If nothing can listen at the port.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise _missing("uvicorn") from error
    pairs, methods, notes = served_pairs(request)
    for note in notes:
        say(note)
    app = make_app(request, pairs, methods)
    with listen(LOCAL, port) as listening:
        ready(web_address(LOCAL, listening.getsockname()[1]))
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
        uvicorn.Server(settings).run(sockets=[listening])


def _missing(package: str) -> DependencyError:
    return DependencyError(f"--serve needs {package}: pip install 'polyfuse[serve]', or write a page with -o.")
