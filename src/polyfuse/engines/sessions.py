"""The two programs that run exported graphs. Both are called with arrays by name and give one array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import DependencyError, InputError, UsageError
from polyfuse.io.source import reason

Engine = Literal["onnx", "openvino"]
ENGINES: tuple[Engine, ...] = ("onnx", "openvino")
HINTS = {"float32": "f32", "bf16": "bf16", "float16": "f16"}
"""OpenVINO's names of arithmetic."""
_NO_SPINNING = "session.intra_op.allow_spinning"


class Session(Protocol):
    """A graph that is loaded."""

    version: str
    """Name and version of the engine."""
    threads: int | None
    """Threads it was told to use; None where it chose."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The one output of the graph."""
        ...


def open_session(data: bytes, where: str, engine: Engine, *, threads: int | None, precision: str) -> Session:
    """Load a graph.

    Args:
        data: A serialised ONNX model.
        where: What messages call it.
        engine: What runs it.
        threads: Of one call; None leaves it to the engine.
        precision: "float32", or for OpenVINO also "bf16" and "float16".

    Raises:
        DependencyError: If the engine is not installed.
        UsageError: If it has no such arithmetic.
        InputError: If it cannot load the graph.
    """
    if engine == "onnx":
        if precision != "float32":
            raise UsageError(
                "onnxruntime computes as the file says: export with --precision float16, or pass --engine openvino."
            )
        return _OnnxSession(data, where, threads)
    if precision not in HINTS:
        raise UsageError(f"OpenVINO has no precision {precision!r}: use {', '.join(HINTS)}.")
    return _OpenVinoSession(data, where, threads, HINTS[precision])


class _OnnxSession:
    """A graph in onnxruntime, on the CPU."""

    def __init__(self, data: bytes, where: str, threads: int | None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise DependencyError('--engine onnx needs onnxruntime: pip install "polyfuse[onnx]".') from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is told by the exception
        options.add_session_config_entry(_NO_SPINNING, "0")  # waiting threads would take cores from decoding
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has no base class of its own for what it raises
            raise InputError(f"onnxruntime cannot load {where} ({reason(error)}): export it anew.") from error
        self.version, self.threads = f"onnxruntime {onnxruntime.__version__}", threads

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            return np.asarray(self._session.run(None, dict(inputs))[0])
        except Exception as error:  # as above
            if "alloc" in str(error).lower():
                raise MemoryError from error
            raise InputError(f"onnxruntime failed ({reason(error)}): export the model anew.") from error


class _OpenVinoSession:
    """A graph in OpenVINO, on the CPU."""

    def __init__(self, data: bytes, where: str, threads: int | None, hint: str) -> None:
        try:
            import openvino
        except ImportError as error:
            raise DependencyError("--engine openvino needs OpenVINO: pip install openvino.") from error
        core = openvino.Core()
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint}
        if threads is not None:
            config["INFERENCE_NUM_THREADS"] = threads
        try:
            self._request = core.compile_model(core.read_model(data), "CPU", config).create_infer_request()
        except RuntimeError as error:
            raise InputError(f"OpenVINO cannot load {where} ({reason(error)}): export it anew.") from error
        self.version, self.threads = f"openvino {openvino.__version__.split('-')[0]}", threads

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        try:
            results = self._request.infer(dict(inputs))
        except RuntimeError as error:
            if "alloc" in str(error).lower():
                raise MemoryError from error
            raise InputError(f"OpenVINO failed ({reason(error)}): export the model anew.") from error
        return np.array(results[0])  # the engine reuses its own memory
