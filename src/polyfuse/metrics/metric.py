"""The class of all metrics: facts, a variant for each protocol, and the call that computes scores.

A metric's file defines how a variant computes and lists the facts; checking, scaling, colour, batching, one-sided terms
and warnings are the same for all and live here.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from polyfuse.errors import InputError, UsageError
from polyfuse.metrics.inputs import prepare
from polyfuse.metrics.protocols import find_protocol
from polyfuse.metrics.statistics import Match, Plane, Statistics

Direction = Literal["up", "down", "zero", "none"]
ARROWS: Mapping[Direction, str] = {"up": "↑", "down": "↓", "zero": "→0", "none": "·"}


class UndefinedMetricWarning(UserWarning):
    """A metric has no value for a picture under its protocol; the number returned is NaN or minus infinity."""


@dataclass(frozen=True, kw_only=True)
class Variant(ABC):
    """How one protocol computes a metric."""

    note: str
    """What is particular about it, in one line."""
    min_size: int = 1
    """Shortest side of a picture for which it has a value."""
    symmetric: bool = True
    """Whether exchanging the sources leaves the score unchanged, up to rounding."""
    no_value: str = ""
    """Why pictures that are large enough may have no value, where that is our definition and no gap of a toolbox."""

    @abstractmethod
    def value(self, pictures: Statistics) -> Tensor:
        """Scores, (N,) float64."""

    @abstractmethod
    def terms(self, pictures: Statistics) -> tuple[Tensor, Tensor]:
        """What each source contributes, two of (N,) float64."""


@dataclass(frozen=True, kw_only=True)
class Alone(Variant):
    """A variant that looks at the fused picture alone."""

    compute: Callable[[Plane], Tensor]
    """Computes the scores, (N,), from the fused plane."""

    def value(self, pictures: Statistics) -> Tensor:
        """Scores, (N,) float64."""
        return self.compute(pictures.fused)

    def terms(self, pictures: Statistics) -> tuple[Tensor, Tensor]:
        """Raise UsageError: without the sources there are no terms."""
        raise UsageError("a metric of the fused picture alone has no terms for the sources.")


@dataclass(frozen=True, kw_only=True)
class Added(Variant):
    """A variant that adds, or averages, one term for each source."""

    term: Callable[[Match], Tensor]
    """Computes the term of a source, (N,), from it and the fused picture."""
    mean: bool = False
    """Whether the terms are averaged instead of added."""

    def value(self, pictures: Statistics) -> Tensor:
        """Scores, (N,) float64."""
        one, other = self.terms(pictures)
        return (one + other) / 2 if self.mean else one + other

    def terms(self, pictures: Statistics) -> tuple[Tensor, Tensor]:
        """The terms that the score is the sum or mean of."""
        one, other = (
            match.once(self.term, partial(self.term, match)) for match in (pictures.match_a, pictures.match_b)
        )
        return one, other


@dataclass(frozen=True, kw_only=True)
class Joint(Variant):
    """A variant that looks at all three pictures at once; the term of a source is the score if it were both sources."""

    compute: Callable[[Statistics], Tensor]
    """Computes the scores, (N,), from all three pictures."""
    adds: bool = False
    """Whether the score is a sum over the sources: a term is then half of the score with one source as both."""

    def value(self, pictures: Statistics) -> Tensor:
        """Scores, (N,) float64."""
        return self.compute(pictures)

    def terms(self, pictures: Statistics) -> tuple[Tensor, Tensor]:
        """Scores with each source as both, halved where `adds`."""
        share = 0.5 if self.adds else 1.0
        one, other = pictures.one_sided()
        return self.compute(one) * share, self.compute(other) * share


@dataclass(frozen=True, kw_only=True)
class Together(Variant):
    """A variant whose score and terms come from one computation, each with a meaning of its own."""

    compute: Callable[[Statistics], tuple[Tensor, Tensor, Tensor]]
    """Computes the scores, the terms of a and the terms of b, (N,) each."""

    def value(self, pictures: Statistics) -> Tensor:
        """Scores, (N,) float64."""
        return self.compute(pictures)[0]

    def terms(self, pictures: Statistics) -> tuple[Tensor, Tensor]:
        """The terms as computed."""
        _, one, other = self.compute(pictures)
        return one, other


@dataclass(frozen=True)
class Metric:
    """A fusion metric: call it with tensors, ask it for its facts.

    >>> import torch
    >>> from polyfuse.metrics import en
    >>> en(torch.tensor([[[[0, 0, 255, 255]]]], dtype=torch.uint8)).tolist()
    [1.0]
    """

    name: str
    """Short name, as tables print it."""
    title: str
    """Name in words."""
    direction: Direction
    """Which way is better; "none" where a larger value need not be better."""
    bounds: tuple[float, float]
    """Values it can take under `canonical` (under the first protocol where that has none)."""
    cost: Literal["a", "b", "c", "d"]
    """Time for a 640x480 pair on one thread: a is under 10 ms, b under 100 ms, c under 1 s, d more."""
    formula: str
    """The definition, as text."""
    source: str
    """Where the definition comes from."""
    rewards: str
    """What improves the score."""
    fooled: str
    """What improves the score without improving the picture."""
    quirks: str
    """How toolboxes disagree about it."""
    variants: Mapping[str, Variant]
    """How each protocol computes it, by the protocol's name."""
    needs_sources: bool = True
    """Whether it looks at the sources; if not, `a` and `b` may be left out."""
    package: str | None = None
    """Optional package without which it cannot be computed."""
    everywhere: bool = False
    """Whether `evaluate` shows it beside the metrics of every protocol, under canonical: a measure of our own."""
    guard: bool = False
    """Whether it only guards other metrics against being led by it: tables show it, without marks and ranks."""

    def __call__(
        self,
        fused: Tensor,
        a: Tensor | None = None,
        b: Tensor | None = None,
        *,
        protocol: str = "canonical",
        data_range: float | None = None,
        clip: bool = False,
    ) -> Tensor:
        """Score each picture of a batch.

        Args:
            fused: (N, 1, H, W), or (N, 3, H, W) RGB, which the protocol turns grey or scores per channel. uint8 and
                uint16 over their full range, float32 and float64 in [0, 1] unless `data_range` says otherwise.
            a: First source (infrared, MRI), same N, H and W.
            b: Second source (visible, CT, PET, SPECT).
            protocol: Whose conventions to follow, one of `variants`.
            data_range: Value of white, where it is not the default of the type.
            clip: Cut values out of range instead of refusing them.

        Returns:
            (N,) float64. NaN where the protocol has no value, with an `UndefinedMetricWarning`.

        Raises:
            InputError: If the tensors are no pictures, differ in size, hold NaN or values out of range, or sources are
                missing.
            UsageError: If the protocol is unknown or does not have this metric.
        """
        pictures = self._prepared(fused, a, b, protocol, data_range, clip)
        return self.value(pictures, protocol)

    def terms(
        self,
        fused: Tensor,
        a: Tensor,
        b: Tensor,
        *,
        protocol: str = "canonical",
        data_range: float | None = None,
        clip: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Score each picture of a batch against each source by itself; arguments as for the call.

        Returns:
            Two of (N,) float64: the term of `a` and that of `b`. Where the metric adds or averages over the sources
            these are the summands; elsewhere the score as if that source were both.

        Raises:
            UsageError: If the metric looks at the fused picture alone.
        """
        return self.one_sided(self._prepared(fused, a, b, protocol, data_range, clip), protocol)

    def variant(self, protocol: str) -> Variant:
        """Return how `protocol` computes this metric.

        Raises:
            UsageError: If the protocol is unknown or does not have this metric.
        """
        find_protocol(protocol)
        if protocol not in self.variants:
            raise UsageError(f"protocol {protocol} has no {self.name}: it exists in {', '.join(self.variants)}.")
        return self.variants[protocol]

    def protocol_under(self, protocol: str) -> str:
        """The protocol that this metric has in a table of `protocol`: that one, or canonical if it is `everywhere`."""
        return "canonical" if self.everywhere and protocol not in self.variants else protocol

    def value(self, pictures: Statistics, protocol: str) -> Tensor:
        """Score pictures that `prepare` made for this protocol; what metrics share is computed once among them."""
        variant = self.variant(protocol)
        if self._is_too_small(pictures, protocol):
            return _undefined(pictures)
        return self._averaged(variant.value(pictures), pictures, protocol)

    def one_sided(self, pictures: Statistics, protocol: str) -> tuple[Tensor, Tensor]:
        """The terms of pictures that `prepare` made for this protocol."""
        variant = self.variant(protocol)
        if self._is_too_small(pictures, protocol):
            return _undefined(pictures), _undefined(pictures)
        one, other = variant.terms(pictures)
        return self._averaged(one, pictures, protocol), self._averaged(other, pictures, protocol)

    def _prepared(
        self, fused: Tensor, a: Tensor | None, b: Tensor | None, protocol: str, data_range: float | None, clip: bool
    ) -> Statistics:
        """Check the call, and prepare the tensors for the protocol."""
        self.variant(protocol)
        if self.needs_sources and (a is None or b is None):
            raise InputError(f"{self.name} compares the fused picture with both sources: pass a and b.")
        if not self.needs_sources:
            a = b = None
        return prepare(fused, a, b, find_protocol(protocol), data_range=data_range, clip=clip)

    def _is_too_small(self, pictures: Statistics, protocol: str) -> bool:
        """Whether the pictures are smaller than a window; warns if they are."""
        limit = self.variant(protocol).min_size
        height, width = pictures.fused.values.shape[1:]
        if min(height, width) >= limit:
            return False
        _warn(
            f"{self.name}[{protocol}] needs at least {limit}x{limit} pixels and the pictures have {width}x{height}: "
            "the value is NaN."
        )
        return True

    def _averaged(self, scores: Tensor, pictures: Statistics, protocol: str) -> Tensor:
        """Average the channels of each picture; warn where there is no value."""
        scores = scores.view(-1, pictures.fused.channels).mean(dim=1)
        bad = scores.isnan() | scores.isneginf()
        if bad.any():
            where = ", ".join(str(int(index)) for index in bad.nonzero()[:5])
            reason = self.variants[protocol].no_value
            advice = (
                f"{reason}: leave it out of means."
                if reason
                else "as in its toolbox: leave it out of means, or use a protocol that defines it (canonical)."
            )
            _warn(f"{self.name}[{protocol}] has no value for picture {where} of {len(scores)}, {advice}")
        return scores


def _undefined(pictures: Statistics) -> Tensor:
    """NaN for each picture."""
    planes = pictures.fused.values
    return planes.new_full((planes.shape[0] // pictures.fused.channels,), torch.nan)


def _warn(text: str) -> None:
    """Warn at the line that called the metric."""
    warnings.warn(text, UndefinedMetricWarning, stacklevel=5)
