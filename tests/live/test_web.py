"""The page in the browser: who may see it, and what it shows."""

import http.client
import json
from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from polyfuse import registry
from polyfuse.errors import OutputError, UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.listening.address import is_local
from polyfuse.live.fusing import LiveFused, LiveFusion
from polyfuse.live.web import WebPage, parse_web

Open = Callable[..., WebPage]


@pytest.fixture
def fused() -> LiveFused:
    """A dark frame of a, a bright one of b, fused."""
    fusing = LiveFusion(registry.load("average"), FuseOptions(), lambda _: None)
    return fusing(np.full((24, 32), 40, np.uint8), np.full((24, 32, 3), 200, np.uint8), 0.0)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Open a page; as if the host were not of this machine where `token` is wanted."""
    pages: list[WebPage] = []

    def build(*, token: bool = False) -> WebPage:
        if token:
            monkeypatch.setattr("polyfuse.live.web.is_local", lambda _: False)
        status = {"line": "12 frames", "trouble": False, "sources": {"a": "ir.mkv", "b": "rtsp://cam/live"}}
        pages.append(WebPage("127.0.0.1", 0, lambda: status))
        return pages[-1]

    yield build
    for opened in pages:
        opened.close()


def ask(page: WebPage, path: str, host: str | None = None) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Code, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=5)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("cam.local:1", ("cam.local", 1)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_host_and_port_are_read(text: str, expected: tuple[str, int]) -> None:
    assert parse_web(text) == expected


@pytest.mark.parametrize("text", ["", "x", ":80", "80:", "127.0.0.1", "127.0.0.1:99999", "::1:80", "[]:80", "host:٣"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--web"):
        parse_web(text)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.3", False), ("cam", False)],
)
def test_addresses_of_this_machine_are_known(host: str, local: bool) -> None:
    assert is_local(host) == local


def test_port_that_is_taken_is_an_output_error(page: Open) -> None:
    with pytest.raises(OutputError, match="name another port"):
        WebPage("127.0.0.1", page().port, dict)


def test_page_loads_nothing_from_elsewhere(page: Open) -> None:
    code, headers, body = ask(page(), "/")
    assert code == 200
    assert b"://" not in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_page_tells_the_running_line_and_the_sources(page: Open) -> None:
    code, _, body = ask(page(), "/status.json")
    assert code == 200
    assert json.loads(body)["line"] == "12 frames"


@pytest.mark.parametrize(("view", "level"), [("a", 40), ("b", 200), ("fused", 120)])
def test_newest_frame_is_shown(page: Open, fused: LiveFused, view: str, level: int) -> None:
    opened = page()
    opened.put(fused)
    code, headers, body = ask(opened, f"/{view}.jpg")
    pixels = np.asarray(Image.open(BytesIO(body)))
    assert (code, headers["Content-Type"], pixels.shape[:2]) == (200, "image/jpeg", (24, 32))
    assert abs(int(pixels[0, 0].mean() if pixels.ndim == 3 else pixels[0, 0]) - level) <= 2  # JPEG of a flat picture


def test_stream_sends_each_newest_frame_and_the_boundary_after_it(page: Open, fused: LiveFused) -> None:
    opened = page()
    connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=5)
    connection.request("GET", "/fused.mjpg")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace; boundary=")
    boundary = answer.readline()
    for _ in range(3):
        opened.put(fused)
        assert answer.readline() == b"Content-Type: image/jpeg\r\n"
        length = int(answer.readline().split(b":")[1])
        answer.readline()
        assert Image.open(BytesIO(answer.read(length))).size == (32, 24)
        assert (answer.readline(), answer.readline()) == (b"\r\n", boundary)
    connection.close()


def test_other_machines_need_the_token(page: Open, fused: LiveFused) -> None:
    opened = page(token=True)
    opened.put(fused)
    assert opened.token is not None
    assert opened.address.endswith(f"/?token={opened.token}")
    for path in ("/", "/fused.jpg", "/fused.mjpg", "/status.json", "/?token=", f"/?token={opened.token}x"):
        assert ask(opened, path)[0] == 403
    code, _, body = ask(opened, f"/?token={opened.token}")
    assert code == 200
    assert f"fused.mjpg?token={opened.token}".encode() in body
    assert ask(opened, f"/a.jpg?token={opened.token}")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "10.0.0.1"])
def test_page_of_this_machine_answers_to_no_other_name(page: Open, host: str) -> None:
    assert ask(page(), "/", host)[0] == 403


def test_unknown_paths_are_not_found(page: Open) -> None:
    opened = page()
    assert [ask(opened, path)[0] for path in ("/../x", "/fused.png", "/c.jpg")] == [404, 404, 404]


def test_closing_ends_the_streams(page: Open, fused: LiveFused) -> None:
    opened = page()
    opened.put(fused)
    connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=5)
    connection.request("GET", "/a.mjpg")
    answer = connection.getresponse()
    answer.readline()
    opened.close()
    assert answer.read().count(b"image/jpeg") <= 1
