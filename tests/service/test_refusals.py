"""Whoever sends what cannot be used, too much, or without leave gets one line and the status of its kind."""

import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyfuse.io import write_picture
from polyfuse.service import Limits
from polyfuse.service.work import Fused

TOKEN = "0123456789abcdef"


def empty_png(width: int, height: int) -> bytes:
    """A PNG of 8-bit grey that says its size and has no pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT" + zlib.compress(b""), b"IEND"]
    parts = [struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"gray": 1}, "there is no field 'gray': did you mean grey?"),
        ({"model": "fnet"}, "model 'fnet' is not loaded: use laplacian, average, or start with --model."),
        ({"grey": "perhaps"}, "grey is 'perhaps': write true or false."),
        ({"page": "-1"}, "page is '-1': write a whole number from 0."),
        ({"format": "gif"}, "format is 'gif': use one of png, tif, jpg, webp, bmp."),
        ({"range": "9,1"}, "range 9,1"),
        ({"quality": 0}, "quality 0 is out of range: give 1 to 100"),
        ({"a": "ir.png"}, "a is text and no file"),
        ({"tile": 3}, "tile 3 is too small"),
    ],
)
def test_wrong_fields_are_told(service, pair, fields: dict[str, object], line: str) -> None:
    answer = service.post("/fuse", pair, **fields)
    assert answer.status == 400
    assert answer.error.startswith(line)


def test_field_that_is_given_twice_is_told(service, pair) -> None:
    answer = service.post("/fuse", {**pair, "ir": pair["a"]})
    assert (answer.status, answer.error) == (400, "a is given twice: drop one.")


def test_file_that_is_no_picture_is_told_by_its_field(service, pair) -> None:
    answer = service.post("/fuse", {**pair, "a": ("../../etc/notes.txt", b"hello")})
    assert answer.status == 422
    assert answer.error.startswith("a/notes.txt is not a picture polyfuse reads")


def test_sizes_that_differ_are_told(service, pair, tmp_path: Path) -> None:
    other = write_picture(tmp_path / "other.png", np.zeros((20, 30), np.uint8))
    answer = service.post("/fuse", {"a": pair["a"], "b": other})
    assert (answer.status, answer.error.partition(":")[0]) == (422, "a is 40x30 but b is 30x20")


def test_missing_file_is_told(service, pair) -> None:
    assert service.post("/fuse", {"b": pair["b"]}).error == "there is no file a: send a."
    assert service.post("/fuse", {"a": pair["a"]}).error.startswith("there is no file b: send a and b")
    assert service.post("/evaluate", pair).error == "there is no file fused: send fused, a, b."
    assert service.post("/fuse", {**pair, "c": b""}).error == "there is no file 'c': send a, b, warp."


def test_header_of_a_large_picture_is_refused_before_it_is_decoded(service, pair) -> None:
    answer = service.post("/fuse", {"a": pair["a"], "b": empty_png(20000, 20000)})
    assert answer.status == 413
    assert "20000x20000 = 400000000 pixels" in answer.error
    assert service.post("/fuse", pair, max_pixels=100).status == 413


def test_other_bodies_are_refused(service) -> None:
    assert service.ask("POST", "/fuse", b"{}", {"Content-Type": "application/json"}).status == 415
    assert service.ask("POST", "/fuse", b"x", {"Content-Type": "multipart/form-data"}).status == 400
    broken = service.ask("POST", "/fuse", b"--x\r\nno", {"Content-Type": "multipart/form-data; boundary=x"})
    assert (broken.status, broken.error.count(":")) == (400, 1)
    assert service.get("/nothing").status == 404
    assert service.get("/fuse").status == 405


PARTS = st.sampled_from(
    [b"--x", b"--x--", b"\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="a"', b'; filename="a.png"']
)


@settings(max_examples=12)  # each is a connection of its own
@given(body=st.lists(PARTS | st.binary(max_size=12), max_size=12).map(b"".join))
def test_any_body_gets_one_line(service, body: bytes) -> None:
    answer = service.ask("POST", "/fuse", body, {"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status == 400
    assert answer.error


def test_request_that_is_too_large_is_refused_before_and_while_it_is_read(started, pair) -> None:
    service = started(limits=Limits(request_bytes=5000))
    assert service.post("/fuse", {**pair, "a": bytes(6000)}).status == 413
    connection = socket.create_connection(("127.0.0.1", service.server.port), timeout=20)
    with connection:
        head = "POST /fuse HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        part = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n'
        connection.sendall(b"%x\r\n" % len(part) + part + b"\r\n")
        for _ in range(6):
            connection.sendall(b"3e8\r\n" + bytes(1000) + b"\r\n")
        assert b" 413 " in connection.recv(200)


def test_pages_of_others_and_other_names_are_refused(service) -> None:
    assert service.get("/models", Host="evil.example").status == 403
    assert service.get("/models", Origin="http://evil.example").status == 403
    assert service.get("/models", Origin="http://localhost:1").status == 200


def test_token_is_asked_for(started, pair) -> None:
    service = started(host="0.0.0.0", token=TOKEN)
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = service.post("/fuse", pair, headers)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert service.post("/fuse", pair, {"Authorization": f"bearer {TOKEN}", "Host": "fusion.example"}).status == 200
    assert service.get("/metrics").status == 401
    assert [service.get(path).status for path in ("/", "/health", "/openapi.json")] == [200, 200, 200]
    assert TOKEN not in json.dumps(service.lines)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Fusion that goes on, tile by tile, until the event is set."""
    event = threading.Event()

    def wait(uploads, values, media_type, model, limits, ticket) -> Fused:
        while not event.wait(0.01):
            ticket.check()
        return Fused(b"done", {"settings": {"model": "none"}, "notes": []}, 1, 1)

    monkeypatch.setattr("polyfuse.service.desk.fuse", wait)
    yield event
    event.set()


def in_threads(number: int, call: Callable[[], None]) -> list[threading.Thread]:
    """Call a function in threads."""
    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something, ten seconds at most."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_full_queue_says_when_to_come_back(started, pair, held: threading.Event) -> None:
    service = started(limits=Limits(queue=1))
    statuses: list[int] = []
    threads = in_threads(2, lambda: statuses.append(service.post("/fuse", pair).status))
    worker = service.server.service.worker
    wait_until(lambda: (worker.running, worker.waiting) == (1, 1))
    answer = service.post("/fuse", pair)
    assert (answer.status, int(answer.headers["Retry-After"]) >= 1) == (429, True)
    assert "polyfuse_waiting 1" in service.get("/metrics").body.decode()
    held.set()
    for thread in threads:
        thread.join(20)
    assert statuses == [200, 200]


def test_request_that_takes_too_long_ends_and_makes_room(started, pair, held: threading.Event) -> None:
    service = started(limits=Limits(seconds=0.3))
    answer = service.post("/fuse", pair)
    assert (answer.status, answer.error.startswith("it took more than 0.3 s")) == (504, True)
    wait_until(lambda: service.server.service.worker.is_idle)
    assert service.server.service.worker.abandoned == 1


def test_body_that_does_not_come_is_not_waited_for(started) -> None:
    service = started(limits=Limits(seconds=0.3))
    with socket.create_connection(("127.0.0.1", service.server.port), timeout=20) as connection:
        head = "POST /fuse HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n--x".encode())
        assert b" 408 " in connection.recv(200)


def test_work_of_clients_that_left_is_dropped(started, pair, held: threading.Event) -> None:
    service = started()
    worker = service.server.service.worker
    request = service.bytes_of("/fuse", pair)
    sockets = [socket.create_connection(("127.0.0.1", service.server.port), timeout=20) for _ in range(3)]
    for one in sockets:
        one.sendall(request)
    wait_until(lambda: (worker.running, worker.waiting) == (1, 2))
    for one in sockets:
        one.close()
    wait_until(lambda: (worker.running, worker.waiting, worker.abandoned) == (0, 0, 3))
    wait_until(lambda: [line["status"] for line in service.lines] == [499, 499, 499])
    assert service.get("/health").status == 200


def test_stopping_service_finishes_and_refuses(started, pair, held: threading.Event) -> None:
    service = started()
    statuses: list[int] = []
    threads = in_threads(1, lambda: statuses.append(service.post("/fuse", pair).status))
    wait_until(lambda: service.server.service.worker.running == 1)
    service.server.stop()
    answer = service.post("/fuse", pair)
    assert (answer.status, answer.headers["Retry-After"], service.get("/health").status) == (503, "5", 503)
    held.set()
    threads[0].join(20)
    wait_until(lambda: service.lines[-1]["event"] == "stopped")
    assert statuses == [200]
    with pytest.raises(ConnectionRefusedError):
        service.get("/health")


def test_slow_heads_and_garbage_hang_nothing(started, pair, monkeypatch: pytest.MonkeyPatch) -> None:
    service = started()
    slow = [socket.create_connection(("127.0.0.1", service.server.port), timeout=20) for _ in range(20)]
    for one in slow:
        one.sendall(b"POST /fuse HTTP/1.1\r\nHost: local")
    with socket.create_connection(("127.0.0.1", service.server.port), timeout=20) as garbage:
        garbage.sendall(b"\x16\x03\x01\x00\xff" * 40)
        assert b" 400 " in garbage.recv(200)
    assert service.post("/fuse", pair).status == 200
    monkeypatch.setattr("polyfuse.service.server.LONGEST_IDLE", 0.2)
    for one in slow:
        with suppress(ConnectionResetError):
            assert one.recv(10) == b""
        one.close()


def test_client_that_takes_nothing_of_its_answer_is_cut(started, pair, monkeypatch: pytest.MonkeyPatch) -> None:
    large = Fused(bytes(24 << 20), {"settings": {"model": "none"}, "notes": []}, 1, 1)
    monkeypatch.setattr("polyfuse.service.desk.fuse", lambda *_: large)
    monkeypatch.setattr("polyfuse.service.server.LONGEST_IDLE", 0.2)
    service = started()
    with socket.create_connection(("127.0.0.1", service.server.port), timeout=20) as idle:
        idle.sendall(service.bytes_of("/fuse", pair))
        wait_until(lambda: len(service.lines) == 1)
        wait_until(lambda: service.server.num_connections == 0)
    monkeypatch.setattr("polyfuse.service.server.LONGEST_IDLE", 10.0)
    assert len(service.post("/fuse", pair).body) == 24 << 20


def test_fault_is_logged_and_not_told(started, pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("polyfuse.service.desk.fuse", fail)
    service = started()
    answer = service.post("/fuse", pair)
    assert (answer.status, "secret" in answer.error) == (500, False)
    wait_until(lambda: any(line["event"] == "fault" and "secret" in line["traceback"] for line in service.lines))
    assert service.get("/health").status == 200


def test_nothing_is_left_on_the_disk(started, pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    service = started()
    assert service.post("/fuse", pair).status == 200
    assert service.post("/fuse", {**pair, "b": b"no picture"}).status == 422
    assert list((tmp_path / "temporary").iterdir()) == []
