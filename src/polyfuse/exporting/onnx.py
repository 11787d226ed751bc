"""Writing a model as one ONNX file, checked in the engines before it is there."""

from __future__ import annotations

import copy
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from polyfuse._version import __version__
from polyfuse.engines.description import KEY, LEAST_SIDE, OPSET, Arithmetic, Description
from polyfuse.engines.sessions import Engine, Session, open_session
from polyfuse.errors import DependencyError, OutputError, UsageError
from polyfuse.exporting.colour_inside import ColourInside
from polyfuse.exporting.halves import halved
from polyfuse.families.spec import FusionModel
from polyfuse.io.atomic import atomic_path, check_free
from polyfuse.io.source import shown

SIZES = ((LEAST_SIDE, LEAST_SIDE), (17, 31), (96, 128), (135, 101))
"""Heights and widths that every export is checked on."""
EXAMPLE = (70, 90)
"""Size of the pictures that the operators are recorded with."""
MOST_OFF = 1e-4
"""Largest difference to PyTorch that a float32 file may have, of values in [0, 1]."""
ROUNDINGS = 4
"""How many times its own rounding, float32 against float64 in PyTorch, a model may be off where that is more: looks of
PyrFuse turn the last digits of a sum into a fortieth of a grey level at single pixels."""
MOST_OFF_HALVES = 0.05
"""Largest difference that a file in halves may have; the usual one is on the cards of docs/export.md."""
MOST_LEVELS_OFF = 1
"""Largest difference of a file with colour inside, grey levels."""


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    """The file."""
    description: Description
    """What it says of itself."""
    num_bytes: int
    """Size."""
    sha256: str
    """Of the file."""
    opset: int
    """Version of the standard operators in it."""
    off: Mapping[str, float]
    """Largest difference to PyTorch on pictures of noise, by engine; in [0, 1], with colour in grey levels."""


def export_onnx(
    model: FusionModel,
    out: str | Path,
    *,
    precision: Arithmetic = "float32",
    with_colour: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a model as one ONNX file, and check that onnxruntime, and OpenVINO where it is there, agree with PyTorch.

    The graph takes luma "a" and "b", (1, 1, height, width) float32 in [0, 1], of any size from 2x2, and gives "fused",
    the same shape, neither stretched nor clamped: all padding and cropping is inside.

    Args:
        model: From `load`, on the CPU.
        out: File to write.
        precision: "float16" for halves as operands of convolutions and of products with weights.
        with_colour: Take a, (1, height, width, 1), and RGB b, (1, height, width, 3), in 8 bits, and give RGB.
        overwrite: Replace an existing file.

    Raises:
        DependencyError: If onnx or onnxruntime is missing.
        UsageError: If the model cannot be written as operators of ONNX, or the name does not end in .onnx, by which
            `polyfuse fuse --model` knows such files.
        OutputError: If the file exists or cannot be written, or an engine disagrees with PyTorch.
    """
    out = Path(out)
    if out.suffix.lower() != ".onnx":
        raise UsageError(f"{shown(out)} does not end in .onnx, by which exported models are known: name it so.")
    check_free(out, overwrite=overwrite)
    onnx = _require_onnx()
    plain: nn.Module = ColourInside(model) if with_colour else _Luma(model)
    proto = _recorded(plain.eval(), model.provenance.name, with_colour=with_colour)
    if precision == "float16":
        proto = halved(proto)
    reference = _reference(plain)
    off: dict[str, float] = {}
    engines: tuple[Engine, ...] = ("onnx", "openvino")
    by_size: dict[str, float] = {}
    for engine in engines:
        try:
            session = open_session(proto.SerializeToString(), out.name, engine, threads=None, precision="float32")
        except DependencyError:
            if engine == "onnx":
                raise
            continue
        found = _differences(session, reference, with_colour=with_colour)
        by_size = by_size or found
        off[session.version] = max(found.values())
    rounding = partial(_own_rounding, plain) if precision == "float32" and not with_colour else lambda: 0.0
    _check_differences(off, precision, rounding, with_colour=with_colour)
    config = model.configuration() or None
    description = Description(
        model.spec, model.provenance, config, precision, with_colour, __version__, checked=by_size
    )
    _describe(proto, description)
    onnx.checker.check_model(proto)
    data: bytes = proto.SerializeToString()
    with atomic_path(out, overwrite=overwrite) as path:
        path.write_bytes(data)
    return Exported(out, description, len(data), hashlib.sha256(data).hexdigest(), OPSET, off)


class _Luma(nn.Module):
    """The model alone, without the parts of it that are no graph."""

    def __init__(self, model: FusionModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """(1, 1, H, W) each."""
        fused: Tensor = self.model(a, b)
        return fused


def _require_onnx() -> Any:
    """The package that writes ONNX files.

    Raises:
        DependencyError: If it is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise DependencyError('an export needs onnx: pip install "polyfuse[onnx]".') from error
    return onnx


def _recorded(plain: nn.Module, name: str, *, with_colour: bool) -> Any:
    """The operators that a module applies, as an ONNX model without a description."""
    import onnx

    axes = {1: "height", 2: "width"} if with_colour else {2: "height", 3: "width"}
    buffer = io.BytesIO()
    try:
        # The exporter that PyTorch calls newer takes minutes for a pyramid whose sizes are formulas, and stores weights
        # in a second file; this one records what runs, in seconds.
        with warnings.catch_warnings(), _silent_log():
            warnings.simplefilter("ignore")  # sizes as constants: the check on other sizes is what finds those
            torch.onnx.export(
                plain, tuple(_noise(*EXAMPLE, with_colour=with_colour)),
                cast(str, buffer),  # files in memory are taken as well as names
                dynamo=False, opset_version=OPSET, input_names=["a", "b"], output_names=["fused"],
                dynamic_axes={"a": axes, "b": axes, "fused": axes},
            )  # fmt: skip
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        why = " ".join(str(error).split())[:160]
        raise UsageError(f"model {name} cannot be written as ONNX ({why}): export another one.") from error
    return onnx.load_from_string(buffer.getvalue())


@contextmanager
def _silent_log() -> Iterator[None]:
    """Keep PyTorch from printing the whole graph to standard output when it meets an operator that it cannot write."""
    name = "_jit_onnx_log"  # in 2.13 switched on by every export, whatever `verbose` says
    log = getattr(torch._C, name, None)
    if log is None:  # of other versions
        yield
        return
    setattr(torch._C, name, lambda *_: None)
    try:
        yield
    finally:
        setattr(torch._C, name, log)


def _noise(height: int, width: int, *, with_colour: bool) -> list[Tensor]:
    """Two pictures of noise, the same ones at every call."""
    draw = torch.Generator().manual_seed(height * 10000 + width)
    if with_colour:
        return [
            torch.randint(0, 256, (1, height, width, channels), dtype=torch.uint8, generator=draw)
            for channels in (1, 3)
        ]
    return [torch.rand(1, 1, height, width, generator=draw) for _ in range(2)]


def _reference(plain: nn.Module) -> Callable[[list[Tensor]], NDArray[Any]]:
    """What PyTorch gives, as an array."""

    def fused(pictures: list[Tensor]) -> NDArray[Any]:
        with torch.inference_mode():
            array: NDArray[Any] = plain(*pictures).numpy()
        return array

    return fused


def _differences(
    session: Session, reference: Callable[[list[Tensor]], NDArray[Any]], *, with_colour: bool
) -> dict[str, float]:
    """Largest difference between an engine and PyTorch, by size."""
    found = {}
    for height, width in SIZES:
        pictures = _noise(height, width, with_colour=with_colour)
        given = session.run({name: picture.numpy() for name, picture in zip("ab", pictures, strict=True)})
        wanted = reference(pictures)
        same_shape = given.shape == wanted.shape
        off = np.abs(given.astype(np.float64) - wanted.astype(np.float64)).max() if same_shape else np.inf
        found[f"{width}x{height}"] = float(off)
    return found


def _own_rounding(plain: nn.Module) -> float:
    """Largest difference that float32 makes to float64 in PyTorch, on the pictures of the check."""
    exact = copy.deepcopy(plain).double()
    worst = 0.0
    for height, width in SIZES:
        pictures = _noise(height, width, with_colour=False)
        with torch.inference_mode():
            off = plain(*pictures) - exact(*(picture.double() for picture in pictures))
        worst = max(worst, float(off.abs().max()))
    return worst


def _check_differences(
    off: Mapping[str, float], precision: Arithmetic, rounding: Callable[[], float], *, with_colour: bool
) -> None:
    """Refuse a file that an engine reads otherwise than PyTorch computes; `rounding` tells that of the model itself.

    Raises:
        OutputError: Naming engine and difference.
    """
    most = MOST_OFF if precision == "float32" else MOST_OFF_HALVES
    if with_colour:
        most = MOST_LEVELS_OFF if precision == "float32" else MOST_OFF_HALVES * 255
    for engine, worst in off.items():
        if not (worst <= most or worst < ROUNDINGS * rounding()):  # NaN as well
            raise OutputError(f"{engine} differs from PyTorch by {worst:g}, more than {most:g}: nothing is written.")


def _describe(proto: Any, description: Description) -> None:
    """Put the description into a model's metadata, with the name and the licence where other programs look."""
    from onnx import helper

    proto.producer_name, proto.producer_version = "polyfuse", __version__
    proto.graph.name = description.provenance.name
    first, second = description.spec.roles
    proto.doc_string = f"{description.provenance.name}: a is {first}; b is {second}. Fuses luma in [0, 1]."
    if description.with_colour:
        proto.doc_string = f"{description.provenance.name}: a is {first}, 8-bit grey; b is {second}, 8-bit RGB."
    helper.set_model_props(proto, {KEY: description.to_json(), "licence": description.provenance.licence})
