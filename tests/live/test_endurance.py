"""Memory stays flat however long a run is: a minute here, half an hour with POLYFUSE_LIVE_SECONDS=1800."""

import os
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.live.outputs import EncodedOutput, make_target
from polyfuse.live.web import WebPage

pytest.importorskip("av")

SECONDS = float(os.environ.get("POLYFUSE_LIVE_SECONDS", "60"))


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
def test_memory_stays_flat(live: Callable[..., Any], make_clip: Any, tmp_path: Path, served: Any) -> None:
    a = make_clip(tmp_path / "ir.mkv", 50, size=(320, 240), grey=True)
    data = make_clip(tmp_path / "vi.ts", 50, size=(320, 240), seed=1).read_bytes()
    # b is sent anew all the time, so it is lost and found every two seconds, too.
    served.files["vi.ts"], served.pauses["vi.ts"] = data, 2.0 / (len(data) / 1316)
    target = make_target(str(tmp_path / "out.mkv"), None)
    output, page = EncodedOutput(target, Fraction(25)), WebPage("127.0.0.1", 0, dict)
    levels: list[int] = []
    over = threading.Event()

    def watch() -> None:
        number = 0
        while not over.wait(SECONDS / 200):
            levels.append(resident())
            picture = page.next_picture("fused", number, 1.0)
            number = number if picture is None else picture[0]

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ran = live(
            a, served.url("vi.ts"), outputs=(output, page), loop=True, duration=SECONDS, reconnect=30.0, max_skew=30.0,
            forget=True,
        )  # fmt: skip
    finally:
        over.set()
        watcher.join()
        output.close()
        page.close()
    assert ran.run.statistics.num_fused > 5 * SECONDS  # of 25 a second: the machine may be busy
    assert len([line for line in ran.told if "is back" in line]) > SECONDS / 10
    early, late = np.median(levels[20:60]), np.median(levels[-40:])
    print(f"{ran.run.statistics.num_fused} frames, {early / 2**20:.1f} MB, then {late / 2**20:.1f} MB")
    assert (
        late - early < 24 * 2**20
    )  # what allocators keep; one leaked frame of three a second would be 100 MB a minute
