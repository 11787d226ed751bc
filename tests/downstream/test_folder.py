"""The folder of a comparison is its own, and lists name what is there."""

from pathlib import Path

import pytest

from polyfuse.downstream.folder import claim
from polyfuse.downstream.lists import chosen
from polyfuse.errors import InputError, OutputError
from polyfuse.io import Pair

PAIRS = [Pair(name, Path("a"), Path("b")) for name in ("one", "two", "three")]


def test_same_kind_of_comparison_may_go_on_in_its_folder(tmp_path: Path) -> None:
    claim(tmp_path / "new", "targets")
    (tmp_path / "new/table.md").write_text("x")
    claim(tmp_path / "new", "targets")
    with pytest.raises(OutputError, match="holds a comparison of another kind, targets: choose another --out"):
        claim(tmp_path / "new", "segmentation")


def test_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("x")
    with pytest.raises(OutputError, match="holds other files"):
        claim(tmp_path, "targets")
    with pytest.raises(OutputError, match="is a file: name a folder"):
        claim(tmp_path / "diary.txt", "targets")
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_damaged_mark_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("[")
    with pytest.raises(OutputError, match=r"comparison\.json is damaged"):
        claim(tmp_path, "targets")


def test_list_chooses_pairs_in_their_own_order(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("three\n\none\n")
    assert [pair.name for pair in chosen(PAIRS, tmp_path / "list.txt")] == ["one", "three"]
    assert [pair.name for pair in chosen(PAIRS, None)] == ["one", "two", "three"]


@pytest.mark.parametrize(("text", "message"), [
    (b"four\none\n", r"names pairs that are not there \(four\)"),
    (b"\n \n", "names no pictures"),
    (b"\xff\xfe", "is no text in UTF-8"),
])  # fmt: skip
def test_list_that_does_not_fit_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(text)
    with pytest.raises(InputError, match=message):
        chosen(PAIRS, tmp_path / "list.txt")
