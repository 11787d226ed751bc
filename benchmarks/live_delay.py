"""Delay of `polyfuse live`, from a clock that is drawn into the visible source to the same clock read in the result.

Two senders draw moving pictures in real time, encode them (H.264, ultrafast, zerolatency) and send them by UDP on this
machine. `polyfuse live` fuses them and sends the result by UDP to this program, which decodes it and reads the clock.
So the delay holds encoding, sending, decoding, pairing, fusing, encoding, sending and decoding, but no camera and no
screen. All of it shares the processor; the load is printed, since other work makes all figures worse.

    python benchmarks/live_delay.py --size 1280x720 --rate 25 --seconds 20 -- --threads 2
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BITS, BLOCK = 24, 16
"""Milliseconds of the clock in binary, one block of pixels a bit, in the top row of the picture."""


def drawn(clock: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A row of blocks that says a number."""
    bits = np.array([255 * (clock >> bit & 1) for bit in range(BITS)], np.uint8)
    return np.repeat(np.repeat(bits[None], BLOCK, axis=0), BLOCK, axis=1)[:, : shape[1]]


def read(picture: NDArray[np.uint8]) -> int:
    """The number that the blocks say."""
    centres = picture[BLOCK // 2, BLOCK // 2 : BITS * BLOCK : BLOCK]
    return sum(1 << bit for bit, level in enumerate(centres) if level > 127)


def now() -> int:
    """The clock, milliseconds, the same for all programs of this machine."""
    return int(1000 * time.monotonic()) % (1 << BITS)


def send(port: int, width: int, height: int, rate: int, has_clock: bool) -> None:
    """Send a moving picture until this program is ended."""
    rows, columns = np.mgrid[:height, : width + 512]
    wide = (120 + 60 * np.sin(columns / 23 + has_clock) * np.cos(rows / 17)).astype(np.uint8)
    container = av.open(
        f"udp://127.0.0.1:{port}?pkt_size=1316", "w", format="mpegts", options={"omit_video_pes_length": "0"}
    )
    options = {"preset": "ultrafast", "tune": "zerolatency"}
    stream: Any = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.gop_size = rate
    began, number = time.monotonic(), 0
    while True:
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        left = 4 * number % 512
        plane = np.full((height * 3 // 2, width), 128, np.uint8)
        plane[:height] = wide[:, left : left + width]
        plane[: BLOCK + 8] = 0
        if has_clock:
            plane[:BLOCK, : BITS * BLOCK] = drawn(now(), (height, width))
        frame = av.VideoFrame.from_ndarray(plane, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        container.mux(stream.encode(frame))
        number += 1


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses just now."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--rate", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--clock", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("more", nargs="*", help="further options of `polyfuse live`, after --")
    asked = parser.parse_args()
    width, height = (int(side) for side in asked.size.split("x"))
    if asked.send is not None:
        send(asked.send, width, height, asked.rate, asked.clock)
        return
    a, b, out = free_ports(3)
    own = [sys.executable, __file__, "--size", asked.size, "--rate", str(asked.rate)]
    programs = [subprocess.Popen([*own, "--send", str(a)]), subprocess.Popen([*own, "--send", str(b), "--clock"])]
    live = [sys.executable, "-m", "polyfuse", "live", f"udp://127.0.0.1:{a}", f"udp://127.0.0.1:{b}"]
    live += ["-o", f"udp://127.0.0.1:{out}", "--duration", str(asked.seconds), "--json", "--quiet", *asked.more]
    run = subprocess.Popen(live, stdout=subprocess.PIPE, text=True)
    delays: list[int] = []
    try:
        try:
            with av.open(
                f"udp://127.0.0.1:{out}", timeout=(60.0, 3.0), options={"analyzeduration": "500000"}
            ) as container:
                stream = container.streams.video[0]
                stream.thread_type = "SLICE"
                delays.extend(
                    (now() - read(frame.to_ndarray(format="gray"))) % (1 << BITS) for frame in container.decode(stream)
                )
        except av.FFmpegError:
            pass  # nothing comes any more: the run is over
        facts = json.loads(run.communicate(timeout=30)[0])
    finally:
        for program in (*programs, run):
            program.kill()
            program.wait()
    late = np.array(delays[asked.rate :])  # the first second holds what waited while the stream was looked at
    print(f"{asked.size} at {asked.rate} frames/s, load {Path('/proc/loadavg').read_text().split()[0]}")
    print(f"fused: {facts['frames']} frames, {facts['frames_per_second']} frames/s, dropped {facts['dropped']}")
    print(f"told by live: delay {facts['delay_ms']}, skew {facts['skew_ms']}, fusing {facts['fusing_ms']} ms")
    if late.size:
        quantiles = np.percentile(late, [5, 50, 95])
        print(f"drawn clock: 5 % {quantiles[0]:.0f}, median {quantiles[1]:.0f}, 95 % {quantiles[2]:.0f} ms")


if __name__ == "__main__":
    main()
