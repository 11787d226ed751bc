"""What FNet's thresholds are said to do, as shares over a picture (FNet paper, figure 10; spec fnet 11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import nan

import torch
from torch import Tensor

from polyfuse.drawing.claims import Claim, Measured
from polyfuse.families.fnet.explained.findings import PARTS, read_thresholds
from polyfuse.families.fnet.explained.statistics import EstimateCounter
from polyfuse.families.spec import FusionModel

SPARSE = 0.5
"""Share of null values above which a code is called sparse. Ours: the paper gives no number."""
KEPT = 0.95
"""Share of a large value that is left if it is "kept". Ours: the paper gives no number."""
LARGE, BEYOND = 2.0, 0.05
"""A value is called large above this many thresholds and this much more: the width of the threshold function's step
(spec fnet 2). Ours."""
NAMES = {"u": "code from a alone", "v": "code from b alone", "z": "code from both"}


class _KeptCounter:
    """An observer that passes everything on to `counter` and sums up how much of the large values is left."""

    def __init__(self, counter: EstimateCounter, thresholds: dict[str, list[float]]) -> None:
        self._counter, self._thresholds = counter, thresholds
        self._before: Tensor | None = None
        self.kept: dict[str, float] = {}
        """By place, e.g. "u.0": sum of the magnitudes after over that before; nothing where no value is large."""

    def __call__(self, name: str, values: Tensor) -> None:
        """Count one tensor; "after_c.k" follows "before_c.k"."""
        self._counter(name, values)
        stage, _, place = name.partition("_")
        if stage == "before":
            self._before = values
            return
        assert self._before is not None
        block, _, k = place.partition(".")
        before = self._before.abs()
        is_large = before > LARGE * self._thresholds[block][int(k)] + BEYOND
        total = float((before * is_large).sum(dtype=torch.float64))
        if total > 0:
            self.kept[place] = float((values.abs() * is_large).sum(dtype=torch.float64)) / total
        self._before = None


def measure(model: FusionModel, a: Tensor, b: Tensor) -> dict[str, dict[str, float]]:
    """Thresholds and shares of every estimate of the three codes of a pair, (1, 1, H, W) each.

    Returns:
        By "u.0" to "z.4": "threshold"; "below", the share of values below it; "null before" and "null after", the
        shares of null values; "kept", what is left of large values, missing where there are none.
    """
    thresholds = read_thresholds(model, a)
    counter = EstimateCounter(thresholds)
    observer = _KeptCounter(counter, thresholds)
    tensors = model.explain(a, b, observer)
    measured = {}
    for block in PARTS:
        for k, e in enumerate(counter.statistics(block, tensors[f"momenta_{block}"].tolist())):
            place = f"{block}.{k}"
            measured[place] = {
                "threshold": e.threshold,
                "below": e.below_threshold,
                "null before": e.null_before,
                "null after": e.null_after,
            }
            if place in observer.kept:
                measured[place]["kept"] = observer.kept[place]
    return measured


def _estimates(measured: Measured, block: str) -> list[dict[str, float]]:
    """The estimates of a block, first to last."""
    return [dict(values) for place, values in measured.items() if place.startswith(f"{block}.")]


def _smallest_fall(block: str) -> Callable[[Measured], float]:
    """Smallest step down from one threshold to the next."""

    def margin(measured: Measured) -> float:
        thresholds = [estimate["threshold"] for estimate in _estimates(measured, block)]
        return min(first - second for first, second in pairwise(thresholds))

    return margin


def _smallest_gain(block: str) -> Callable[[Measured], float]:
    """Smallest growth of the share of null values by one threshold."""
    return lambda measured: min(e["null after"] - e["null before"] for e in _estimates(measured, block))


def _sparsity(block: str, index: int) -> Callable[[Measured], float]:
    """Share of null values of an estimate above `SPARSE`."""
    return lambda measured: _estimates(measured, block)[index]["null after"] - SPARSE


def _least_kept(block: str) -> Callable[[Measured], float]:
    """Smallest share of large values that an estimate leaves, above `KEPT`; NaN where none has any."""
    return lambda measured: min((e["kept"] for e in _estimates(measured, block) if "kept" in e), default=nan) - KEPT


def _claims_of(block: str) -> Iterator[Claim]:
    """The claims about one code."""
    name, places = f"{NAMES[block]} ({block})", (f"{block}.0",)
    yield Claim(f"{name}: thresholds fall", "figure 10", "smallest fall", _smallest_fall(block), places)
    yield Claim(
        f"{name}: every threshold makes more values null",
        "figure 10",
        "smallest growth of the null share",
        _smallest_gain(block),
        places,
    )
    yield Claim(
        f"{name}: large values are kept",
        "figure 10; the bound is ours",
        f"least share kept above {LARGE:g} thresholds + {BEYOND} - {KEPT}",
        _least_kept(block),
        places,
    )
    sparse = "l0 penalty of the paper; the bound is ours"
    yield Claim(f"{name}: the first estimate is sparse", sparse, f"null share - {SPARSE}", _sparsity(block, 0), places)
    yield Claim(f"{name}: the last estimate is sparse", sparse, f"null share - {SPARSE}", _sparsity(block, -1), places)


CLAIMS = tuple(claim for block in PARTS for claim in _claims_of(block))
"""What is said of the thresholds and of the codes that they leave."""
