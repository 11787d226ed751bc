"""A file is complete or not there, whatever goes wrong on the way."""

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from polyfuse.errors import OutputError
from polyfuse.io import atomic_path, write_text
from polyfuse.io.atomic import check_apart


def test_text_is_written_in_utf8_with_line_feeds(tmp_path: Path) -> None:
    path = write_text(tmp_path / "note.json", "a\nö\n")
    assert path.read_bytes() == "a\nö\n".encode()


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert write_text(tmp_path / "one" / "two" / "note.txt", "x").read_text() == "x"


def test_the_temporary_file_is_hidden_beside_the_target_with_its_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".png"


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    write_text(tmp_path / "x.txt", "first")
    with pytest.raises(OutputError, match="pass --overwrite"):
        write_text(tmp_path / "x.txt", "second")
    assert (tmp_path / "x.txt").read_text() == "first"
    write_text(tmp_path / "x.txt", "second", overwrite=True)
    assert (tmp_path / "x.txt").read_text() == "second"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def write_slowly() -> None:
        with atomic_path(tmp_path / "x.txt") as temporary:
            temporary.write_text("ours")
            (tmp_path / "x.txt").write_text("theirs")

    with pytest.raises(OutputError, match="exists"):
        write_slowly()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
def test_nothing_is_left_when_the_body_ends_early(tmp_path: Path, problem: type[BaseException]) -> None:
    (tmp_path / "x.txt").write_text("before")

    def write_half() -> None:
        with atomic_path(tmp_path / "x.txt", overwrite=True) as temporary:
            temporary.write_text("half")
            raise problem

    with pytest.raises(problem):
        write_half()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "choose a folder"), (errno.EIO, "check")]
)
def test_a_failing_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, advice: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OutputError, match=advice) as caught:
        write_text(tmp_path / "x.txt", "text")
    assert str(caught.value).startswith(f"{tmp_path / 'x.txt'} cannot be written ({os.strerror(number)})")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    # Simulated, as permissions do not bind the administrator, who may be running the tests.
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(OutputError, match="choose a folder you may write to"):
        write_text(tmp_path / "x.txt", "text")


def test_a_file_in_the_place_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "file" / "x.txt", "text")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_text(tmp_path, "text", overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no device files")
def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="not an ordinary file"):
        write_text(tmp_path / "pipe", "text", overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
def test_a_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    written = write_text(tmp_path / "x.txt", "text")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path: Path) -> None:
    assert write_text(tmp_path / ("n" * 251 + ".txt"), "text").exists()


def test_a_name_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="shorter name"):
        write_text(tmp_path / ("n" * 300 + ".txt"), "text")


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o444])
def test_what_replaces_a_file_gets_its_permissions_and_never_more(tmp_path: Path, mode: int) -> None:
    path = write_text(tmp_path / "x.txt", "first")
    path.chmod(mode)
    with atomic_path(path, overwrite=True) as temporary:
        assert stat.S_IMODE(temporary.stat().st_mode) & ~(mode | 0o600) == 0
        temporary.write_text("second")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("second", mode)


def test_an_input_is_found_under_any_name(tmp_path: Path) -> None:
    source = write_text(tmp_path / "x.txt", "x")
    (tmp_path / "link").symlink_to(source)
    for name in ("x.txt", "link", f"../{tmp_path.name}/x.txt"):
        with pytest.raises(OutputError, match="is an input and would be replaced: choose another --out"):
            check_apart(tmp_path / name, [tmp_path / "none", source])
    check_apart(tmp_path / "y.txt", [source])
