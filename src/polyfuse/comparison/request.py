"""What is compared: two sources or folders, fused pictures, models, and how they are read, scored and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from polyfuse.alignment import Warp
from polyfuse.alignment.resample import Frame
from polyfuse.errors import UsageError
from polyfuse.evaluation import Item, choose_metrics, find_items
from polyfuse.families.spec import FusionModel
from polyfuse.io import DEFAULT_MAX_PIXELS, find_pairs, pairs_from_csv
from polyfuse.io.pairs import Match
from polyfuse.io.source import shown
from polyfuse.metrics import Metric, find_protocol

DEFAULT_METRICS = ("VIF", "Qabf", "SSIM", "MI", "SCD", "EN", "VIS", "LOST", "LOSTmax")
"""Shown unless others are asked for: those of them that the protocol has."""


@dataclass(frozen=True)
class Request:
    """One comparison."""

    a: Path
    """First sources (infrared, MRI): a file, a folder, or, without `b`, a CSV list of pairs."""
    b: Path | None = None
    """Second sources, of the same kind."""
    fused: Mapping[str, Path] = field(default_factory=dict)
    """Fused picture or folder by the name of its method."""
    models: Mapping[str, FusionModel] = field(default_factory=dict)
    """Models that fuse the pairs, by the name that the page shows."""
    metrics: tuple[str, ...] | None = None
    """Names of metrics; None: `DEFAULT_METRICS`; empty: nothing is scored."""
    protocol: str = "cddfuse"
    """Whose conventions the metrics follow."""
    match: Match = "stem"
    """How the files of folders find each other."""
    on_error: Literal["stop", "skip"] = "stop"
    """"skip" goes on after a picture that is missing or damaged."""
    device: str = "cpu"
    """Where scores are computed."""
    max_pixels: int = DEFAULT_MAX_PIXELS
    """Largest picture that is read."""
    strict: bool = False
    """Whether damaged JPEGs are refused."""
    workers: int | None = None
    """Processes that score; None: chosen by their number."""
    warp: Warp | None = None
    """How a lies on b, where they come from two cameras."""
    frame: Frame = "b"
    """With a warp: the source on whose pixels the fused pictures are."""
    maps: bool = True
    """Whether LOST and contribution maps are computed."""
    name_a: str = "a"
    """What the page calls the first sources."""
    name_b: str = "b"
    """What it calls the second ones."""
    title: str = ""
    """Heading of the page; empty: the names of what is compared."""
    command: str = ""
    """The command line that makes this page again, shown on it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further lines on how the page was made, by what they tell."""

    def __post_init__(self) -> None:
        """Refuse a method that is there twice.

        Raises:
            UsageError: Naming it.
        """
        twice = sorted({*self.fused} & {*self.models})
        if twice:
            raise UsageError(f"{twice[0]} is a model and a folder of pictures: give one of them another name.")

    def chosen_metrics(self) -> tuple[Metric, ...]:
        """The metrics that are computed.

        Raises:
            UsageError: If one is unknown, or the protocol does not have it.
        """
        if self.metrics is not None:
            return choose_metrics(self.metrics, self.protocol) if self.metrics else ()
        find_protocol(self.protocol)
        known = {metric.name for metric in choose_metrics(["all"], self.protocol)}
        return choose_metrics([name for name in DEFAULT_METRICS if name in known], self.protocol)


def find_pictures(request: Request) -> tuple[list[Item], list[str]]:
    """The pairs with the fused pictures that are given; nothing is opened. See `polyfuse.evaluation.find_items`.

    Returns:
        The items, and notes on pictures that belong to no pair.

    Raises:
        InputError: If a path is missing or names do not match.
        UsageError: If there is nothing to compare, or files and folders are mixed.
    """
    if request.fused:
        skip = request.on_error == "skip"
        return find_items(request.fused, request.a, request.b, match=request.match, skip_missing=skip)
    if not request.models:
        raise UsageError("there is nothing to compare: give --models NAME or --fused NAME=PATH.")
    if request.b is None:
        if request.a.suffix.lower() != ".csv":
            advice = "give two files, two folders, or one CSV file of pairs."
            raise UsageError(f"{shown(request.a)} has no partner: {advice}")
        pairs: Sequence[Any] = pairs_from_csv(request.a)
    else:
        pairs = find_pairs(request.a, request.b, match=request.match)
    return [Item(pair, {}) for pair in pairs], []
