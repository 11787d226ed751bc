"""The command, called in this process or as a program of its own, and pairs of pictures to give it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse import cli
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet_t import FNetT
from polyfuse.io import write_picture
from polyfuse.weights.store import WeightsInfo, save_weights


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: list[str]
    err: list[str]

    @property
    def problem(self) -> str:
        """The one line of a command that failed: nothing else on stderr, no traceback."""
        assert len(self.err) == 1, self.err
        assert self.err[0].startswith("polyfuse: ")
        return self.err[0].removeprefix("polyfuse: ")


@pytest.fixture
def polyfuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Ran]]:
    """Run `polyfuse ARGUMENTS` in this process, in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out.splitlines(), captured.err.splitlines())

    yield run
    torch.set_num_threads(threads)


@pytest.fixture
def start(tmp_path: Path, pytestconfig: pytest.Config) -> Callable[..., "subprocess.Popen[str]"]:
    """Start `polyfuse ARGUMENTS` as a program, in the test's folder; `before` is Python that runs first."""

    def popen(*arguments: object, before: str = "", **how: Any) -> "subprocess.Popen[str]":
        # Started where pytest was and then moved, so that a relative PYTHONPATH stays right.
        program = f"import os; os.chdir({str(tmp_path)!r})\n{before}\nfrom polyfuse.cli import main\nmain()"
        command = [sys.executable, "-c", program, *(str(argument) for argument in arguments)]
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": pytestconfig.invocation_params.dir, **how}
        return subprocess.Popen(command, text=True, **how)

    return popen


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Two folders ir/ and vi/ with `count` pairs named 0, 1, 2, ..., of `size` (height, width)."""

    def build(count: int = 3, size: tuple[int, int] = (12, 16)) -> tuple[Path, Path]:
        rng = np.random.default_rng(5)
        for index in range(count):
            write_picture(tmp_path / f"ir/{index}.png", rng.integers(0, 256, size, dtype=np.uint8))
            write_picture(tmp_path / f"vi/{index}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        return Path("ir"), Path("vi")

    return build


@pytest.fixture
def pair(folders: Callable[..., tuple[Path, Path]]) -> tuple[Path, Path]:
    """One grey and one colour file of 16x12 pixels, relative to the test's folder."""
    ir, vi = folders(1)
    return ir / "0.png", vi / "0.png"


@pytest.fixture(scope="session")
def fnet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of FNet with random values."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = FNet()
    path = tmp_path_factory.mktemp("weights") / "fnet.safetensors"
    save_weights(path, model.state_dict(), WeightsInfo("fnet.random", "fnet", model.config.to_json()))
    return path


@pytest.fixture(scope="session")
def fnet_t_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of FNet-T with random values."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = FNetT()
    path = tmp_path_factory.mktemp("weights") / "fnet-t.safetensors"
    save_weights(path, model.state_dict(), WeightsInfo("fnet-t.random", "fnet-t", model.config.to_json()))
    return path
