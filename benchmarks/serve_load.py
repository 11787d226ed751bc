"""Load on `polyfuse serve`: its speed beside direct calls, then many requests among clients that misbehave.

A service is started on this machine, with drawn pictures. First the times of single answers with 1, 4 and 16 clients,
beside calls of `polyfuse.fuse` in this process that read the same bytes and encode the same file. Then thousands of
requests: most are good, and their answers are compared with the file byte for byte; others send text in place of a
picture, leave out a file, leave before their answer, or send garbage, while slow clients send a byte now and then.
Every answer is counted, and the memory of the service is looked at all the while. The exit status is 1 where an answer
was wrong or missing, something hung, or memory grew by more than --growth.

    python benchmarks/serve_load.py --threads 2
    python benchmarks/serve_load.py --requests 200 --each 10 --size 320x240     # a try
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import polyfuse
from polyfuse.io.write import encoded_picture
from polyfuse.service.figures import resident_bytes

BOUNDARY = "polyfuse"
KIND = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
SHARES = {"good": 0.80, "text": 0.05, "alone": 0.05, "leaves": 0.05, "garbage": 0.05}
"""Kinds of requests of the long run."""
STATUS = {"good": 200, "text": 422, "alone": 400}
"""What each must get."""
WORKERS, SLOW = 8, 8
"""Clients of the long run, and slow ones beside them."""
LONGEST = 120.0
"""Seconds after which an answer counts as hung."""


def drawn(size: tuple[int, int]) -> tuple[bytes, bytes]:
    """A thermal and a visible picture as PNG."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    noise = np.random.default_rng(7).integers(0, 24, (height, width, 3))
    thermal = (120 + 60 * np.sin(columns / 23) * np.cos(rows / 17)).astype(np.uint8)
    visible = (100 + 50 * np.cos(columns / 41 + rows / 29)[..., None] + noise).astype(np.uint8)
    return png(thermal), png(visible)


def png(array: NDArray[np.uint8]) -> bytes:
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def form(**files: bytes) -> bytes:
    """The body of a request."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.png"\r\n\r\n'.encode()
        + content
        for name, content in files.items()
    ]
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


class Service:
    """A service in a process of its own."""

    def __init__(self, model: str, threads: int, folder: Path) -> None:
        self.log = folder / "log.jsonl"
        command = [
            sys.executable,
            "-m",
            "polyfuse",
            "serve",
            "--port",
            "0",
            "--model",
            model,
            "--threads",
            str(threads),
        ]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        address = urlsplit(self.process.stdout.readline().strip())
        assert address.hostname, self.log.read_text()
        self.host, self.port = address.hostname, address.port or 0

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=LONGEST)

    def figures(self) -> dict[str, float]:
        connection = self.connection()
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    def memory(self) -> int:
        return resident_bytes(self.process.pid) or 0

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(LONGEST)

    def logged(self) -> Counter[int]:
        """Requests to /fuse in the log, by status."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return Counter(line["status"] for line in lines if line["event"] == "request" and line["path"] == "/fuse")


def in_threads(number: int, call: Callable[[int], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, args=(place,), daemon=True) for place in range(number)]
    for thread in threads:
        thread.start()
    return threads


def row(name: str, times: list[float], seconds: float) -> None:
    """Print a line of the table."""
    marks = " ".join(f"{1000 * value:9.1f}" for value in np.percentile(times, [50, 95, 99]))
    print(f"{name:<12} {len(times):8d} {len(times) / seconds:10.2f} {marks}", flush=True)


def direct(a: bytes, b: bytes, model: Any, number: int) -> tuple[bytes, list[float], float]:
    """The file, and times of calls in this process."""
    times, began = [], time.perf_counter()
    for _ in range(number + 1):
        start = time.perf_counter()
        content = encoded_picture("fused.png", polyfuse.fuse(a, b, model=model).image)
        times.append(time.perf_counter() - start)
    return content, times[1:], time.perf_counter() - began - times[0]


def timed(service: Service, body: bytes, expected: bytes, clients: int, each: int) -> tuple[list[float], float, int]:
    """Times of answers, seconds in all, and how many were wrong."""
    times: list[float] = []
    wrong: list[int] = []

    def client(_: int) -> None:
        connection = service.connection()
        for _ in range(each):
            start = time.perf_counter()
            connection.request("POST", "/fuse", body, KIND)
            answer = connection.getresponse()
            content = answer.read()
            times.append(time.perf_counter() - start)
            if answer.status != 200 or content != expected:
                wrong.append(answer.status)
        connection.close()

    began = time.perf_counter()
    for thread in in_threads(clients, client):
        thread.join()
    return times, time.perf_counter() - began, len(wrong)


def dawdle(service: Service, begin: bytes, over: threading.Event, cuts: list[int]) -> None:
    """Go on byte by byte after a beginning, until the service has enough of it; again and again."""
    while not over.is_set():
        with socket.create_connection((service.host, service.port), timeout=LONGEST) as slow:
            try:
                slow.sendall(begin)
                while not over.wait(0.5):
                    slow.sendall(b"x")
            except OSError:
                cuts.append(1)


def misbehave(service: Service, kind: str, body: bytes) -> None:
    """Send a request and leave, or send what is none and wait to be cut."""
    with socket.create_connection((service.host, service.port), timeout=LONGEST) as one:
        if kind == "garbage":
            one.sendall(bytes(range(256)) * 8)
            while one.recv(4096):
                pass
            return
        head = f"POST /fuse HTTP/1.1\r\nHost: localhost\r\nContent-Type: {KIND['Content-Type']}\r\n"
        one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def long_run(service: Service, bodies: dict[str, bytes], expected: bytes, number: int, growth: float) -> list[str]:
    """Send many requests of all kinds; returns what was wrong."""
    kinds = random.Random(5).choices(list(SHARES), list(SHARES.values()), k=number)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    cuts: list[int]
    lock, over, cuts = threading.Lock(), threading.Event(), []
    todo = iter(kinds)
    memory: list[tuple[int, int]] = []

    def client(_: int) -> None:
        connection = service.connection()
        while True:
            with lock:
                kind = next(todo, None)
                counts["sent"] += kind is not None
                if kind is not None and counts["sent"] % max(1, number // 20) == 0:
                    memory.append((counts["sent"], service.memory()))
            if kind is None:
                break
            try:
                if kind not in STATUS:
                    misbehave(service, kind, bodies["good"])
                    counts[kind] += 1
                    continue
                while True:
                    connection.request("POST", "/fuse", bodies[kind], KIND)
                    answer = connection.getresponse()
                    content = answer.read()
                    if answer.status != 429:
                        break
                    counts["told to wait"] += 1
                    time.sleep(float(answer.headers["Retry-After"]))
                if answer.status != STATUS[kind] or (kind == "good" and content != expected):
                    problems.append(f"{kind}: {answer.status} {content[:100]!r}")
                counts[kind] += 1
            except (OSError, http.client.HTTPException) as error:
                if kind != "garbage":
                    problems.append(f"{kind}: {error!r}")
                counts[kind] += 1
                connection.close()
        connection.close()

    began = time.perf_counter()
    head = (
        f"POST /fuse HTTP/1.1\r\nHost: localhost\r\nContent-Type: {KIND['Content-Type']}\r\nContent-Length: 999\r\n\r\n"
    )
    begins = [b"POST /fuse HTTP/1.1\r\nHost: ", head.encode() + form(a=b"")[:80]]  # half a head, half a body
    slow = in_threads(SLOW, lambda place: dawdle(service, begins[place % 2], over, cuts))
    for thread in in_threads(WORKERS, client):
        thread.join()
    seconds = time.perf_counter() - began
    over.set()
    for thread in slow:
        thread.join(LONGEST)
    time.sleep(1)
    figures = service.figures()
    told = ", ".join(f"{counts[kind]} {kind}" for kind in (*SHARES, "told to wait"))
    print(
        f"\n{number} requests in {seconds:.0f} s, {number / seconds:.1f} a second: {told}; {sum(cuts)} slow clients cut"
    )
    print("memory of the service, MiB: " + ", ".join(f"{used >> 20} at {sent}" for sent, used in memory))
    if counts["sent"] != sum(counts[kind] for kind in SHARES):
        problems.append("some requests have no answer")
    problems += [f"{name} is {figures[name]:g} at the end" for name in ("polyfuse_waiting", "polyfuse_running")
                 if figures[name]]  # fmt: skip
    settled = [used for sent, used in memory if sent >= number // 4]
    if settled and settled[-1] > settled[0] * (1 + growth):
        problems.append(f"memory grew from {settled[0] >> 20} to {settled[-1] >> 20} MiB")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="of the long run; 0 leaves it out")
    parser.add_argument("--each", type=int, default=50, help="requests of each client that is timed")
    parser.add_argument("--clients", default="1,4,16")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--model", default="pyrfuse-t.road")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--growth", type=float, default=0.05, help="share by which memory may grow after a quarter")
    asked = parser.parse_args()
    width, height = (int(side) for side in asked.size.split("x"))
    a, b = drawn((width, height))
    torch.set_num_threads(asked.threads)
    load = Path("/proc/loadavg").read_text().split()[0] if Path("/proc/loadavg").exists() else "unknown"
    print(f"{asked.model}, {asked.size}, {asked.threads} threads, load {load} before the start")
    expected, times, seconds = direct(a, b, polyfuse.load(asked.model), asked.each)
    print(f"{'':<12} {'requests':>8} {'a second':>10} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9}")
    row("direct", times, seconds)
    bodies = {"good": form(a=a, b=b), "text": form(a=b"no picture", b=b), "alone": form(a=a)}
    with tempfile.TemporaryDirectory() as folder:
        service = Service(asked.model, asked.threads, Path(folder))
        try:
            problems = []
            timed(service, bodies["good"], expected, 1, 3)
            for clients in map(int, asked.clients.split(",")):
                times, seconds, wrong = timed(service, bodies["good"], expected, clients, asked.each)
                row(f"{clients} clients", times, seconds)
                problems += [f"{wrong} answers to {clients} clients were wrong"] if wrong else []
            if asked.requests:
                problems += long_run(service, bodies, expected, asked.requests, asked.growth)
            code = service.end()
            problems += [] if code in (143, -15) else [f"the service ended with {code}"]
            statuses = ", ".join(f"{number} x {status}" for status, number in sorted(service.logged().items()))
            print(f"in its log: {statuses}")
        finally:
            service.process.kill()
            service.process.wait()
    print("\n".join(problems[:20]) or "nothing lost, nothing hung")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
