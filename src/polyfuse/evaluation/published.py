"""Rows that papers printed, to stand beside ours: claims with their source, never ranked with what was measured."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from polyfuse.errors import UsageError

PAPERS = {"fnet": "FNet", "smfnet": "SMFNet", "daefuse": "DAE-Fuse"}
"""Value of `--compare` to name of the paper."""
CAVEAT = (
    "published rows are what the papers print: training data, number of pairs and code may differ from ours, so they "
    "are neither ranked nor marked"
)
Task = Literal["detection", "segmentation", "cost"]
"""Tables that compare by something else than the metrics of fused pictures."""
_TASKS: dict[tuple[str, Task], str] = {
    ("FNet", "detection"): "AP averaged over IoU 0.50:0.05:0.95, YOLOv5 trained for each method",
    ("SMFNet", "detection"): "AP at IoU 0.5, a detector trained for each method",
    ("DAE-Fuse", "detection"): "AP at IoU 0.5, a detector trained for each method",
    ("FNet", "segmentation"): "IoU, SegFormer trained for each method",
    ("SMFNet", "segmentation"): "IoU and mean accuracy, a network trained for each method",
    ("FNet", "cost"): "parameters in thousands, multiply-adds in G and seconds at a size and on a machine of its own",
}
"""By paper and task: what its numbers are and how they were come by."""
_ABLATIONS = {("FNet", "Table III"), ("SMFNet", "Table 5")}
"""Tables that compare variants of one method, not methods."""
_SAME_SET = {
    "CT-MRI": "MRI-CT",
    "PET-MRI": "MRI-PET",
    "SPECT-MRI": "MRI-SPECT",
    "Harvard MRI-PET": "MRI-PET",
    "Harvard CT-MRI": "MRI-CT",
}
"""Other names of a data set, used in papers and by users, to ours."""
_LIKE_CDDFUSE = {"EN", "SD", "SF", "AG", "MI", "SCD", "VIF", "Qabf", "SSIM"}
_PROTOCOLS: dict[str, dict[str, tuple[str, ...]]] = {
    # FNet measures these four as CDDFuse does; CE and Qcb come from elsewhere (spec metrics 4 and 5).
    "FNet": {**dict.fromkeys(("MI", "VIF", "Qabf", "SSIM"), ("cddfuse", "fnet")), "CE": ("fnet",), "Qcb": ("fnet",)},
    # SMFNet's AG lacks the factor 1/sqrt(2) (spec metrics 2.4), so only its own protocol compares with it.
    "SMFNet": {**dict.fromkeys(_LIKE_CDDFUSE - {"AG"}, ("cddfuse",)), "AG": ("smfnet",)},
    "DAE-Fuse": dict.fromkeys(_LIKE_CDDFUSE, ("cddfuse",)),
}
"""By paper and metric: the protocols whose numbers compare with those printed."""


@dataclass(frozen=True)
class PublishedTable:
    """The rows of one table for one data set."""

    paper: str
    """Name of the paper."""
    table: str
    """Its name in the paper."""
    dataset: str
    """Name of the data set, as printed there."""
    rows: dict[str, dict[str, str]]
    """Values by method and metric, as printed."""

    @property
    def title(self) -> str:
        """Heading over these rows."""
        return f"published ({self.paper}, {self.table.removeprefix('T-')}, {self.dataset})"


@cache
def published_rows() -> tuple[dict[str, str], ...]:
    """Every row that ships with the package: paper, table, task, dataset, method, metric, value, direction."""
    text = resources.files("polyfuse.evaluation").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def find_paper(name: str) -> str:
    """The paper of that name; case and hyphens do not matter.

    Raises:
        UsageError: If it is none of `PAPERS`.
    """
    paper = PAPERS.get(_plain(name))
    if paper is None:
        raise UsageError(f"there are no published rows of {name!r}: use {', '.join(PAPERS)}.")
    return paper


def find_dataset(name: str) -> str:
    """The data set of that name, in our spelling.

    Raises:
        UsageError: If no table has it; the nearest names are given.
    """
    known = _known_sets()
    if _plain(name) not in known:
        near = difflib.get_close_matches(_plain(name), known, n=2, cutoff=0.5)
        names = [known[match] for match in near] or sorted(set(known.values()))
        raise UsageError(f"no published table has the data set {name!r}: use {', '.join(dict.fromkeys(names))}.")
    return known[_plain(name)]


def guess_dataset(folder: Path) -> str | None:
    """The data set that a folder of the path is named after, the innermost first, or None.

    >>> guess_dataset(Path("data/TNO_test/ir"))
    'TNO'
    """
    known = _known_sets()
    for part in reversed(folder.parts):
        name = known.get(_plain(re.sub(r"[_-]?(test|dataset|data|set|\d+)$", "", part.lower())))
        if name is not None:
            return name
    return None


def _known_sets() -> dict[str, str]:
    """Every name of a data set without case and punctuation, to our name of it."""
    printed = {row["dataset"] for row in published_rows() if row["task"] != "cost"} | set(_SAME_SET)
    return {_plain(name): _SAME_SET.get(name, name) for name in printed}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def published_tables(papers: Iterable[str], dataset: str, protocol: str) -> tuple[list[PublishedTable], list[str]]:
    """What these papers print for a data set, where numbers of `protocol` compare with it.

    Args:
        papers: Any of `PAPERS`.
        dataset: From `find_dataset`.
        protocol: Whose conventions our numbers follow.

    Returns:
        The tables, and a note for each paper that has nothing to compare.
    """
    tables, notes = [], []
    for paper in dict.fromkeys(find_paper(name) for name in papers):
        comparisons = [t for t in _tables_of(paper, dataset, protocol) if (paper, t.table) not in _ABLATIONS]
        tables += comparisons
        if not comparisons:
            notes.append(f"{paper} prints nothing for {dataset} that compares with protocol {protocol}")
    return tables, notes


def published_variants(paper: str, dataset: str, protocol: str) -> PublishedTable | None:
    """What a paper prints of the variants of its own method, or None where it has nothing for the data set.

    Args:
        paper: A value of `PAPERS`.
        dataset: From `find_dataset`.
        protocol: Whose conventions our numbers follow.
    """
    ablations = [table for table in _tables_of(paper, dataset, protocol) if (paper, table.table) in _ABLATIONS]
    return ablations[0] if ablations else None


def published_results(papers: Iterable[str], task: Task, dataset: str = "-") -> tuple[list[PublishedTable], list[str]]:
    """What these papers print of a task that is judged by something else than the metrics of pictures.

    Args:
        papers: Any of `PAPERS`.
        task: Which one.
        dataset: From `find_dataset`; costs have none.

    Returns:
        The tables, and a note for each paper: what its numbers are, or that it has none.
    """
    tables, notes = [], []
    for paper in dict.fromkeys(find_paper(name) for name in papers):
        rows: dict[str, dict[str, str]] = {}
        name = ""
        for row in published_rows():
            if (row["paper"], row["task"], row["dataset"]) == (paper, task, dataset):
                name = row["table"]
                rows.setdefault(row["method"], {})[row["metric"]] = row["value"]
        if rows:
            tables.append(PublishedTable(paper, name, dataset if dataset != "-" else task, rows))
            notes.append(f"{paper}: {_TASKS[paper, task]}")
        else:
            notes.append(f"{paper} prints no {task} for {dataset}" if dataset != "-" else f"{paper} prints no {task}")
    return tables, notes


def _tables_of(paper: str, dataset: str, protocol: str) -> list[PublishedTable]:
    """All that a paper prints for a data set, where numbers of `protocol` compare with it."""
    rows_by_table: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in published_rows():
        fits = protocol in _PROTOCOLS[paper].get(row["metric"], ()) if row["paper"] == paper else False
        if fits and _SAME_SET.get(row["dataset"], row["dataset"]) == dataset:
            rows = rows_by_table.setdefault((row["table"], row["dataset"]), {})
            rows.setdefault(row["method"], {})[row["metric"]] = row["value"]
    return [PublishedTable(paper, table, printed, rows) for (table, printed), rows in rows_by_table.items()]
