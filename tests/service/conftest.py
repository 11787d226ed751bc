"""A service that runs in a thread of the test process, and a client that sends forms."""

import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse.io import write_picture
from polyfuse.service import Limits, Settings
from polyfuse.service.journal import Journal
from polyfuse.service.models import load_models
from polyfuse.service.server import Server

BOUNDARY = "4f1b0c"
File = bytes | tuple[str, bytes] | Path
"""Of a form: bytes with or without a name, or a file."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a document."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The one line of an error, and nothing besides."""
        assert list(self.json) == ["error"]
        line = str(self.json["error"])
        assert "\n" not in line
        return line


def form(files: Mapping[str, File], fields: Mapping[str, object]) -> bytes:
    """The body of a multipart/form-data request."""
    body = b""
    for name, file in files.items():
        called, content = (
            (file.name, file.read_bytes())
            if isinstance(file, Path)
            else file
            if isinstance(file, tuple)
            else (f"{name}.png", file)
        )
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{called}"\r\n\r\n'.encode()
        body += content + b"\r\n"
    for name, value in fields.items():
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    return body + f"--{BOUNDARY}--\r\n".encode()


class Client:
    """Asks a service that runs in this process.

    Args:
        server: The service.
        log: Takes its lines.
    """

    def __init__(self, server: Server, log: io.StringIO) -> None:
        self.server, self._log = server, log

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and read its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Send a GET request."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(
        self, path: str, files: Mapping[str, File], headers: Mapping[str, str] | None = None, **fields: object
    ) -> Answer:
        """Send a form."""
        kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.ask("POST", path, form(files, fields), {**kind, **(headers or {})})

    def bytes_of(self, path: str, files: Mapping[str, File]) -> bytes:
        """What a client sends with a form."""
        body = form(files, {})
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.fixture(scope="session")
def started() -> Iterator[Callable[..., Client]]:
    """Start a service with limits and settings of one's own; it is stopped when the tests are done."""
    pytest.importorskip("fastapi", reason="fastapi (extra `serve`) is not installed")
    running: list[tuple[Server, threading.Thread]] = []
    threads = torch.get_num_threads()

    def start(models: tuple[str, ...] = ("laplacian",), limits: Limits | None = None, **settings: Any) -> Client:
        log = io.StringIO()
        chosen = Settings(models, port=0, limits=limits or Limits(), **settings)
        # Listens on this machine whatever it is told, so that tests need no address of another one.
        loaded = load_models(chosen, lambda _: None)
        server = Server(replace(chosen, host="127.0.0.1"), loaded, Journal("json", log))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return Client(server, log)

    yield start
    for server, _ in running:
        server.stop()
    for _, thread in running:
        thread.join(20)
    assert not any(thread.is_alive() for _, thread in running)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def service(started: Callable[..., Client]) -> Client:
    """One service for all tests that change nothing of it."""
    return started(("laplacian", "average"))


@pytest.fixture
def pair(tmp_path: Path, rng: np.random.Generator) -> dict[str, File]:
    """A thermal and a visible picture of 40x30, 8 bits."""
    a = write_picture(tmp_path / "ir.png", rng.integers(0, 256, (30, 40), np.uint8))
    b = write_picture(tmp_path / "vi.png", rng.integers(0, 256, (30, 40, 3), np.uint8))
    return {"a": a, "b": b}
