"""Every file of weights in the box has a card, and the documentation shows the same card."""

from pathlib import Path

import pytest

from polyfuse import list_models
from polyfuse.registry import read_card

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/models/weights"
BUNDLED = [entry.name for entry in list_models() if entry.weights is not None]


@pytest.mark.parametrize("name", BUNDLED)
def test_page_of_the_weights_is_their_card(name: str) -> None:
    assert (PAGES / f"{name}.md").read_text("utf-8") == read_card(name)
    assert f"models/weights/{name}.md" in (ROOT / "mkdocs.yml").read_text("utf-8")


def test_no_page_is_left_over() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted(BUNDLED)


@pytest.mark.parametrize("name", BUNDLED)
def test_weights_in_the_box_are_small(name: str) -> None:
    entry = next(entry for entry in list_models() if entry.name == name)
    assert (ROOT / "src/polyfuse/weights" / str(entry.weights)).stat().st_size < 10_000_000
