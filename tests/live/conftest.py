"""Small clips, a server on this machine that plays, stalls and breaks off, and runs in this process."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from polyfuse import registry
from polyfuse.fusion import FuseOptions
from polyfuse.live.capture import CaptureOptions
from polyfuse.live.fusing import LiveFused
from polyfuse.live.naming import parse_source
from polyfuse.live.run import LiveOptions, LiveRun

av = pytest.importorskip("av")

RATE = 25


def write_clip(path: Path, frames: int, size: tuple[int, int] = (64, 48), seed: int = 0, grey: bool = False) -> Path:
    """A clip of noise that moves: MPEG-TS and MKV in MPEG-4, with a key frame every fifth."""
    width, height = size
    rng = np.random.default_rng(seed)
    wide = rng.integers(40, 200, (height, width + 2 * frames, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            picture = np.ascontiguousarray(wide[:, 2 * number : 2 * number + width])
            if grey:
                picture = np.ascontiguousarray(np.repeat(picture[..., :1], 3, axis=2))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Path]:
    """Write a clip: path, number of frames, size, seed, whether grey."""
    return write_clip


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A grey and a colour clip of 8 frames, a third of a second."""
    folder = tmp_path_factory.mktemp("clips")
    grey, colour = write_clip(folder / "ir.mkv", 8, grey=True), write_clip(folder / "vi.mkv", 8, seed=1)
    return grey.read_bytes(), colour.read_bytes()


@pytest.fixture
def clips(tmp_path: Path, made: tuple[bytes, bytes]) -> tuple[Path, Path]:
    """The same in files of the test's own folder."""
    paths = tmp_path / "ir.mkv", tmp_path / "vi.mkv"
    for path, content in zip(paths, made, strict=True):
        path.write_bytes(content)
    return paths


@dataclass
class Served:
    """A server on this machine, and how it treats whoever asks."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    stall_after: dict[str, int] = field(default_factory=dict)
    """Bytes after which nothing more is sent, until the test ends."""
    kill_after: dict[str, list[int]] = field(default_factory=dict)
    """Bytes after which the connection is cut; each request takes one of the list."""
    pauses: dict[str, float] = field(default_factory=dict)
    """Seconds between pieces of 1316 bytes, as of a sender in real time."""
    requests: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str) -> str:
        """Address of a file."""
        return f"http://127.0.0.1:{self.port}/{name}"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Serve files over HTTP on the loopback interface."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.lstrip("/")
            state.requests.append(name)
            data = state.files.get(name)
            if data is None:
                return self.send_error(404)
            self.send_response(200)
            if name not in state.pauses:  # a stream that runs on says no length
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            cut = state.kill_after[name].pop(0) if state.kill_after.get(name) else None
            stall = state.stall_after.get(name)
            for start in range(0, len(data), 1316):
                if cut is not None and start >= cut:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                if stall is not None and start >= stall:
                    state.over.wait(20)
                    return None
                try:
                    self.wfile.write(data[start : start + 1316])
                except OSError:
                    return None
                if name in state.pauses and state.over.wait(state.pauses[name]):
                    return None
            return None

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    state = Served(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    state.over.set()
    server.shutdown()
    server.server_close()


class Collected:
    """An output that keeps what it gets."""

    def __init__(self, most: int | None, until: Callable[[], bool] | None, forget: bool) -> None:
        self.frames: list[LiveFused] = []
        self.is_open, self.num_dropped, self._most, self._until = True, 0, most, until
        self._forget = forget

    def put(self, frame: LiveFused) -> None:
        if not self._forget:
            self.frames.append(frame)
        self.is_open = (self._most is None or len(self.frames) < self._most) and not (self._until and self._until())

    def close(self) -> None:
        pass


@dataclass
class Ran:
    """What a run left behind."""

    run: LiveRun
    frames: list[LiveFused]
    told: list[str]
    seconds: float

    @property
    def images(self) -> list[NDArray[np.uint8]]:
        return [frame.image for frame in self.frames]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ran]]:
    """Run two sources in this process with the model `average`.

    `each` is called several times a second; the run ends after `most` frames, or when `until` says so.
    """
    monkeypatch.setattr("polyfuse.live.run._GOODBYE", 0.05)
    monkeypatch.setattr("polyfuse.live.capture.FIRST_WAIT", 0.05)
    runs: list[LiveRun] = []

    def start(
        a: object,
        b: object,
        *,
        fuse: FuseOptions | None = None,
        most: int | None = None,
        duration: float | None = None,
        max_skew: float = 0.5,
        each: Callable[[], None] | None = None,
        told: list[str] | None = None,
        until: Callable[[], bool] | None = None,
        forget: bool = False,
        outputs: tuple[Any, ...] = (),
        **capture: Any,
    ) -> Ran:
        told = [] if told is None else told
        options = LiveOptions(CaptureOptions(**{"timeout": 2.0, "reconnect": 0.0, **capture}), duration, max_skew)
        names = parse_source(str(a)), parse_source(str(b))
        run = LiveRun(*names, registry.load("average"), fuse or FuseOptions(), options, told.append)
        runs.append(run)
        kept = Collected(most, until, forget)
        ran = Ran(run, kept.frames, told, 0.0)
        began = time.monotonic()
        try:
            run.wait_until_open()
            run.fuse([kept, *outputs], each)
        finally:
            run.close()
            ran.seconds = time.monotonic() - began
        return ran

    yield start
    for run in runs:
        run.close()
