"""File names that are no UTF-8, and errors of the operating system, through the whole command."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from polyfuse.cli import run
from polyfuse.evaluation.triples import pair_list_hash
from polyfuse.io import write_picture, write_text

NAME = os.fsdecode(b"bad\xff\xfe")

pytestmark = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are always text there")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with a pair of a good name and one whose name is no UTF-8."""
    rng = np.random.default_rng(4)
    for side in ("ir", "vi"):
        for name in (NAME, "good"):
            write_picture(tmp_path / side / f"{name}.png", rng.integers(0, 256, (48, 64), np.uint8))
    return tmp_path / "ir", tmp_path / "vi"


def polyfuse(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own whose streams take any name."""
    command = [sys.executable, "-m", "polyfuse", *map(str, arguments)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:surrogateescape"}
    ended = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended


@pytest.mark.slow
def test_batches_and_scores_of_names_that_are_no_text(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    out, scores = tmp_path / "out", tmp_path / "scores"
    assert b"bad\xff\xfe.png" in polyfuse("fuse", *folders, "-o", out, "--dry-run").stdout
    assert b"bad\xff\xfe.png" in polyfuse("fuse", *folders, "--model", "maximum", "-o", out).stdout
    record = json.loads((out / f"{NAME}.png.json").read_text("utf-8"))
    assert record["sources"]["a"]["path"] == str(folders[0] / f"{NAME}.png")
    kept = polyfuse("fuse", *folders, "--model", "maximum", "-o", out, "--resume", "--json")
    assert [entry["state"] for entry in json.loads(kept.stdout)["results"]] == ["kept", "kept"]
    polyfuse("evaluate", out, *folders, "--metrics", "EN", "--out", scores, "--no-charts")
    assert r"bad\udcff\udcfe" in (scores / "per_picture.csv").read_text("utf-8")


def test_names_that_are_no_text_are_written_and_hashed(tmp_path: Path) -> None:
    write_text(tmp_path / "x.json", json.dumps([NAME], ensure_ascii=False))
    assert json.loads((tmp_path / "x.json").read_text("utf-8")) == [NAME]
    assert pair_list_hash([(NAME, ("1", "2"))]) != pair_list_hash([("bad", ("1", "2"))])


@pytest.mark.parametrize(
    ("number", "name", "code", "words"),
    [
        (errno.EIO, "ir.png", 3, "ir.png cannot be read"),
        (errno.EACCES, "ir.png", 3, "ir.png cannot be read"),
        (errno.ENOSPC, "out.png", 5, "out.png cannot be written"),
        (errno.ENOSPC, None, 5, "standard output cannot be written"),
    ],
)
def test_an_error_of_the_system_says_what_could_not_be_done(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: int,
    name: str | None,
    code: int,
    words: str,
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), name)

    monkeypatch.setattr("polyfuse.cli.cli.main", failing)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert run([]) == code
    assert words in capfd.readouterr().err
