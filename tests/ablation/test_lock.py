"""Two commands do not work in one folder, and what a dead one left behind keeps nobody out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyfuse.ablation import hold, lock
from polyfuse.errors import OutputError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the lock is without effect there")

# The file alone: all of the room takes seconds to import.
HOLDER = """
import pathlib, runpy, sys
hold = runpy.run_path(sys.argv[1])["hold"]
with hold(pathlib.Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_command_is_refused_with_the_number_of_the_first_until_that_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDER, lock.__file__, str(tmp_path / "study")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(OutputError, match=f"study is in use by process {other.pid}: wait"),
            hold(tmp_path / "study"),
        ):
            pass
        other.kill()
    assert (tmp_path / "study/study.lock").read_text() == f"{other.pid}\n"
    with hold(tmp_path / "study"):
        assert (tmp_path / "study/study.lock").read_text() == f"{os.getpid()}\n"
    assert list((tmp_path / "study").iterdir()) == []


def test_folder_that_nothing_came_into_goes_if_it_was_not_there_before(tmp_path: Path) -> None:
    for folder in (tmp_path / "new", tmp_path):
        with hold(folder):
            assert (folder / "study.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_lock_goes_when_the_work_breaks_down(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(tmp_path):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"study\.lock cannot be locked .*: choose another --out"),
        hold(tmp_path / "file/study"),
    ):
        pass
