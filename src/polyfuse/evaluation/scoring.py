"""One fused picture beside its sources: files, arrays or tensors in; values, lower terms and balance out."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.alignment import Warp, read_warp
from polyfuse.alignment.resample import Frame
from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation.sources import brought_together, check_size
from polyfuse.io import Picture, Source
from polyfuse.io.channels import GREY_NOTE
from polyfuse.io.damage import DAMAGE_NOTE
from polyfuse.io.given import as_picture, is_plain, plain_array
from polyfuse.io.source import shown
from polyfuse.metrics import (
    ARROWS,
    METRICS,
    Metric,
    Protocol,
    UndefinedMetricWarning,
    computable_metrics,
    find_metric,
    find_protocol,
    metrics_of,
)
from polyfuse.metrics.cc import pearson
from polyfuse.metrics.inputs import prepare
from polyfuse.metrics.statistics import Plane, Statistics
from polyfuse.ops.readable import why_unreadable

TWO_SIDED = ("MI", "VIF", "Qabf", "SSIM", "VIS")
"""Metrics whose one-sided terms are shown: they reward a copy of one source (spec metrics 8). That of LOST is a metric
of its own, LOSTmax."""
BESIDE_B = ("FlatSD",)
"""Metrics that are shown beside the value of b itself, which is their term of b."""
COPY = 0.999
"""Correlation with a source from which a fused picture is called a copy of it (spec metrics 8)."""
SLOW = "d"
"""Cost class of metrics that are left out unless they are asked for."""
_ONE_PICTURE = " for picture 0 of 1"


@dataclass(frozen=True)
class Evaluation:
    """What the metrics say of one fused picture; printing it shows a small table."""

    protocol: str
    """Name of the protocol whose conventions the numbers follow; VIS and our other measures are always canonical."""
    values: dict[str, float]
    """Value of each metric, by its name; NaN where the protocol has none."""
    lower: dict[str, float]
    """The smaller of the two one-sided terms of MI, VIF, Qabf, SSIM and VIS: a copy of one source is low here."""
    balance: dict[str, float]
    """The smaller term over the larger one, 1 where both sources are served alike; NaN without a positive term."""
    notes: tuple[str, ...] = ()
    """Values that are not defined, and why; pictures that are damaged."""
    copies: tuple[str, ...] = ()
    """Sources ("a", "b") that the fused picture correlates with above 0.999."""
    of_b: dict[str, float] = field(default_factory=dict)
    """FlatSD of b itself, in the same blocks."""

    def __str__(self) -> str:
        """One line a metric, with its protocol and direction."""
        lines = []
        for name, value in self.values.items():
            metric = METRICS[name]
            heading = f"{name}[{metric.protocol_under(self.protocol)}] {ARROWS[metric.direction]}"
            line = heading.ljust(24) + f"{value:12.5f}"
            if name in self.lower:
                line += f"   min {self.lower[name]:.5f}   bal {self.balance[name]:.3f}"
            if name in self.of_b:
                line += f"   of b {self.of_b[name]:.5f}"
            lines.append(line)
        return "\n".join([*lines, *self.notes])

    def with_notes(self, notes: Iterable[str]) -> Evaluation:
        """The same with further notes, each once."""
        return replace(self, notes=tuple(dict.fromkeys((*self.notes, *notes))))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the same table in a notebook; IPython calls it."""
        printer.text(str(self))


def evaluate(
    fused: Source,
    a: Source,
    b: Source,
    *,
    metrics: Iterable[str] | None = None,
    protocol: str = "cddfuse",
    device: str | torch.device = "cpu",
    data_range: float | None = None,
    strict: bool = False,
    warp: Warp | str | os.PathLike[str] | None = None,
    frame: Frame = "b",
) -> Evaluation:
    """Score one fused picture against its two sources.

    Args:
        fused: The result of `fuse`, a path, bytes or a binary file object, a picture of Pillow's, an array (H, W) or
            (H, W, 3), or a tensor (H, W), (C, H, W) or (1, C, H, W); integers over their full range, floats in [0, 1].
        a: First source (infrared, MRI), of the same size.
        b: Second source (visible, CT, PET, SPECT).
        metrics: Names; None for all that the protocol has but the slow ones (over a second for a 640x480 pair), and
            our own measures (VIS, LOST, LOSTmax, FlatSD, CD), which are the same beside every protocol.
        protocol: Whose conventions to follow, see `polyfuse metrics`.
        device: Where to compute.
        data_range: Value of white, where it is not the default of the type.
        strict: Refuse damaged JPEGs, which are filled in otherwise, with a note.
        warp: How a lies on b where they come from two cameras: a `Warp` or its file. What is scored is then the largest
            rectangle that both have. Sources and `fused` are no tensors then.
        frame: With a warp: the source whose size and pixels the fused picture has.

    Raises:
        InputError: If a picture cannot be read, the sizes differ, or values are out of range.
        UsageError: If a metric or the protocol is unknown, or the protocol does not have the metric.

    >>> import numpy as np
    >>> ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    >>> print(evaluate(ramp, ramp, ramp, metrics=["EN", "SSIM"]))
    EN[cddfuse] ·                8.00000
    SSIM[cddfuse] ↑              2.00000   min 1.00000   bal 1.000
    """
    chosen, rules = choose_metrics(metrics, protocol), find_protocol(protocol)
    named = {"fused": fused, "a": a, "b": b}
    pictures = {name: _as_picture(source, name, strict) for name, source in named.items()}
    together = () if warp is None else _brought_together(pictures, warp, frame)
    tensors = {name: as_tensor(picture, rules, device, name) for name, picture in pictures.items()}
    for name in ("a", "b"):
        check_size(pictures["fused"], pictures[name], ("fused", name))
    scored = Scorer(tensors["a"], tensors["b"], chosen, protocol, data_range=data_range)(tensors["fused"])
    damaged = (note for name, picture in pictures.items() for note in damage_notes(picture, name))
    return scored.with_notes((*together, *damaged))


def _brought_together(
    pictures: dict[str, Picture | NDArray[Any] | Tensor], warp: Warp | str | os.PathLike[str], frame: Frame
) -> tuple[str, ...]:
    """Warp and cut the three pictures, in their place; returns notes.

    Raises:
        UsageError: If one is a tensor.
        InputError: If a size is not the warp's.
    """
    whole: dict[str, Picture] = {}
    for name, picture in pictures.items():
        if isinstance(picture, Tensor):
            raise UsageError(f"{name} is a tensor, and a warp is for pictures and arrays: pass tensor.numpy().")
        whole[name] = picture if isinstance(picture, Picture) else Picture(np.ascontiguousarray(picture))
    ready = warp if isinstance(warp, Warp) else read_warp(warp)
    pair = brought_together(whole["a"], whole["b"], ready, frame)
    pictures.update(fused=pair.cut(whole["fused"]), a=pair.a, b=pair.b)
    return pair.notes


def choose_metrics(names: Iterable[str] | None, protocol: str) -> tuple[Metric, ...]:
    """The metrics of these names, each once; the name "all" stands for all of the protocol and those shown everywhere.

    None stands for all but the slow ones and those whose optional package is missing.

    Raises:
        UsageError: If one is unknown or the protocol does not have it.
    """
    if names is None:
        return tuple(metric for metric in _shown(computable_metrics(protocol)) if metric.cost != SLOW)
    chosen: dict[str, Metric] = {}
    for name in names:
        for metric in _shown(metrics_of(protocol)) if name.lower() == "all" else [find_metric(name)]:
            metric.variant(metric.protocol_under(protocol))
            chosen[metric.name] = metric
    return tuple(chosen.values())


def _shown(metrics: Sequence[Metric]) -> list[Metric]:
    """These metrics, and those that are shown beside every protocol."""
    return [*metrics, *(metric for metric in METRICS.values() if metric.everywhere and metric not in metrics)]


def damage_notes(picture: object, name: str) -> tuple[str, ...]:
    """What the user should know of a picture that was filled in, with its file or else `name`."""
    if not isinstance(picture, Picture) or DAMAGE_NOTE not in picture.notes:
        return ()
    return (f"{shown(picture.path) if picture.path else name}: {DAMAGE_NOTE}",)


def _as_picture(source: Source, name: str, strict: bool) -> Picture | NDArray[Any] | Tensor:
    """Read and decode what has to be; arrays come in the machine's byte order, tensors and pictures as they are."""
    if isinstance(source, Picture | Tensor):
        return source
    return plain_array(source, name)[0] if is_plain(source) else as_picture(source, name, strict=strict)


def as_tensor(
    picture: Picture | NDArray[Any] | Tensor, rules: Protocol, device: str | torch.device, name: str
) -> Tensor:
    """The (1, C, H, W) tensor of a picture, values as they are.

    A protocol that scores channels counts them: grey that its file stores as colour gets three channels again.

    Raises:
        InputError: If the shape is none of a picture.
    """
    if isinstance(picture, Tensor):
        if problem := why_unreadable(picture):
            raise InputError(f"{name} {problem}.")
        tensor = picture if picture.ndim == 4 else picture[None] if picture.ndim == 3 else picture[None, None]
    else:
        array = picture.array if isinstance(picture, Picture) else picture
        try:
            # torch warns of memory that it may not write to
            planes = torch.from_numpy(np.require(array, requirements=("C", "W")))
        except TypeError as error:
            raise InputError(f"{name} holds {array.dtype} values: convert to uint8, uint16 or float32.") from error
        tensor = planes[None, None] if array.ndim == 2 else planes.permute(2, 0, 1)[None]
        if rules.per_channel and isinstance(picture, Picture) and GREY_NOTE in picture.notes:
            tensor = tensor.expand(1, 3, -1, -1)
    if tensor.ndim != 4 or tensor.shape[0] != 1:
        raise InputError(f"{name} is a tensor of shape {tuple(tensor.shape)}: give one picture at a time.")
    return tensor.to(device)


class Scorer:
    """Scores fused pictures of one pair; what the metrics need of the sources is computed once for all of them.

    Args:
        a: (1, C, H, W).
        b: Same size.
        metrics: What to compute.
        protocol: Name of the protocol whose conventions hold; it has all these metrics that are not shown everywhere.
        data_range: Value of white, see `Metric`.
    """

    def __init__(
        self, a: Tensor, b: Tensor, metrics: Sequence[Metric], protocol: str, *, data_range: float | None = None
    ) -> None:
        self._a, self._b, self._metrics, self._protocol, self._data_range = a, b, metrics, protocol, data_range
        self._planes: dict[tuple[str, int], tuple[Plane, Plane]] = {}

    def __call__(self, fused: Tensor) -> Evaluation:
        """Score one fused picture, (1, C, H, W).

        Raises:
            InputError: If it does not fit the sources or its values are out of range.
        """
        with torch.inference_mode(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UndefinedMetricWarning)
            protocols = {metric.name: metric.protocol_under(self._protocol) for metric in self._metrics}
            seen = {name: self._seen(fused, name) for name in dict.fromkeys([self._protocol, *protocols.values()])}
            values: dict[str, float] = {}
            terms: dict[str, tuple[float, float]] = {}
            for metric in self._metrics:
                protocol = protocols[metric.name]
                values[metric.name] = float(metric.value(seen[protocol], protocol))
                if metric.name in TWO_SIDED or metric.name in BESIDE_B:
                    one, other = metric.one_sided(seen[protocol], protocol)
                    terms[metric.name] = float(one), float(other)
            pictures = seen[self._protocol]
            copies = tuple(name for name in ("a", "b") if _is_copy(pictures.fused, getattr(pictures, name)))
        return Evaluation(
            self._protocol,
            values,
            {name: _smaller(*pair) for name, pair in terms.items() if name in TWO_SIDED},
            {name: _balance(*pair) for name, pair in terms.items() if name in TWO_SIDED},
            _notes(caught),
            copies,
            {name: of_b for name, (_, of_b) in terms.items() if name in BESIDE_B},
        )

    def _seen(self, fused: Tensor, protocol: str) -> Statistics:
        """The three pictures as a protocol sees them, with what is known of the sources already."""
        given = prepare(fused, self._a, self._b, find_protocol(protocol), data_range=self._data_range, clip=False)
        sources = self._planes.setdefault((protocol, given.fused.channels), (given.a, given.b))
        return Statistics.of(given.fused, *sources)


def _is_copy(fused: Plane, source: Plane) -> bool:
    """Whether the fused picture is the source, apart from brightness and contrast."""
    return bool(pearson(fused, source, undefined=0.0).mean() > COPY)


def _smaller(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else min(one, other)


def _balance(one: float, other: float) -> float:
    larger = max(one, other)
    return _smaller(one, other) / larger if larger > 0 else math.nan


def _notes(caught: Iterable[warnings.WarningMessage]) -> tuple[str, ...]:
    """Texts of the warnings about undefined values, each once; other warnings are issued again."""
    notes: dict[str, None] = {}
    for warning in caught:
        if issubclass(warning.category, UndefinedMetricWarning):
            notes[str(warning.message).replace(_ONE_PICTURE, "")] = None
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return tuple(notes)
