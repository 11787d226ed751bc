"""Results pages: pictures of many methods side by side, their scores, tables and charts; files that open from disk."""

from polyfuse.pages.contents import (
    Better,
    Chart,
    Collection,
    Command,
    MetricColumn,
    Pair,
    Prose,
    Section,
    Table,
)
from polyfuse.pages.write import check_page, write_page

__all__ = [
    "Better",
    "Chart",
    "Collection",
    "Command",
    "MetricColumn",
    "Pair",
    "Prose",
    "Section",
    "Table",
    "check_page",
    "write_page",
]
