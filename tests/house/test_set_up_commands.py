"""The two set-up commands are the same wherever they are shown, and CI runs the tests as the README does."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FUSE = "python3 -m venv .venv && .venv/bin/pip install -c ci/constraints.txt . && .venv/bin/polyfuse demo"
TEST = "python3 -m venv .venv && .venv/bin/pip install -c ci/constraints.txt '.[all,test]' && .venv/bin/pytest -q"


@pytest.mark.parametrize(
    ("page", "command"),
    [("README.md", FUSE), ("README.md", TEST), ("docs/index.md", FUSE), (".ci/run", "pytest -q")],
)
def test_page_holds_the_command_on_one_line(page: str, command: str) -> None:
    assert command in (REPOSITORY / page).read_text(encoding="utf-8").splitlines()
