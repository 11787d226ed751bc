"""Pairs of pictures to compare on, a detector in an ONNX file that is written here, and the command."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from polyfuse import cli
from polyfuse.io import Pair, find_pairs, write_picture


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., list[Pair]]:
    """Folders ir/ and vi/ with `count` pairs named 0, 1, 2, ..., of `size` (height, width)."""

    def build(count: int = 3, size: tuple[int, int] = (48, 64)) -> list[Pair]:
        rng = np.random.default_rng(5)
        for index in range(count):
            write_picture(tmp_path / f"ir/{index}.png", rng.integers(0, 256, size, dtype=np.uint8))
            write_picture(tmp_path / f"vi/{index}.png", rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        return find_pairs(tmp_path / "ir", tmp_path / "vi")

    return build


def _number(value: int) -> bytes:
    """A number as protocol buffers write it: seven bits a byte, the lowest first."""
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _field(number: int, value: int | str | bytes) -> bytes:
    """A field of a message: a whole number, or text or bytes with their length."""
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    content = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(content)) + content


def _value(name: str, shape: tuple[int | str, ...], kind: int = 1) -> bytes:
    """ValueInfoProto of floats (1) or other elements."""
    dims = b"".join(_field(1, _field(1 if isinstance(side, int) else 2, side)) for side in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dims)))


def _tensor(name: str, array: np.ndarray) -> bytes:
    """TensorProto of float32 or int64."""
    kind = 1 if array.dtype == np.float32 else 7
    dims = b"".join(_field(1, side) for side in array.shape)
    return dims + _field(2, kind) + _field(8, name) + _field(9, array.tobytes())


def _node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    """NodeProto with whole numbers, or lists of them, as attributes."""
    content = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)
    for name, value in attributes.items():
        values = b"".join(_field(8, item) for item in value) if isinstance(value, list) else _field(3, value)
        content += _field(5, _field(1, name) + values + _field(20, 7 if isinstance(value, list) else 2))
    return content


def onnx_file(
    nodes: list[bytes], tensors: dict[str, np.ndarray], inputs: list[bytes], output: tuple[str, tuple[int, ...]]
) -> bytes:
    """ModelProto of operators of version 13."""
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "g")
    graph += b"".join(_field(5, _tensor(name, array)) for name, array in tensors.items())
    graph += b"".join(_field(11, value) for value in inputs) + _field(12, _value(*output))
    return _field(1, 8) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, graph)


SIDE, CELL = 64, 16
"""Input and cells of the detector of coloured squares."""
COLOURS = ("red", "green", "blue")

DESCRIPTION = """[input]
fit = "stretch"
std = [255.0, 255.0, 255.0]
[output]
form = "yolov8"
min_score = 0.5
nms = 0.5
[classes]
names = ["red", "green", "blue"]
"""


@pytest.fixture
def squares_onnx(tmp_path: Path) -> Callable[..., Path]:
    """An ONNX detector that finds a square of 16 x 16 pixels where the mean of a channel is high, and its description.

    Its output is (1, 4 + 3, 16): centre, width and height of each cell, and the mean level of each channel there.
    """

    def build(side: int | str = SIDE, inputs: int = 1, kind: int = 1, first: float = CELL / 2) -> Path:
        cells = [(x, y) for y in range(0, SIDE, CELL) for x in range(0, SIDE, CELL)]
        boxes = np.array([[x + CELL / 2, y + CELL / 2, CELL, CELL] for x, y in cells], np.float32).T[None]
        boxes[0, 0, 0] = first
        nodes = [
            _node("AveragePool", ["pictures"], "means", kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
            _node("Reshape", ["means", "shape"], "scores"),
            _node("Concat", ["boxes", "scores"], "found", axis=1),
        ]
        tensors: dict[str, np.ndarray] = {"boxes": boxes, "shape": np.array([1, 3, len(cells)], np.int64)}
        values = [_value("pictures", (1, 3, side, side), kind), _value("other", (1,))][:inputs]
        path = tmp_path / "squares.onnx"
        path.write_bytes(onnx_file(nodes, tensors, values, ("found", (1, 7, len(cells)))))
        (tmp_path / "squares.toml").write_text(DESCRIPTION, encoding="utf-8")
        return path

    return build


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: list[str]
    err: list[str]

    @property
    def problem(self) -> str:
        """The last line of a command that failed, without the name of the program."""
        assert self.err, "it said nothing"
        return self.err[-1].removeprefix("polyfuse: ")


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
