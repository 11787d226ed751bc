"""A batch that is killed or interrupted leaves complete files only, and `--resume` finishes it."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyfuse.io import read_picture

Popen = Callable[..., "subprocess.Popen[str]"]
Folders = Callable[..., tuple[Path, Path]]
COUNT = 12
DEFAULT_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""Python leaves SIGINT alone where its parent ignored it, as a job in the background does."""


@pytest.fixture
def slow_batch(folders: Folders, fnet_weights: Path) -> list[object]:
    """Arguments of a batch of 12 pairs that takes seconds."""
    return ["fuse", *folders(COUNT, size=(120, 160)), "--weights", fnet_weights, "--threads", "1"]


def end_after(process: "subprocess.Popen[str]", lines: int, number: signal.Signals) -> list[str]:
    """Send a signal once so many results are told; returns these lines."""
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(lines)]
    process.send_signal(number)
    return told


def complete(folder: Path) -> set[str]:
    """Names of the pictures; each must decode, hidden files aside."""
    found = {path for path in folder.glob("*.png") if not path.name.startswith(".")}
    for path in found:
        read_picture(path)
    return {path.name for path in found}


def test_killed_batch_is_resumed_without_touching_what_is_done(
    start: Popen, polyfuse: Callable[..., Any], slow_batch: list[object], tmp_path: Path
) -> None:
    process = start(*slow_batch)
    told = end_after(process, 3, signal.SIGKILL)
    _, err = process.communicate()
    assert (process.returncode, err) == (-signal.SIGKILL, "")
    done = complete(tmp_path / "fused")
    assert {Path(line).name for line in told} <= done
    assert len(done) < COUNT
    before = {line: (tmp_path / line).stat().st_mtime_ns for line in told}
    # What a kill in the middle of a write leaves behind, beside the results and beside the sources.
    for folder in ("fused", "ir", "vi"):
        (tmp_path / folder / ".polyfuse-0123456789abcdef.png").write_bytes(b"\x89PNG")

    ran = polyfuse(*slow_batch, "--resume")

    assert (ran.code, ran.err) == (0, [])
    assert ran.out == [f"fused/{index}.png" for index in range(COUNT)]
    assert complete(tmp_path / "fused") == {f"{index}.png" for index in range(COUNT)}
    assert {line: (tmp_path / line).stat().st_mtime_ns for line in told} == before


@pytest.mark.parametrize(
    ("number", "by"),
    [
        (signal.SIGINT, ""),
        pytest.param(signal.SIGTERM, " by SIGTERM", marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, " by SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_interrupted_batch_ends_with_its_signal_and_complete_files_only(
    start: Popen, slow_batch: list[object], tmp_path: Path, number: signal.Signals, by: str
) -> None:
    process = start(*slow_batch, before=DEFAULT_SIGINT)
    told = end_after(process, 2, number)
    _, err = process.communicate()
    assert process.returncode == 128 + number
    assert err.split("\n", 1)[0] == ""  # so that the message does not follow ^C on its line
    assert err.strip() == f"polyfuse: interrupted{by}; what is finished stays, nothing is half-written."
    done = complete(tmp_path / "fused")
    assert {Path(line).name for line in told} <= done
    assert len(done) < COUNT
    assert {path.name for path in (tmp_path / "fused").iterdir()} == done | {f"{name}.json" for name in done}


def test_reader_of_the_paths_that_leaves_ends_the_batch_quietly_with_1(start: Popen, folders: Folders) -> None:
    process = start("fuse", *folders(6), "--model", "average", "--quiet")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


def test_nohup_still_means_that_the_end_of_the_terminal_is_ignored(start: Popen, folders: Folders) -> None:
    process = start(
        "fuse", *folders(9), "--model", "average", before="import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    )
    end_after(process, 1, signal.SIGHUP)
    assert (process.communicate()[1], process.returncode) == ("", 0)


SLOW_READING = """
import time
import polyfuse.data.pack
def slowly(path, **how):
    print("reading", flush=True)
    time.sleep(60)
polyfuse.data.pack.read_picture = slowly
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_pack_that_is_told_to_end_leaves_nothing(
    start: Popen, folders: Folders, tmp_path: Path, number: signal.Signals
) -> None:
    process = start("data", "pack", "--pair", *folders(1), "-o", "out/x.pack", before=SLOW_READING)
    end_after(process, 1, number)
    process.communicate()
    assert (process.returncode, list((tmp_path / "out").iterdir())) == (128 + number, [])
