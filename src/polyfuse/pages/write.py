"""Writing a results page to a folder: one HTML file, a file of data, and the pictures; complete or not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from polyfuse.pages.contents import Collection, MetricColumn, Section


def check_page(out_dir: Path, inputs: Sequence[Path], *, overwrite: bool = False) -> None:
    """Check, before any work, that a page can be written to a folder.

    Args:
        out_dir: Folder of the page.
        inputs: Files and folders that it must not write over.
        overwrite: Whether an earlier page there may be replaced.

    Raises:
        OutputError: If the folder is a file, holds a page already and `overwrite` is off, or is one of the inputs.
    """
    raise NotImplementedError


def write_page(
    out_dir: Path,
    title: str,
    collections: Sequence[Collection] = (),
    metrics: Sequence[MetricColumn] = (),
    sections: Sequence[Section] = (),
    *,
    subtitle: str = "",
    lost_maps: bool = True,
    overwrite: bool = False,
) -> Iterator[Path]:
    """Write a page, yielding each path once its file is complete; `index.html` comes last.

    Args:
        out_dir: Folder, made if missing.
        title: Heading.
        collections: Pairs to look at; none: a report without pictures.
        metrics: Columns of the scores of pairs, in order; the first is what pairs are sorted by at first.
        sections: Report, shown before the pictures.
        subtitle: One line under the heading: versions, date, protocol.
        lost_maps: Whether the LOST map of each fused picture is computed (about 0.1 s for 640x480).
        overwrite: Whether an earlier page there may be replaced.

    Raises:
        InputError: If a picture cannot be read, or a fused picture has another size than its sources.
        OutputError: If a file cannot be written; no page is left then, and an earlier one stays as it was.
    """
    raise NotImplementedError
    yield out_dir
