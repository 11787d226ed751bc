"""Conclusions from the means: average ranks, and which methods score like a trivial answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from polyfuse.evaluation.scoring import COPY, Evaluation
from polyfuse.evaluation.triples import Method
from polyfuse.io.source import counted
from polyfuse.metrics import Metric

NEAR = 0.02
"""A mean this close to a trivial answer's, relative to it, counts as the same."""
Means = Mapping[Method, Mapping[str, float]]
"""Mean by method and metric name."""


def ranked_metrics(metrics: Sequence[Metric], means: Means) -> list[Metric]:
    """The metrics that ranks are averaged over: with a better side, no guard, and a mean for every method.

    A single method is not ranked: the list is empty.
    """
    methods = [method for method in means if method.kind == "method"]
    if len(methods) < 2:
        return []
    return [
        metric
        for metric in metrics
        if metric.direction in ("up", "down")
        and not metric.guard
        and all(math.isfinite(means[m][metric.name]) for m in methods)
    ]


def average_ranks(metrics: Sequence[Metric], means: Means) -> dict[Method, float]:
    """Average rank of each method over `ranked_metrics`, 1 is best; equal means share their ranks.

    Baselines are not ranked.
    """
    methods = [method for method in means if method.kind == "method"]
    ranked = ranked_metrics(metrics, means)
    totals = dict.fromkeys(methods, 0.0)
    for metric in ranked:
        sign = -1.0 if metric.direction == "down" else 1.0
        scores = {method: sign * means[method][metric.name] for method in methods}
        for method, score in scores.items():
            better = sum(other > score for other in scores.values())
            equal = sum(other == score for other in scores.values())
            totals[method] += better + (equal + 1) / 2
    return {method: total / len(ranked) for method, total in totals.items()} if ranked else {}


def warnings_of(metrics: Sequence[Metric], means: Means) -> list[str]:
    """Warnings about methods within 2 % of a trivial answer, and about metrics that never look at the sources."""
    warnings = []
    if metrics and not any(metric.needs_sources for metric in metrics):
        names = ", ".join(metric.name for metric in metrics)
        warnings.append(f"{names}: of the fused picture alone, and noise raises them; add MI, VIF, Qabf or SSIM")
    for method in means:
        if method.kind == "method":
            warnings += _near_baselines(method, metrics, means)
    return warnings


def _near_baselines(method: Method, metrics: Sequence[Metric], means: Means) -> list[str]:
    """Warnings about trivial answers that `method` equals in most of the metrics that compare with the sources."""
    warnings = []
    for baseline in (other for other in means if other.kind == "baseline"):
        both = [
            (metric.name, means[method][metric.name], means[baseline][metric.name])
            for metric in metrics
            if metric.needs_sources and not metric.guard
        ]
        both = [entry for entry in both if math.isfinite(entry[1]) and math.isfinite(entry[2])]
        near = [name for name, mean, trivial in both if abs(mean - trivial) <= NEAR * abs(trivial)]
        if len(near) * 2 > len(both):
            warnings.append(
                f"{method.name} is within 2 % of the baseline {baseline.name} in {len(near)} of {len(both)} metrics "
                f"({', '.join(near)}): it may do no more than that"
            )
    return warnings


def copies_among(evaluations: Mapping[Method, Sequence[Evaluation]]) -> list[str]:
    """Warnings about methods whose pictures are hardly more than one of their sources."""
    warnings = []
    for method, scored in evaluations.items():
        for source in ("a", "b"):
            count = sum(source in evaluation.copies for evaluation in scored)
            if count and method.kind == "method":
                warnings.append(
                    f"{method.name} correlates above {COPY} with source {source} in {count} of "
                    f"{counted(len(scored), 'picture')}: it is hardly more than a copy there"
                )
    return warnings
