"""An exported model as fusion takes it: an ONNX file of ours in one of the engines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.engines.description import KEY, OPSET, Description
from polyfuse.engines.onnx_file import read_onnx
from polyfuse.engines.sessions import Engine, Session, open_session
from polyfuse.errors import InputError, UsageError
from polyfuse.families.facts import ModelSpec, Provenance
from polyfuse.io.source import shown

Luma = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """A model that an engine has loaded; `polyfuse.fuse(a, b, model=...)` takes it as it takes one of `load`."""

    description: Description
    """What the file says."""
    session: Session
    """The graph."""
    engine: Engine
    """What runs it."""
    sha256: str
    """Of the file."""
    precision: str
    """Arithmetic: that of the file, or with OpenVINO what was asked for."""

    @property
    def spec(self) -> ModelSpec:
        """Declared facts; a model that would survey its tiles first takes whole pictures alone."""
        return replace(self.description.spec, surveys=0)

    @property
    def provenance(self) -> Provenance:
        """Origin and picture conventions of the weights."""
        return self.description.provenance

    def run(self, a: Luma, b: Luma) -> Luma:
        """Fuse two planes.

        Args:
            a: (h, w) in [0, 1].
            b: Same shape.

        Returns:
            (h, w), neither stretched nor clamped.

        Raises:
            InputError: If the planes are too small, or the engine fails.
            MemoryError: If memory runs out.
        """
        least = self.description.least_side
        if min(a.shape) < least:
            raise InputError(f"exported models take pictures from {least}x{least} pixels: these have {a.shape}.")
        planes = {"a": np.ascontiguousarray(a)[None, None], "b": np.ascontiguousarray(b)[None, None]}
        fused: Luma = self.session.run(planes)[0, 0].astype(np.float32, copy=False)
        return fused

    def facts(self) -> dict[str, Any]:
        """What the record of a result says of the run."""
        return {"device": "cpu", "threads": self.session.threads, "engine": self.session.version}


def load_exported(
    path: str | Path, engine: Engine = "onnx", *, threads: int | None = None, precision: str | None = None
) -> ExportedModel:
    """Load a file of `polyfuse models export onnx`.

    Args:
        path: The file.
        engine: "onnx" for onnxruntime, "openvino" for OpenVINO; each is an extra of that name.
        threads: Of one call; None leaves it to the engine.
        precision: "float32" or, with OpenVINO, "bf16" or "float16"; None for float32, whatever halves the file has.

    Raises:
        DependencyError: If the engine is not installed.
        UsageError: If the file has colour inside, or the engine no such arithmetic.
        InputError: If it is no such file.
    """
    path = Path(path)
    data, facts = read_onnx(path)
    if KEY not in facts.metadata:
        raise InputError(f"{shown(path)} is no model of polyfuse: make one with `polyfuse models export onnx`.")
    if facts.opset < OPSET:
        raise InputError(f"{shown(path)} has operators of opset {facts.opset}, older than {OPSET}: export it again.")
    description = Description.from_json(facts.metadata[KEY], path)
    if description.with_colour:
        raise UsageError(
            f"{shown(path)} takes 8-bit pictures, for programs of your own: export it without --with-colour."
        )
    asked = precision or "float32"
    session = open_session(data, shown(path), engine, threads=threads, precision=asked)
    digest = hashlib.sha256(data).hexdigest()
    used = description.precision if asked == "float32" else asked
    return ExportedModel(description, session, engine, digest, used)
