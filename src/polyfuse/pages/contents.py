"""What a results page shows: collections of pairs with pictures and scores of each method, and sections of a report.

Nothing here is opened or checked for being there; `write_page` does that. All text is plain text: whatever it holds,
`<script>` included, is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Better = Literal["higher", "lower", "none"]
"""Which way a number is better; "none" where it may not be judged by."""


@dataclass(frozen=True)
class MetricColumn:
    """A number that pictures have: a metric, or a part of one."""

    name: str
    """Key in `Pair.scores`, and the heading."""
    better: Better = "none"
    """Which way is better."""
    digits: int = 3
    """Decimals that are shown."""
    note: str = ""
    """One line on what it measures, shown as a tip."""


@dataclass(frozen=True)
class Pair:
    """Two sources, and what each method made of them."""

    name: str
    """Name of the pair, unique in its collection."""
    a: Path
    """First source (infrared, MRI): a file of any kind that polyfuse reads."""
    b: Path
    """Second source (visible, CT, PET, SPECT), of the same size."""
    fused: Mapping[str, Path] = field(default_factory=dict)
    """Fused picture by method; a method may lack a pair. Methods appear in the order in which they first occur."""
    scores: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """Numbers by method and name of the column; None or not finite where a picture has no value."""
    contribution: Mapping[str, Path] = field(default_factory=dict)
    """By method: a grey picture of which source each place came from, white where it is all a, black where all b. Of
    methods without one the page computes it from the pictures."""
    note: str = ""
    """What to know of this pair, one line: a missing picture, a damaged file."""


@dataclass(frozen=True)
class Collection:
    """The pairs of one data set."""

    name: str
    """Name, unique on the page."""
    pairs: tuple[Pair, ...]
    """In the order in which the page first shows them."""
    name_a: str = "a"
    """What the first sources are called on the page: "infrared", "MRI"."""
    name_b: str = "b"
    """What the second sources are called."""
    note: str = ""
    """One or two sentences on where it comes from."""


@dataclass(frozen=True)
class Prose:
    """Plain text; an empty line begins a paragraph, lines that begin with "- " are a list."""

    text: str
    """The text."""


@dataclass(frozen=True)
class Table:
    """A table whose columns can be sorted by."""

    columns: tuple[str | MetricColumn, ...]
    """Headings; the best numbers of a `MetricColumn` that is better higher or lower are marked in `best_rows` alone."""
    rows: tuple[tuple[str | float | int | None, ...], ...]
    """Cells: text as it is, numbers with the digits of their column, None as a dash."""
    caption: str = ""
    """One line over the table."""
    best_rows: tuple[int, ...] | None = None
    """Numbers of the rows among which the best is marked; None: all, (): nothing is marked."""
    muted_rows: tuple[int, ...] = ()
    """Rows shown in grey: baselines, published numbers that do not compare."""


@dataclass(frozen=True)
class Chart:
    """A drawing: SVG text, or a PNG, JPEG or SVG file. It is shown as a picture, so scripts in it do not run."""

    source: str | Path
    """SVG text that begins with "<", or a file."""
    alt: str
    """What it shows, in words, for those who cannot see it."""
    caption: str = ""
    """One line under it."""


@dataclass(frozen=True)
class Command:
    """A command line that can be copied."""

    text: str
    """As it is typed; may have several lines."""
    caption: str = ""
    """What it does."""


Item = Prose | Table | Chart | Command


@dataclass(frozen=True)
class Section:
    """A part of a report, with a heading and an entry in the table of contents."""

    title: str
    """Heading."""
    items: Sequence[Item] = ()
    """What stands in it, from top to bottom."""
