"""The examples in docstrings run, in the package that is imported (kernel included), not in the source tree."""

import doctest
import importlib
from pathlib import Path

import pytest

import polyfuse

ROOT = Path(polyfuse.__file__).parent
WITH_EXAMPLES = sorted(path for path in ROOT.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_in_docstrings_are_true(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parts = ["polyfuse", *path.relative_to(ROOT).with_suffix("").parts]
    module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
    monkeypatch.chdir(tmp_path)  # an example may write a file
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted > 0
