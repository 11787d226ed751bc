"""The claims of a model's paper over many pairs: what was measured, and whether each claim holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from polyfuse._version import __version__
from polyfuse.drawing.claims import Claim, Measured
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.explain.pair import DEFAULT_MAX_SIDE, read_pair
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.fuser import Fuser
from polyfuse.io import Pair
from polyfuse.io.source import shown
from polyfuse.ops.bootstrap import LEVEL, RESAMPLES, SEED, bootstrap_interval
from polyfuse.registry.explained import claimed_family

SCHEMA = 1
"""Version of `ClaimsReport.numbers`."""
Verdict = Literal["holds", "does not hold", "not decided"]
Tell = Callable[[str, Sequence[str]], None]
"""Gets name and notes of each pair that is done."""


@dataclass(frozen=True)
class Estimate:
    """The mean over the pairs, and how sure it is. NaN stands for what the count does not allow."""

    mean: float
    """Mean over the pairs that have a value."""
    low: float
    """Lower end of the bootstrap 95 % interval of the mean; needs two pairs."""
    high: float
    """Upper end of that interval."""
    n: int
    """How many pairs have a value."""

    @property
    def verdict(self) -> Verdict:
        """Whether the mean is positive: the interval has to lie on one side of zero."""
        if self.low > 0:
            return "holds"
        return "does not hold" if self.high < 0 else "not decided"

    def numbers(self) -> dict[str, float | int | None]:
        """As plain JSON values."""
        ends = {"mean": self.mean, "low": self.low, "high": self.high}
        return {name: value if math.isfinite(value) else None for name, value in ends.items()} | {"n": self.n}


@dataclass(frozen=True)
class ClaimsReport:
    """What a model's paper claims, tested on the pairs of two folders."""

    record: dict[str, Any]
    """Model, family and hash of the weights, as plain JSON values."""
    pairs: tuple[tuple[str, Measured], ...]
    """Name of each pair and what was measured of it."""
    claims: tuple[tuple[Claim, Estimate], ...]
    """Each claim that was asked, and its margin over the pairs."""

    def statistics(self) -> Iterator[tuple[str, str, Estimate]]:
        """Place, quantity and its mean over the pairs, in the order of the first pair that has them."""
        keys = dict.fromkeys((place, name) for _, m in self.pairs for place, values in m.items() for name in values)
        for place, name in keys:
            yield place, name, estimate([m.get(place, {}).get(name, math.nan) for _, m in self.pairs])

    def numbers(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        statistics: dict[str, dict[str, Any]] = {}
        for place, name, value in self.statistics():
            statistics.setdefault(place, {})[name] = value.numbers()
        return {
            "schema": SCHEMA,
            "polyfuse": __version__,
            **self.record,
            "pairs": [name for name, _ in self.pairs],
            "bootstrap": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED},
            "statistics": statistics,
            "claims": [
                {
                    "claim": claim.text,
                    "source": claim.source,
                    "margin": claim.formula,
                    **value.numbers(),
                    "verdict": value.verdict,
                }
                for claim, value in self.claims
            ],
        }


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval of the values that are not NaN.

    >>> estimate([0.5, 0.5, float("nan")])
    Estimate(mean=0.5, low=0.5, high=0.5, n=2)
    """
    present = np.asarray([value for value in values if not math.isnan(value)], np.float64)
    if len(present) < 2:
        return Estimate(float(present[0]) if len(present) else math.nan, math.nan, math.nan, len(present))
    return Estimate(float(present.mean()), *bootstrap_interval(present), len(present))


def measure_claims(
    pairs: Sequence[Pair],
    model: FusionModel,
    *,
    options: FuseOptions | None = None,
    max_side: int | None = DEFAULT_MAX_SIDE,
    tell: Tell = lambda name, notes: None,
) -> ClaimsReport:
    """Measure what the paper of a model claims on every pair, and see which claims hold over all of them.

    A claim is a margin that is positive where it is true. It holds if the bootstrap interval of the margin's mean over
    the pairs lies above zero, does not hold if it lies below, and is not decided otherwise, as with a single pair.

    Args:
        pairs: At least one.
        model: From `load`.
        options: How the pictures are read and mapped, as for `fuse`.
        max_side: Longest side of the pictures in pixels, as for `explain`.
        tell: Called after each pair.

    Raises:
        UsageError: If the model's family has no claims.
        InputError: If a pair cannot be read or its sizes differ, with its name; or if a number is not finite.
    """
    family = claimed_family(model)
    chosen = (options or FuseOptions()).changed({"bit_depth": "8"})
    measured: list[tuple[str, Measured]] = []
    for pair in pairs:
        try:
            read = read_pair(pair.a, pair.b, chosen, model.provenance, max_side)
            fuser = Fuser(model, chosen, read.conventions)
            with torch.inference_mode():
                values = family.measure(model, fuser.tensor(read.a.array, "a"), fuser.tensor(read.b.array, "b"))
            _check_finite(values)
        except PolyfuseError as error:
            raise type(error)(f"{shown(pair.name)}: {error}") from error
        measured.append((pair.name, values))
        tell(pair.name, read.notes)
    asked = [claim for claim in family.claims if all(set(claim.places) <= set(values) for _, values in measured)]
    claims = tuple((claim, estimate([claim.margin(values) for _, values in measured])) for claim in asked)
    provenance = model.provenance
    record = {"model": provenance.name, "family": model.spec.family, "weights_sha256": provenance.weights_sha256}
    return ClaimsReport(record, tuple(measured), claims)


def _check_finite(measured: Measured) -> None:
    """Refuse numbers that no mean could be taken of.

    Raises:
        InputError: If one is NaN or infinite.
    """
    for place, values in measured.items():
        for name, value in values.items():
            if not math.isfinite(value):
                raise InputError(f"{name} of {place} is {value}: check the weights and the pictures.")
