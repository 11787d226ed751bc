"""The public names are the documented ones, and each explains itself."""

import re
from pathlib import Path

import pytest

import polyfuse

PUBLIC = [
    "ClipOptions",
    "ClipResult",
    "Evaluation",
    "FuseOptions",
    "Result",
    "__version__",
    "evaluate",
    "fuse",
    "fuse_clip",
    "list_models",
    "load",
]
REPOSITORY = Path(__file__).resolve().parents[2]
API_PAGES = REPOSITORY / "docs" / "reference"


def test_all_lists_the_documented_names() -> None:
    assert sorted(polyfuse.__all__) == PUBLIC


def test_version_comes_from_one_place() -> None:
    from polyfuse._version import __version__

    assert polyfuse.__version__ == __version__


def released() -> tuple[str, str]:
    """The version and date of the newest release in the changelog."""
    text = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## \[(\d[\w.]*)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)[0]


def test_citation_names_the_last_release() -> None:
    text = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.findall(r"^(?:version|date-released): (.+)$", text, re.MULTILINE)
    assert tuple(cited) == released()


def test_version_is_the_last_release_or_develops_a_later_one() -> None:
    version, _ = released()
    numbers, _, development = polyfuse.__version__.partition(".dev")
    if development:
        assert [int(part) for part in numbers.split(".")] > [int(part) for part in version.split(".")]
    else:
        assert numbers == version


def test_dir_shows_the_public_names() -> None:
    assert set(PUBLIC) <= set(dir(polyfuse))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        polyfuse.no_such_name  # noqa: B018


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("__")])
def test_public_name_has_a_docstring(name: str) -> None:
    assert (getattr(polyfuse, name).__doc__ or "").strip()


def test_reference_pages_show_every_public_name() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in API_PAGES.glob("*.md"))
    shown = set(re.findall(r"^::: polyfuse\.(?:\w+\.)*(\w+)$", text, re.MULTILINE))
    assert {name for name in PUBLIC if not name.startswith("__")} <= shown
