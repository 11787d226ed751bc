"""Streams that are closed, broken or cannot print every letter cost no result and end with the right code."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyfuse.io import read_picture

Popen = Callable[..., "subprocess.Popen[str]"]
Folders = Callable[..., tuple[Path, Path]]


def closed(number: int) -> dict[str, Any]:
    """How to start a program with a standard stream closed."""
    return {"preexec_fn": lambda: os.close(number)}


@pytest.mark.parametrize(
    "number", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(2, marks=pytest.mark.slow)]
)
def test_closed_stream_costs_no_result_and_no_file_takes_its_place(
    start: Popen, folders: Folders, tmp_path: Path, number: int
) -> None:
    process = start("fuse", *folders(2), "--model", "average", **closed(number))
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == ([] if number == 1 else ["fused/0.png", "fused/1.png"])
    for index in range(2):
        read_picture(tmp_path / f"fused/{index}.png")


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_error_keeps_its_code_with_a_closed_stream(start: Popen, number: int) -> None:
    process = start("fuse", "none.png", "other.png", **closed(number))
    assert "Traceback" not in process.communicate()[1]
    assert process.returncode == 3


@pytest.mark.parametrize("more", [("--dry-run",), pytest.param((), marks=pytest.mark.slow)])
def test_letters_that_the_stream_does_not_know_are_escaped(
    start: Popen, folders: Folders, tmp_path: Path, more: tuple[str, ...]
) -> None:
    ir, vi = folders(1)
    for folder in (ir, vi):
        (tmp_path / folder / "0.png").rename(tmp_path / folder / "\u2192x.png")
    process = start("fuse", ir, vi, "--model", "average", *more, env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "\\u2192x.png" in out


def test_error_with_such_letters_keeps_its_line_and_code(start: Popen) -> None:
    process = start("fuse", "\u2192.png", "b.png", env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    assert process.communicate()[1].startswith("polyfuse: \\u2192.png does not exist")
    assert process.returncode == 3
