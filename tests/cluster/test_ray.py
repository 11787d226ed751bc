"""Two workers of Ray on this machine: the files of one process, also where a worker is killed.

Everything runs in programs of their own: Ray leaves sockets and warnings to the end of a process.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from polyfuse import registry
from polyfuse.fusion import FuseOptions, fuse_pairs
from polyfuse.io import find_pairs, write_picture

pytest.importorskip("ray", reason="Ray is not installed: pip install polyfuse[ray]")
pytestmark = pytest.mark.slow

LOAD = partial(registry.load, "laplacian")
NAMES = [str(index) for index in range(12)]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Twelve pairs in the folders ir and vi of the test."""
    rng = np.random.default_rng(5)
    for name in NAMES:
        write_picture(tmp_path / f"ir/{name}.png", rng.integers(0, 256, (96, 128), dtype=np.uint8))
        write_picture(tmp_path / f"vi/{name}.png", rng.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    return tmp_path / "ir", tmp_path / "vi"


@pytest.fixture
def expected(folders: tuple[Path, Path], tmp_path: Path) -> dict[str, bytes]:
    """The results of one process, by name."""
    jobs = [(pair, tmp_path / f"plain/{pair.name}.png") for pair in find_pairs(*folders)]
    list(fuse_pairs(jobs, LOAD(), FuseOptions()))
    return {pair.name: path.read_bytes() for pair, path in jobs}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python in the test's folder, with modules of its folder `site`."""
    (tmp_path / "site").mkdir()
    (tmp_path / "home").mkdir()
    paths = [str(tmp_path / "site"), *(str(Path(path).resolve()) for path in sys.path if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path / "home")}
    environment.pop("RAY_ADDRESS", None)

    def start(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    return start


def pictures(folder: Path) -> dict[str, bytes]:
    """All files of a folder that are pictures, by name."""
    return {path.stem: path.read_bytes() for path in folder.iterdir() if path.suffix == ".png"}


KILLED = '''
import os, signal, sys, threading, time
from functools import partial
from pathlib import Path

import ray

from polyfuse import registry
from polyfuse.cluster.fusing import Fusing
from polyfuse.cluster.session import Workers, results, started
from polyfuse.errors import DependencyError
from polyfuse.fusion import FuseOptions, Writing
from polyfuse.io import find_pairs


@ray.remote(num_cpus=0)
class Register:
    """Remembers which process begins which pairs, and holds them at work until one was killed."""

    def __init__(self):
        self.begun, self.is_free = [], False

    def begin(self, pid, names):
        self.begun.append((pid, names))

    def all_begun(self):
        return self.begun

    def free(self):
        self.is_free = True

    def may_go_on(self):
        return self.is_free


class Watched(Fusing):
    """Tells the register what it does: half of it done, it waits to be killed or let go."""

    def __call__(self, is_stopped, stop):
        fuse, register = super().__call__(is_stopped, stop), ray.get_actor("register", namespace="test")

        def work(jobs):
            ray.get(register.begin.remote(os.getpid(), [pair.name for pair, _ in jobs]))
            outcomes = fuse(jobs)
            while not ray.get(register.may_go_on.remote()):
                time.sleep(0.05)
            return outcomes

        return work


def kill_one(register):
    """End a worker as the kernel does where memory lacks, once both are at work."""
    begun = []
    while len({pid for pid, _ in begun}) < 2:
        time.sleep(0.05)
        begun = ray.get(register.all_begun.remote())
    os.kill(begun[0][0], signal.SIGKILL)
    ray.get(register.free.remote())


def deadly(is_stopped, stop):
    return lambda items: [os._exit(1) if item == "deadly" else item for item in items]


two = Workers(number=2)
jobs = [(pair, Path(f"ray/{pair.name}.png")) for pair in find_pairs("ir", "vi")]
with started(two) as number:
    register = Register.options(name="register", namespace="test").remote()
    killer = threading.Thread(target=kill_one, args=(register,))
    killer.start()
    watched = Watched(partial(registry.load, "laplacian"), FuseOptions(), Writing(), "stop", Path("m"), Path.cwd())
    print([(outcome.pair.name, outcome.state) for outcome in results(jobs, watched, two, number, skip=False)])
    killer.join()
    begun = ray.get(register.all_begun.remote())
    print([len({pid for pid, _ in begun}), len(begun), len({name for _, names in begun for name in names})])
    print(list(results(["a", "deadly", "b"], deadly, two, number, skip=True, retries=1)))
    sys.path.insert(0, "late")  # after the start, so that workers do not know of it
    from absent_there import prepare

    try:
        list(results(["a"], prepare, two, number, skip=False))
    except DependencyError as error:
        print(error)
'''


def test_killed_workers_lose_no_pair_and_change_no_bit(
    run: Run, folders: tuple[Path, Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    (tmp_path / "late").mkdir()
    (tmp_path / "late/absent_there.py").write_text("def prepare(is_stopped, stop):\n    return list\n")
    done = run("killed.py")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    outcomes, counts, survived, lacks = done.stdout.splitlines()
    assert outcomes == str([(name, "fused") for name in NAMES])
    assert counts == "[3, 13, 12]"  # two workers and one more; twelve blocks of one pair, and the lost one again
    assert pictures(tmp_path / "ray") == expected
    assert sorted(path.name for path in (tmp_path / "ray").iterdir() if path.suffix != ".json") == sorted(
        f"{name}.png" for name in NAMES
    )
    assert survived == "['a', 'b']"
    assert lacks.startswith(
        "a worker of the cluster lacks a package (ModuleNotFoundError: No module named 'absent_there'"
    )
    assert list((tmp_path / "home").iterdir()) == []


SHARE = """
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

class Share(DirFileSystem):
    protocol = "share"
    def __init__(self, **how):
        super().__init__({root!r}, LocalFileSystem(auto_mkdir=True), **how)
"""


def test_workers_read_and_write_addresses_and_skip_what_is_damaged(
    run: Run, folders: tuple[Path, Path], expected: dict[str, bytes], tmp_path: Path
) -> None:
    facts = tmp_path / "site/share-1.dist-info"
    facts.mkdir(parents=True)
    (tmp_path / "site/share_fs.py").write_text(SHARE.format(root=str(tmp_path)))
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: share\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[fsspec.specs]\nshare=share_fs.Share\n")
    (folders[0] / "3.png").write_text("no picture")
    arguments = ["share://ir", "share://vi", "-o", "share://away/", "--model", "laplacian", "--threads", "1"]
    done = run("-m", "polyfuse", "fuse", *arguments, "--engine", "ray", "--workers", "2", "--on-error", "skip")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [f"share://away/{name}.png" for name in NAMES if name != "3"]
    first, last = done.stderr.splitlines()
    assert first.startswith("3: share://ir/3.png is not a picture polyfuse reads")
    assert last == "polyfuse: 1 of 12 pairs failed (3): see the lines above, the others are complete."
    assert pictures(tmp_path / "away") == {name: content for name, content in expected.items() if name != "3"}
    record = json.loads((tmp_path / "away/0.png.json").read_text())
    assert record["sources"]["a"]["path"] == "share://ir/0.png"
    assert list((tmp_path / "home").iterdir()) == []
