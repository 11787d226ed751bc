"""Each metric has a page in the docs that says what `polyfuse metrics NAME` says, and the site lists it."""

import re
from pathlib import Path

import pytest

from polyfuse.demo.metric_page import metric_index, metric_page
from polyfuse.metrics import METRICS, PROTOCOLS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "metrics"
HAND_WRITTEN = {"index", "why-numbers-differ"}
NUMBER = re.compile(r"(?<= )-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?= \|)")
NEAR = 2e-3
"""Share by which a number of a table may differ: NumPy's sines and powers differ in the last bit from processor to
processor, and so does a grey level of the drawn scene here and there."""


@pytest.mark.parametrize("name", METRICS)
def test_page_says_what_the_command_says(name: str) -> None:
    page = (DOCS / f"{name.lower()}.md").read_text(encoding="utf-8")
    said = metric_page(METRICS[name])
    renew = f"renew it: polyfuse metrics {name} > docs/metrics/{name.lower()}.md"
    assert NUMBER.sub("#", page) == NUMBER.sub("#", said), renew
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (page, said)]
    assert numbers[0] == pytest.approx(numbers[1], rel=NEAR, abs=1e-4), renew


def test_no_page_is_left_over() -> None:
    assert {page.stem for page in DOCS.glob("*.md")} == {name.lower() for name in METRICS} | HAND_WRITTEN


def test_index_lists_every_metric() -> None:
    assert metric_index(METRICS.values()) in (DOCS / "index.md").read_text(encoding="utf-8")


def test_index_names_every_protocol() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [name for name, protocol in PROTOCOLS.items() if f"| `{name}` | {protocol.summary} |" not in index] == []


def test_site_lists_every_page() -> None:
    nav = (DOCS.parents[1] / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f"metrics/{page.name}" not in nav] == []
