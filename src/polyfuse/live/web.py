"""A small server of the fused picture, its sources and a page with a slider, for browsers that it was opened to."""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from polyfuse.errors import OutputError, UsageError
from polyfuse.listening.address import HEADERS, LOCAL, is_local, names_this_machine, web_address
from polyfuse.live.fusing import VIEWS, LiveFused, View
from polyfuse.live.page import PAGE

QUALITY = 85
"""Of the JPEGs that are shown."""
MOST_STREAMS = 24
"""Streams at a time; a page takes four."""
_SEND_BUFFER = 1 << 18
"""Bytes that wait for a slow browser: few, so that what it shows is not old."""
_SECONDS = 10.0
"""For which a browser may take nothing before its stream ends."""
_BOUNDARY = "polyfuse-frame"


def parse_web(text: str) -> tuple[str, int]:
    """Host and port of "PORT", "HOST:PORT" or "[HOST]:PORT".

    >>> parse_web("8080"), parse_web("[::1]:0")
    (('127.0.0.1', 8080), ('::1', 0))

    Raises:
        UsageError: If it is none of these.
    """
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not port.isascii() or not port.isdigit() or int(port) > 65535 or (colon and not bare):
        raise UsageError(f"--web {text!r} is no port: write for example 8080, or 192.168.0.5:8080.")
    if ":" in bare and bare == host:
        raise UsageError(f"--web {text!r} is not clear: write an IPv6 address in brackets, as [::1]:8080.")
    return bare or LOCAL, int(port)


class WebPage:
    """Serves the newest frame. On 127.0.0.1 to whoever is on this machine, elsewhere to those that know a token.

    Args:
        host: Address to listen at.
        port: 0 for any that is free.
        status: Gives the running line and the names of the sources, for the page.

    Raises:
        OutputError: If nothing can listen there.
    """

    def __init__(self, host: str, port: int, status: Callable[[], Mapping[str, Any]]) -> None:
        self.is_open, self.num_dropped = True, 0
        self.token = None if is_local(host) else secrets.token_urlsafe(16)
        self._status = status
        self._condition = threading.Condition()
        self._frame: LiveFused | None = None
        self._number = 0
        self._encoding = threading.Lock()
        self._encoded: dict[View, tuple[int, bytes]] = {}
        self._streams = threading.Semaphore(MOST_STREAMS)
        self._host = host
        try:
            self._server = _server_at(host, port, self)
        except (OSError, UnicodeError) as error:
            raise OutputError(
                f"nothing can listen at {host}:{port} ({getattr(error, 'strerror', None) or error}): name another "
                "port, or 0 for any."
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="polyfuse live web", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """What to type into a browser, with the token where there is one."""
        return f"{web_address(self._host, self.port)}{self.query}"

    @property
    def query(self) -> str:
        """The part of an address that carries the token."""
        return "" if self.token is None else f"?token={self.token}"

    def put(self, frame: LiveFused) -> None:
        """Make a frame the newest one."""
        with self._condition:
            self._frame, self._number = frame, self._number + 1
            self._condition.notify_all()

    def close(self) -> None:
        """End all streams and stop listening."""
        self.is_open = False
        with self._condition:
            self._condition.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1)

    def next_picture(self, view: View, after: int, seconds: float) -> tuple[int, bytes] | None:
        """Number and JPEG of the newest frame if it is not the one with number `after`; None if none comes in time."""
        with self._condition:
            self._condition.wait_for(lambda: self._number != after or not self.is_open, seconds)
            if self._frame is None or self._number == after or not self.is_open:
                return None
            frame, number = self._frame, self._number
        with self._encoding:  # one browser encodes for all
            known = self._encoded.get(view)
            if known is None or known[0] < number:
                buffer = BytesIO()
                Image.fromarray(frame.view(view)).save(buffer, "JPEG", quality=QUALITY)
                known = self._encoded[view] = (number, buffer.getvalue())
        return known

    def allows(self, host: str | None, query: str) -> bool:
        """Whether a request may be answered.

        Args:
            host: What its header says it asked for. Without a token only names of this machine pass, so that no page
                from elsewhere can lead a browser here under a name of its own.
            query: Of its address.
        """
        if self.token is not None:
            given = parse_qs(query).get("token", [""])[0]
            return hmac.compare_digest(given.encode(), self.token.encode())
        return names_this_machine(host)

    def status(self) -> Mapping[str, Any]:
        """For the page."""
        return self._status()

    def stream_slot(self) -> threading.Semaphore:
        """What bounds the number of streams."""
        return self._streams


def _server_at(host: str, port: int, page: WebPage) -> ThreadingHTTPServer:
    """A server that answers for a page."""

    class Handler(_Handler):
        served = page

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A browser that leaves is no news."""

    return Server((host, port), Handler)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    served: WebPage
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "polyfuse", ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        """Send the page, a stream, a single picture or the status."""
        parts = urlsplit(self.path)
        if not self.served.allows(self.headers.get("Host"), parts.query):
            return self._send(403, "text/plain", b"The token is missing or wrong: use the address that was printed.\n")
        name, _, kind = parts.path.lstrip("/").partition(".")
        view: View | None = next((known for known in VIEWS if known == name), None)
        if parts.path == "/":
            self._send_page()
        elif parts.path == "/status.json":
            self._send(200, "application/json", json.dumps(self.served.status()).encode())
        elif view is not None and kind == "mjpg":
            self._stream(view)
        elif view is not None and kind == "jpg":
            self._picture(view)
        else:
            self._send(404, "text/plain", b"There is /, fused.mjpg, a.mjpg, b.mjpg, the same as .jpg, status.json.\n")

    def _send_page(self) -> None:
        """The page, whose script alone may run and which loads from here alone."""
        nonce = secrets.token_urlsafe(12)
        body = PAGE.replace("@@QUERY@@", self.served.query).replace("@@NONCE@@", nonce).encode()
        policy = (
            f"default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
            f"script-src 'nonce-{nonce}'; frame-ancestors 'none'"
        )
        self._send(200, "text/html; charset=utf-8", body, {"Content-Security-Policy": policy})

    def _picture(self, view: View) -> None:
        """One JPEG, the newest."""
        picture = self.served.next_picture(view, 0, _SECONDS)
        if picture is None:
            return self._send(503, "text/plain", b"There is no picture yet.\n")
        self._send(200, "image/jpeg", picture[1])

    def _stream(self, view: View) -> None:
        """JPEGs, each the newest when the one before was taken, until either side ends."""
        slot = self.served.stream_slot()
        if not slot.acquire(blocking=False):
            return self._send(503, "text/plain", b"Too many look on: close some pages.\n")
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            self.close_connection = True
            self.send_response(200)
            self._headers(f"multipart/x-mixed-replace; boundary={_BOUNDARY}", {"Connection": "close"})
            self.end_headers()
            # A browser shows a picture once it has seen the boundary after it, so that comes at once.
            self.wfile.write(f"--{_BOUNDARY}\r\n".encode())
            last = 0
            while self.served.is_open:
                picture = self.served.next_picture(view, last, 1.0)
                if picture is None:
                    continue
                last, data = picture
                head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + f"\r\n--{_BOUNDARY}\r\n".encode())
        except OSError:
            return  # the browser left
        finally:
            slot.release()

    def _send(self, code: int, kind: str, body: bytes, more: Mapping[str, str] | None = None) -> None:
        """Answer with all of a body."""
        self.send_response(code)
        self._headers(kind, {"Content-Length": str(len(body)), **(more or {})})
        self.end_headers()
        self.wfile.write(body)

    def _headers(self, kind: str, more: Mapping[str, str]) -> None:
        """Headers that every answer has."""
        for name, value in {"Content-Type": kind, **HEADERS, **more}.items():
            self.send_header(name, value)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: stderr is for the run, and a token must not get into it."""
