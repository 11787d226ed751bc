"""A frozen detector in an ONNX file, run by onnxruntime on one picture at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.downstream.detection.description import Description
from polyfuse.downstream.detection.found import Found, found
from polyfuse.downstream.detection.outputs import decoded, thinned
from polyfuse.downstream.rows import Pixels8
from polyfuse.errors import DependencyError, InputError, UsageError
from polyfuse.io.source import file_sha256, reason, shown


@dataclass(frozen=True)
class Placing:
    """Where a picture lies in a network's input: input = picture * scale + shift."""

    scale_x: float
    scale_y: float
    shift_x: float = 0.0
    shift_y: float = 0.0

    def back(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Edges in the input, (N, 4), to edges in the picture."""
        shift = np.array([self.shift_x, self.shift_y] * 2)
        scale = np.array([self.scale_x, self.scale_y] * 2)
        result: NDArray[np.float64] = (edges - shift) / scale
        return result


def require_onnxruntime() -> Any:
    """The package that runs ONNX files.

    Raises:
        DependencyError: If it is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError('a detector needs onnxruntime: pip install "polyfuse[downstream]".') from error
    return onnxruntime


class OnnxDetector:
    """A detector that is ready to run; several threads may call it at a time.

    Args:
        path: The ONNX file.
        description: How it is called.
        device: "cpu" or "cuda".
        threads: Of one call; None leaves it to onnxruntime.

    Raises:
        DependencyError: If onnxruntime is missing.
        UsageError: If it cannot use the device.
        InputError: If the file cannot be run, or its input is not what the description says.
    """

    def __init__(
        self, path: Path, description: Description, *, device: str = "cpu", threads: int | None = None
    ) -> None:
        self.description = description
        self.digest = file_sha256(path)
        self._session = _session(path, device, threads)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs)
            raise InputError(f"{shown(path)} takes {len(inputs)} inputs ({names}): a detector takes one picture")
        self._input = inputs[0].name
        self.size = _input_size(inputs[0].shape, description, path)
        """Height and width of its input."""
        self._type = np.float16 if inputs[0].type == "tensor(float16)" else np.float32
        if inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            raise InputError(f"{shown(path)} takes {inputs[0].type}: export it with an input of floats")
        self._path = path

    @property
    def classes(self) -> tuple[str, ...]:
        """What it can find, after merging."""
        merge = self.description.merge
        return tuple(dict.fromkeys(merge.get(name, name) for name in self.description.classes))

    def __call__(self, picture: Pixels8, where: str) -> Found:
        """Find the objects in a picture.

        Args:
            picture: (H, W, 3) RGB, uint8.
            where: What messages call it.

        Raises:
            InputError: If the network fails, or gives what the description does not say, NaN or infinity.
        """
        values, placing = self.prepared(picture)
        try:
            outputs = self._session.run(None, {self._input: values})
        except Exception as error:  # onnxruntime has no base class of its own for what it raises
            raise InputError(
                f"{shown(self._path)} failed on {shown(where)} ({reason(error)}): is its description right?"
            ) from error
        arrays = [np.asarray(output, dtype=np.float64) for output in outputs]
        edges, scores, numbers = decoded(arrays, self.description, self.size)
        names = dict(enumerate(self.description.merge.get(name, name) for name in self.description.classes))
        if not np.isfinite(scores).all() or not np.isfinite(edges).all():
            return found(edges, scores, (), where=where)  # raises
        height, width = picture.shape[:2]
        edges = np.clip(placing.back(edges), 0, [width, height, width, height])
        solid = (edges[:, 2] > edges[:, 0]) & (edges[:, 3] > edges[:, 1])
        edges, scores, numbers = thinned((edges[solid], scores[solid], numbers[solid]), self.description.output, names)
        return found(edges, scores, tuple(names[int(number)] for number in numbers), where=where)

    def prepared(self, picture: Pixels8) -> tuple[NDArray[Any], Placing]:
        """A picture as the network takes it, and where it lies in there."""
        rules = self.description.input
        fitted, placing = _fitted(picture, self.size, rules.fit, rules.fill)
        if rules.colour == "BGR":
            fitted = fitted[..., ::-1]
        values = (fitted - np.array(rules.mean, np.float32)) / np.array(rules.std, np.float32)
        if rules.layout == "NCHW":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[None], dtype=self._type), placing


def _session(path: Path, device: str, threads: int | None) -> Any:
    """The file, loaded."""
    onnxruntime = require_onnxruntime()
    kind = device.partition(":")[0].lower()
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}.get(kind)
    if provider is None or provider not in onnxruntime.get_available_providers():
        raise UsageError(f"onnxruntime cannot run on {device} here: pass --device cpu, or install onnxruntime-gpu")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is told by the exception
    # Threads that wait by spinning take the cores from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:  # as above
        raise InputError(f"{shown(path)} is no ONNX file that can be run ({reason(error)}): export it anew") from error


def _input_size(shape: list[Any], description: Description, path: Path) -> tuple[int, int]:
    """Height and width of the input: those of the description, which must be the file's where that fixes them."""
    if len(shape) != 4:
        raise InputError(f"{shown(path)} takes an input of {len(shape)} axes: a detector takes one picture, 4 axes")
    channels = shape[1 if description.input.layout == "NCHW" else 3]
    sides = shape[2:4] if description.input.layout == "NCHW" else shape[1:3]
    said = f"the description {shown(description.name)} says {description.input.layout}"
    if isinstance(channels, int) and channels != 3:
        raise InputError(f"{shown(path)} takes an input of {shape} and {said} with 3 channels: describe it otherwise")
    size = description.input.size or tuple(sides)
    if not all(isinstance(side, int) for side in size):
        raise InputError(f"{shown(path)} fixes no input size: write size = [640, 640] in [input] of a description")
    if any(isinstance(side, int) and side != wanted for side, wanted in zip(sides, size, strict=True)):
        raise InputError(
            f"{shown(path)} takes an input of {shape} and {said} of {size[0]}x{size[1]}: describe it otherwise"
        )
    return int(size[0]), int(size[1])


def _fitted(picture: Pixels8, size: tuple[int, int], fit: str, fill: float) -> tuple[NDArray[np.float32], Placing]:
    """A picture resampled to a network's input, (height, width, 3), 0 to 255."""
    height, width = size
    high, wide = picture.shape[:2]
    if fit == "stretch":
        return _resampled(picture, (height, width)), Placing(width / wide, height / high)
    factor = min(height / high, width / wide)
    inner = max(1, round(high * factor)), max(1, round(wide * factor))
    top, left = ((height - inner[0]) // 2, (width - inner[1]) // 2) if fit == "letterbox" else (0, 0)
    canvas = np.full((height, width, 3), fill, np.float32)
    canvas[top : top + inner[0], left : left + inner[1]] = _resampled(picture, inner)
    return canvas, Placing(inner[1] / wide, inner[0] / high, left, top)


def _resampled(picture: Pixels8, size: tuple[int, int]) -> NDArray[np.float32]:
    """Bilinear between the four nearest pixels, centres on centres, without averaging where the picture shrinks.

    So do OpenCV and PyTorch by default, with which such detectors were trained. With averaging, NanoDet found more on
    RoadScene (AP50 of the visible pictures 0.343 instead of 0.330) and no longer what its makers measure.
    """
    rows, low_rows = _weights(picture.shape[0], size[0])
    columns, low_columns = _weights(picture.shape[1], size[1])
    levels = picture.astype(np.float32)
    wide = levels[:, low_columns] * (1 - columns)[None, :, None]
    wide += levels[:, np.minimum(low_columns + 1, picture.shape[1] - 1)] * columns[None, :, None]
    high = wide[low_rows] * (1 - rows)[:, None, None]
    high += wide[np.minimum(low_rows + 1, picture.shape[0] - 1)] * rows[:, None, None]
    result: NDArray[np.float32] = high
    return result


def _weights(length: int, wanted: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """For each new sample along an axis, the old one below it and the weight of the one above."""
    places = np.clip((np.arange(wanted) + 0.5) * (length / wanted) - 0.5, 0, length - 1)
    low = places.astype(np.int64)
    return (places - low).astype(np.float32), low
