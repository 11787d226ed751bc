"""The filters along time by name."""

from __future__ import annotations

from polyfuse.video.exponential import ExponentialFilter
from polyfuse.video.temporal import TemporalFilter, parse_temporal
from polyfuse.video.warping import FlowFilter

_FILTERS: dict[str, type[ExponentialFilter] | type[FlowFilter]] = {"exponential": ExponentialFilter, "flow": FlowFilter}


def make_filter(text: str) -> TemporalFilter | None:
    """A fresh filter for the value of `--temporal`; None for "none".

    Raises:
        UsageError: If the value is unknown.
        DependencyError: If what the filter needs is missing.
    """
    wanted = parse_temporal(text)
    return None if wanted is None else _FILTERS[wanted.kind](wanted.share)
