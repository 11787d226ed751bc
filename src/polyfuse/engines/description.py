"""What an exported model says of itself: a JSON document under the key "polyfuse" in the metadata of its file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self

from polyfuse.errors import InputError
from polyfuse.families.facts import ModelSpec, Provenance
from polyfuse.io.source import shown

KEY = "polyfuse"
FORMAT_VERSION = 1
OPSET = 18
"""Operators that exported graphs are made of."""
LEAST_SIDE = 2
"""Shortest side of a picture that every exported graph takes, pixels."""
Arithmetic = Literal["float32", "float16"]


@dataclass(frozen=True)
class Description:
    """Everything that fusing with an exported model needs to know besides the graph."""

    spec: ModelSpec
    """As of the model; what it says of memory holds for PyTorch, and is taken as an estimate."""
    provenance: Provenance
    """Of the weights."""
    config: dict[str, Any] | None
    """Configuration of the model when it was exported."""
    precision: Arithmetic
    """"float16" if the operands of convolutions and products are halves; everything else is float32 in any case."""
    with_colour: bool
    """Whether ranges and colour are in the graph: 8-bit pictures in and out instead of luma."""
    polyfuse: str = ""
    """Version that exported it."""
    least_side: int = LEAST_SIDE
    """Shortest side of a picture, pixels."""
    format_version: int = FORMAT_VERSION
    """Version of this document."""
    checked: dict[str, float] = field(default_factory=dict)
    """Largest difference to PyTorch in onnxruntime, by size, as measured after the export."""

    def to_json(self) -> str:
        """The document."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> Self:
        """Read the document of a file.

        Raises:
            InputError: If it is damaged, or of a newer polyfuse.
        """
        try:
            values = json.loads(text)
            if values["format_version"] > FORMAT_VERSION:
                raise InputError(f"{shown(path)} was exported by polyfuse {values['polyfuse']}: get a newer polyfuse.")
            spec = _of(ModelSpec, values["spec"])
            provenance = _of(Provenance, values["provenance"])
            known = {name: values[name] for name in (entry.name for entry in fields(cls)) if name in values}
            return cls(**{**known, "spec": spec, "provenance": provenance})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the description in {shown(path)} is damaged: export the model again.") from error


def _of(kind: type[Any], values: dict[str, Any]) -> Any:
    """A record from the fields of it that this version knows; lists are tuples there."""
    names = {entry.name for entry in fields(kind)}
    known = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return kind(**{name: value for name, value in known.items() if name in names})
