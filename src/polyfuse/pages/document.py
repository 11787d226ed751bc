"""The data of a page as plain JSON values, and as a script that a page opened from disk can load."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from polyfuse._version import __version__
from polyfuse.errors import InputError, UsageError
from polyfuse.io.source import read_bytes_of, shown, sniff_format
from polyfuse.pages.contents import Chart, Collection, Command, Item, MetricColumn, Pair, Prose, Section, Table
from polyfuse.pages.shown import MEDIA_TYPES

SCHEMA = 1
"""Version of the data."""
_MAX_CHART = 1 << 26


def check_contents(collections: Sequence[Collection], metrics: Sequence[MetricColumn]) -> None:
    """Refuse names that are there twice, and methods called like a source.

    Raises:
        UsageError: Naming the first of them.
    """
    _check_unique([collection.name for collection in collections], "collections")
    _check_unique([metric.name for metric in metrics], "metrics")
    for collection in collections:
        _check_unique([pair.name for pair in collection.pairs], f"pairs of {shown(collection.name)}")


def _check_unique(names: Sequence[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageError(f"{shown(name)} is there twice among the {what}: give each a name of its own.")
        seen.add(name)


def methods_of(collections: Iterable[Collection], first: Sequence[str] = ()) -> list[str]:
    """All methods: those of `first` that have a picture, then the others in the order in which they first occur."""
    occurring = dict.fromkeys(name for one in collections for pair in one.pairs for name in pair.fused)
    return list(dict.fromkeys([*(name for name in first if name in occurring), *occurring]))


def page_facts(
    title: str,
    subtitle: str,
    collections: Sequence[Collection],
    metrics: Sequence[MetricColumn],
    sections: Sequence[Section],
    methods: Sequence[str] = (),
) -> dict[str, Any]:
    """All but the pairs, which `pair_facts` adds to the collections one by one."""
    return {
        "schema": SCHEMA,
        "generator": f"polyfuse {__version__}",
        "title": title,
        "subtitle": subtitle,
        "methods": methods_of(collections, methods),
        "metrics": [column_facts(metric) for metric in metrics],
        "sections": [
            {"title": section.title, "items": [_item_facts(item) for item in section.items]} for section in sections
        ],
        "collections": [
            {"name": one.name, "a": one.name_a, "b": one.name_b, "note": one.note, "pairs": []} for one in collections
        ],
    }


def pair_facts(pair: Pair, methods: Sequence[str], metrics: Sequence[MetricColumn]) -> dict[str, Any]:
    """Name, note and scores of one pair; a score is null where there is none."""
    scores = {
        str(methods.index(method)): [finite(values.get(metric.name)) for metric in metrics]
        for method, values in pair.scores.items()
        if method in methods
    }
    return {"name": pair.name, "note": pair.note, "scores": scores}


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has none for it."""
    return None if value is None or not math.isfinite(value) else float(value)


def column_facts(column: MetricColumn | str) -> dict[str, Any]:
    """A column of a table."""
    if isinstance(column, str):
        return {"name": column, "better": "none", "digits": None, "note": ""}
    return {"name": column.name, "better": column.better, "digits": column.digits, "note": column.note}


def _item_facts(item: Item) -> dict[str, Any]:
    if isinstance(item, Prose):
        return {"kind": "prose", "text": item.text}
    if isinstance(item, Command):
        return {"kind": "command", "text": item.text, "caption": item.caption}
    if isinstance(item, Chart):
        return {"kind": "chart", "address": _chart_address(item), "alt": item.alt, "caption": item.caption}
    return _table_facts(item)


def _table_facts(table: Table) -> dict[str, Any]:
    width = len(table.columns)
    for row in table.rows:
        if len(row) != width:
            raise UsageError(f"a row of the table {shown(table.caption)!r} has {len(row)} cells for {width} columns.")
    return {
        "kind": "table",
        "columns": [column_facts(column) for column in table.columns],
        "rows": [[finite(cell) if isinstance(cell, float) else cell for cell in row] for row in table.rows],
        "caption": table.caption,
        "best": None if table.best_rows is None else list(table.best_rows),
        "muted": list(table.muted_rows),
    }


def _chart_address(chart: Chart) -> str:
    """The drawing as a data address, which an image element shows without running anything."""
    if isinstance(chart.source, Path):
        content = read_bytes_of(chart.source, _MAX_CHART, what="chart")
        if b"<svg" in content[:4096]:
            return data_address(content, "image/svg+xml")
        kind = sniff_format(BytesIO(content), chart.source)
        if kind in MEDIA_TYPES:
            return data_address(content, MEDIA_TYPES[kind])
        raise InputError(f"{shown(chart.source)} is neither PNG, JPEG, WebP nor SVG: give a chart of these.")
    return data_address(chart.source.encode("utf-8", "replace"), "image/svg+xml")


def data_address(content: bytes, media_type: str) -> str:
    """A file as an address that holds it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def script_json(value: Mapping[str, Any] | str) -> str:
    r"""JSON that may stand inside a script element or file, whatever text it holds.

    >>> script_json("</script>&")
    '"\\u003c/script\\u003e\\u0026"'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
