"""Everything that reads a whole file reads an ordinary one of a sensible size; a pipe would be waited for for ever."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from polyfuse.data.pack import Pack
from polyfuse.errors import InputError
from polyfuse.io import find_pairs, pairs_from_csv
from polyfuse.io.source import check_exists, file_sha256, open_source, read_bytes_of, reason, shown
from polyfuse.train.checkpoint import load_checkpoint
from polyfuse.train.recipe import load_recipe
from polyfuse.video.store import read_arrays, read_words
from polyfuse.weights.pickles import read_pickle
from polyfuse.weights.store import load_weights

READERS: dict[str, Callable[[Path], object]] = {
    "recipe.toml": load_recipe,
    "weights.safetensors": load_weights,
    "published.pth": read_pickle,
    "x.pack": Pack,
    "pairs.csv": pairs_from_csv,
    "hashed": file_sha256,
    "checkpoint.pt": lambda path: load_checkpoint(path.parent, lambda note: None),
}


@pytest.mark.parametrize("name", READERS)
def test_a_named_pipe_is_refused_without_waiting(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError):
        READERS[name](tmp_path / name)


def test_a_state_that_is_a_named_pipe_counts_as_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state")
    assert read_words(tmp_path / "state") is None
    assert read_arrays(tmp_path / "state") is None


def test_a_device_is_refused() -> None:
    with pytest.raises(InputError, match="not an ordinary file: give a weights file"):
        load_weights(Path("/dev/zero"))


def test_a_file_beyond_the_limit_is_refused_before_it_is_held(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_bytes_of(tmp_path / "x", 5) == b"12345"
    with pytest.raises(InputError, match="more than 4 bytes, too many for a recipe"):
        read_bytes_of(tmp_path / "x", 4, what="recipe")
    with (tmp_path / "huge.toml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="more than 1048576 bytes"):
        load_recipe(tmp_path / "huge.toml")


def test_a_read_that_fails_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    with pytest.raises(InputError, match=r"x cannot be read \(Input/output error\)"), open_source(tmp_path / "x"):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("name", ["n" * 300, "two\0halves"])
def test_a_path_that_cannot_be_is_an_input_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        check_exists(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        find_pairs(tmp_path / name, tmp_path / name)
    (tmp_path / "pairs.csv").write_text(f"a,b\n{'n' * 300}.png,b.png\n")
    with pytest.raises(InputError, match="is missing"):
        pairs_from_csv(tmp_path / "pairs.csv")


def test_reading_a_small_file_takes_no_room_for_the_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert read_bytes_of(tmp_path / "x", 1 << 60) == b"12345"


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    before = os.stat(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"123456")
    monkeypatch.setattr("polyfuse.io.source.os.fstat", lambda file: before)
    with pytest.raises(InputError, match="became longer while it was read: try again"):
        read_bytes_of(tmp_path / "x", 10)


def test_words_of_an_exception_and_paths_are_one_line_of_some_length_in_messages() -> None:
    words = reason(ValueError("a\n\x1b b" + "x" * 9999))
    assert words.startswith("a \\x1b bxxx")
    assert words.endswith("xxx")
    assert len(words) <= 300
    assert shown("x" * 1000) == "x" * 1000
    assert len(shown("x" * 1001)) < 1000
