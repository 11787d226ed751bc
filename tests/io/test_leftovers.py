"""Temporary files of killed processes are swept, those of living ones never."""

import errno
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from polyfuse.errors import OutputError
from polyfuse.io import atomic, atomic_path, write_text
from polyfuse.io.atomic import temporary_folder
from polyfuse.io.leftovers import DAY, sweep, temporary_name

OF_010 = ".polyfuse-0123456789abcdef.png"
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes can be looked up on Linux only")


def put(folder: Path, name: str, days: float = 0) -> Path:
    """An empty file that was written to so many days ago."""
    path = folder / name
    path.touch()
    when = time.time() - days * DAY
    os.utime(path, (when, when))
    return path


@ON_LINUX
def test_file_of_a_killed_process_is_swept_at_the_next_write_into_its_folder(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom polyfuse.io import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as temporary:\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", killed, str(tmp_path / "x.png")], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    write_text(tmp_path / "new.txt", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["new.txt"]


@pytest.mark.parametrize("days", [0, 30])
def test_file_of_a_living_process_stays_whatever_its_age(tmp_path: Path, days: float) -> None:
    ours = put(tmp_path, temporary_name(".png"), days)
    sweep(tmp_path)
    assert ours.exists() or not sys.platform.startswith("linux")


@ON_LINUX
def test_number_of_a_process_that_was_given_away_again_is_no_living_owner(tmp_path: Path) -> None:
    head, machine, number, started, tail = temporary_name(".png").split("-")
    other = put(tmp_path, "-".join([head, machine, number, str(int(started) - 1), tail]))
    sweep(tmp_path)
    assert not other.exists()


def test_file_of_another_machine_or_an_earlier_version_goes_after_a_day(tmp_path: Path) -> None:
    foreign = ".polyfuse-00000bad-1-1-01234567.png"
    young = [put(tmp_path / folder, name, 0.9) for folder in ("",) for name in (OF_010, foreign)]
    sweep(tmp_path)
    assert all(path.exists() for path in young)
    for path in young:
        put(tmp_path, path.name, 1.1)
    sweep(tmp_path)
    assert not any(path.exists() for path in young)


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    names = [".polyfuse-temporal.safetensors", ".polyfuse-", ".polyfuse-0123456789abcdeg.png", "polyfuse-01234567.png"]
    for name in names:
        put(tmp_path, name, 30)
    (tmp_path / OF_010).mkdir()
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names, OF_010}


def test_link_of_such_a_name_is_no_way_to_another_file(tmp_path: Path) -> None:
    precious = put(tmp_path, "precious.png", 30)
    (tmp_path / OF_010).symlink_to(precious)
    sweep(tmp_path)
    assert precious.exists()


def test_folder_is_swept_once_and_not_with_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[Path] = []
    monkeypatch.setattr(atomic, "sweep", swept.append)
    for name in ("a", "b"):
        write_text(tmp_path / name, "x")
    assert swept == [tmp_path]


def test_very_long_suffix_leaves_room_for_the_temporary_name(tmp_path: Path) -> None:
    target = tmp_path / ("n." + "s" * 250)
    with atomic_path(target) as temporary:
        assert len(temporary.name) < 100
    assert target.exists()


def test_folder_is_lent_and_goes_with_all_that_is_in_it_unless_it_was_renamed(tmp_path: Path) -> None:
    with suppress(KeyError), temporary_folder(tmp_path / "new", called="out") as place:
        (place / "part").mkdir()
        raise KeyError
    assert list((tmp_path / "new").iterdir()) == []
    with temporary_folder(tmp_path / "new", called="out") as place:
        (place / "file").touch()
        place.rename(tmp_path / "new" / "kept")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["kept"]
    with pytest.raises(OutputError, match="out cannot be written"), temporary_folder(tmp_path, called="out"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_folder_of_a_process_that_is_gone_is_swept(tmp_path: Path) -> None:
    old = tmp_path / OF_010.removesuffix(".png")
    old.mkdir()
    (old / "file").touch()
    mine = tmp_path / temporary_name("")
    mine.mkdir()
    when = time.time() - 2 * DAY
    for folder in (old, mine):
        os.utime(folder, (when, when))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
