"""Two workers of Ray on this machine: the files of one process, also where a worker is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse import cli, registry
from polyfuse.cluster.fusing import Fusing, fuse_on_workers
from polyfuse.cluster.mirror import Mirror
from polyfuse.cluster.session import RETRIES, Work, Workers, results, started
from polyfuse.errors import DependencyError, PolyfuseError
from polyfuse.fusion import FuseOptions, Writing, fuse_pairs
from polyfuse.fusion.batch import Jobs
from polyfuse.io import find_pairs, write_picture

pytest.importorskip("ray", reason="Ray is not installed: pip install polyfuse[ray]")
# Ray's own code warns of what it will drop, and leaves sockets and processes to the end of the interpreter.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

TWO = Workers(number=2, threads=1)
LOAD = partial(registry.load, "laplacian")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Twelve pairs, below the folder in which the test runs."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    for index in range(12):
        write_picture(f"ir/{index}.png", rng.integers(0, 256, (96, 128), dtype=np.uint8))
        write_picture(f"vi/{index}.png", rng.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Path("ir"), Path("vi")
    torch.set_num_threads(threads)


def jobs_into(folder: str, folders: tuple[Path, Path]) -> Jobs:
    return [(pair, Path(folder, f"{pair.name}.png")) for pair in find_pairs(*folders)]


def plain_bytes(folders: tuple[Path, Path]) -> dict[str, bytes]:
    """The results of one process, by name."""
    jobs = jobs_into("plain", folders)
    list(fuse_pairs(jobs, LOAD(), FuseOptions()))
    return {pair.name: path.read_bytes() for pair, path in jobs}


class Watched(Fusing):
    """Writes down which process did which pairs; a worker is slow until one was killed, so that it is killed at work."""

    def __call__(self, is_stopped: Callable[[], bool], stop: Callable[[], None]) -> Work:
        work = super().__call__(is_stopped, stop)

        def watched(jobs: list[Any]) -> list[Any]:
            with open("pids.txt", "a") as file:
                file.write(f"{os.getpid()}\n")
            while not Path("killed").exists():
                time.sleep(0.05)
            return work(jobs)

        return watched


def kill_first_worker() -> None:
    """Once both workers are at work, end one as the kernel does where memory lacks."""
    deadline = time.monotonic() + 60
    pids: list[str] = []
    while len(set(pids)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        with suppress(FileNotFoundError):
            pids = Path("pids.txt").read_text().split()
    os.kill(int(pids[0]), signal.SIGKILL)
    Path("killed").touch()


def test_killed_worker_loses_no_pair_and_changes_no_bit(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyfuse.cluster.fusing.Fusing", Watched)
    killer = threading.Thread(target=kill_first_worker)
    killer.start()
    jobs = jobs_into("ray", folders)
    home = set(Path.home().iterdir())
    outcomes = list(fuse_on_workers(jobs, LOAD, FuseOptions(), Mirror(tmp_path / "m"), workers=TWO, writing=Writing()))
    killer.join()
    assert [outcome.path for outcome in outcomes] == [path for _, path in jobs]
    assert {outcome.state for outcome in outcomes} == {"fused"}
    pids = Path("pids.txt").read_text().split()
    assert len(set(pids)) == 3  # two, and the one in place of the killed
    assert len(pids) == 13  # twelve blocks of one pair, and the lost one again
    assert {pair.name: path.read_bytes() for pair, path in jobs} == plain_bytes(folders)
    assert {path.name for path in Path("ray").iterdir()} == {
        name for _, path in jobs for name in (path.name, f"{path.name}.json")
    }
    assert set(Path.home().iterdir()) == home


def test_failed_pair_is_skipped_and_the_others_are_those_of_one_process(
    folders: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    expected = plain_bytes(folders)
    Path("ir/3.png").write_text("no picture")
    arguments = ["fuse", "ir", "vi", "-o", "out", "--model", "laplacian", "--engine", "ray", "--workers", "2"]
    assert cli.run([*arguments, "--on-error", "skip"]) == 1
    captured = capfd.readouterr()
    assert captured.out.splitlines() == [f"out/{k}.png" for k in range(12) if k != 3]
    lines = captured.err.splitlines()
    assert lines[0].startswith("3: ir/3.png is not a picture")
    assert lines[1:] == ["polyfuse: 1 of 12 pairs failed (3): see the lines above, the others are complete."]
    assert {path.stem: path.read_bytes() for path in Path("out").glob("*.png")} == {
        name: content for name, content in expected.items() if name != "3"
    }
    kept = Path("out/0.png").stat().st_mtime_ns
    assert cli.run([*arguments, "--resume", "--quiet"]) == 3
    captured = capfd.readouterr()
    assert captured.err.startswith("polyfuse: 3: ir/3.png is not a picture")
    assert Path("out/0.png").stat().st_mtime_ns == kept


def test_worker_that_always_ends_and_missing_package_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deadly(is_stopped: Callable[[], bool], stop: Callable[[], None]) -> Work:
        return lambda items: [os._exit(1) if item == "deadly" else item for item in items]

    (tmp_path / "absent_here.py").write_text("def prepare(is_stopped, stop):\n    return list\n")
    with started(TWO) as number:
        assert list(results(["a", "deadly", "b"], deadly, TWO, number, skip=True)) == ["a", "b"]
        with pytest.raises(PolyfuseError, match=f"a worker ended {RETRIES + 1} times on the same pairs"):
            list(results(["a", "deadly", "b"], deadly, TWO, number, skip=False))
        monkeypatch.syspath_prepend(tmp_path)  # after the start, so that workers do not know of it
        import absent_here  # type: ignore[import-not-found]

        with pytest.raises(DependencyError, match=r"lacks a package .*absent_here.* install .*polyfuse\[ray\]"):
            list(results(["a"], absent_here.prepare, TWO, number, skip=False))


SHARE = """
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

class Share(DirFileSystem):
    protocol = "share"
    def __init__(self, **how):
        super().__init__({root!r}, LocalFileSystem(auto_mkdir=True), **how)
"""


def test_addresses_are_read_and_written_by_workers(folders: tuple[Path, Path], tmp_path: Path) -> None:
    expected = plain_bytes(folders)
    Path("site/share-1.dist-info").mkdir(parents=True)
    Path("site/share_fs.py").write_text(SHARE.format(root=str(tmp_path)))
    Path("site/share-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: share\nVersion: 1\n")
    Path("site/share-1.dist-info/entry_points.txt").write_text("[fsspec.specs]\nshare=share_fs.Share\n")
    paths = [str(tmp_path / "site"), *filter(None, sys.path)]
    command = [sys.executable, "-m", "polyfuse", "fuse", "share://ir", "share://vi", "-o", "share://away/"]
    command += ["--model", "laplacian", "--engine", "ray", "--workers", "2", "--threads", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [f"share://away/{k}.png" for k in range(12)]
    assert {path.stem: path.read_bytes() for path in Path("away").glob("*.png")} == expected
    record = json.loads(Path("away/0.png.json").read_text())
    assert record["sources"]["a"]["path"] == "share://ir/0.png"
