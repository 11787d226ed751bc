"""Addresses and the paths that stand for them, on fsspec's own file system in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.registry import known_implementations
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.cluster.lists import mirrored_list
from polyfuse.cluster.mirror import Mirror, is_address
from polyfuse.errors import DependencyError, InputError, OutputError, UsageError
from polyfuse.io import find_pairs, pairs_from_csv


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty file system memory://."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    (tmp_path / "mirror").mkdir()
    return Mirror(tmp_path / "mirror")


PART = st.text("abc.-_ %ü", min_size=1, max_size=8).filter(lambda part: set(part) != {"."})


@given(st.sampled_from(["s3", "gs", "abfs", "hdfs"]), st.lists(PART, min_size=1, max_size=4))
def test_path_of_an_address_leads_back_to_it(protocol: str, parts: list[str]) -> None:
    mirror, address = Mirror(Path("/mirror")), f"{protocol}://{'/'.join(parts)}"
    place = mirror.place(address)
    assert place.is_relative_to("/mirror")
    assert mirror.address(place) == address
    assert mirror.told(f"{place} is damaged") == f"{address} is damaged"


def test_file_address_is_a_path_of_this_machine(mirror: Mirror) -> None:
    assert mirror.place("file:///mnt/share/ir") == Path("/mnt/share/ir")
    assert mirror.address(Path("/mnt/share/ir")) is None


def test_path_of_one_letter_is_a_drive() -> None:
    assert not is_address("C://pictures")
    assert is_address("s3://pictures")


@pytest.mark.parametrize(
    ("address", "error"), [("s3:///x", UsageError), ("s3://", UsageError), ("s3://b/../x", InputError)]
)
def test_address_that_leads_out_of_its_folder_is_refused(
    mirror: Mirror, address: str, error: type[UsageError] | type[InputError]
) -> None:
    with pytest.raises(error):
        mirror.place(address)


def test_folders_at_addresses_are_matched_like_others(mirror: Mirror, memory: Any) -> None:
    for name in ("b/ir/2.png", "b/ir/10.png", "b/ir/sub/1.png", "b/vi/2.jpg", "b/vi/10.jpg", "b/vi/readme.txt"):
        memory.pipe_file(f"/{name}", b"x")
    a, b = (mirror.listed(f"memory://b/{side}/", recursive=False) for side in ("ir", "vi"))
    assert [pair.name for pair in find_pairs(a, b)] == ["2", "10"]
    assert [mirror.address(pair.b) for pair in find_pairs(a, b)] == ["memory://b/vi/2.jpg", "memory://b/vi/10.jpg"]


def test_message_about_a_missing_partner_names_the_address(mirror: Mirror, memory: Any) -> None:
    for name in ("b/ir/1.png", "b/ir/2.png", "b/vi/1.png"):
        memory.pipe_file(f"/{name}", b"x")
    with (
        pytest.raises(InputError, match="pictures in memory://b/ir has no partner in memory://b/vi"),
        mirror.telling(),
    ):
        find_pairs(mirror.listed("memory://b/ir"), mirror.listed("memory://b/vi"))


def test_what_is_delivered_can_be_fetched(mirror: Mirror, memory: Any, tmp_path: Path) -> None:
    place = mirror.place("memory://b/new/folder/1.png")
    place.parent.mkdir(parents=True)
    place.write_bytes(b"picture")
    mirror.deliver(place)
    assert memory.find("/b") == ["/b/new/folder/1.png"]  # nothing under a temporary name is left
    (tmp_path / "other").mkdir()
    other = Mirror(tmp_path / "other")
    assert other.fetch(other.place("memory://b/new/folder/1.png"))
    assert other.place("memory://b/new/folder/1.png").read_bytes() == b"picture"
    assert not other.fetch(other.place("memory://b/gone.png"))


def test_failed_delivery_leaves_what_was_there(mirror: Mirror, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.pipe_file("/b/1.png", b"old")
    place = mirror.listed("memory://b/1.png")
    place.write_bytes(b"new")

    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError("the connection was closed")

    monkeypatch.setattr(type(memory), "mv", broken)
    with pytest.raises(OutputError, match=r"memory://b/1\.png cannot be written \(the connection was closed\): check"):
        mirror.deliver(place)
    assert memory.find("/b") == ["/b/1.png"]
    assert memory.cat_file("/b/1.png") == b"old"


def test_unknown_protocol_is_a_usage_error(mirror: Mirror) -> None:
    with pytest.raises(UsageError, match=r"abacus://x/y has a protocol that fsspec does not know"):
        mirror.listed("abacus://x/y")


def test_package_that_a_protocol_needs_is_named(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"class": "absent_package.Absent", "err": "Install absentfs to access absent storage"}
    monkeypatch.setitem(known_implementations, "absent", row)
    with pytest.raises(DependencyError, match=r"absent://x/y needs the package absentfs: pip install absentfs"):
        mirror.listed("absent://x/y")


def test_address_that_does_not_answer_is_an_input_error(mirror: Mirror) -> None:
    with pytest.raises(InputError, match=r"ftp://127\.0\.0\.1:9/ir cannot be read \(.*\): check the address"):
        mirror.listed("ftp://127.0.0.1:9/ir")


def test_list_may_hold_addresses_and_lie_at_one(mirror: Mirror, memory: Any, tmp_path: Path) -> None:
    (tmp_path / "vi.png").write_bytes(b"x")
    local = tmp_path / "pairs.csv"
    local.write_text("a,b,name\nmemory://b/ir/1.png,vi.png,one\n")
    (pair,) = pairs_from_csv(mirrored_list(local, mirror))
    assert (pair.name, mirror.address(pair.a), pair.b) == ("one", "memory://b/ir/1.png", tmp_path / "vi.png")
    memory.pipe_file("/b/pairs.csv", b"ir,vi\nir/2.png,vi/2.png\n")
    (pair,) = pairs_from_csv(mirrored_list(mirror.listed("memory://b/pairs.csv"), mirror))
    assert (pair.name, mirror.address(pair.a)) == ("2", "memory://b/ir/2.png")


def test_list_without_addresses_is_taken_as_it_is(mirror: Mirror, tmp_path: Path) -> None:
    local = tmp_path / "pairs.csv"
    local.write_text("a,b\n1.png,2.png\n")
    assert mirrored_list(local, mirror) == local


def test_message_about_a_list_names_it(mirror: Mirror, tmp_path: Path) -> None:
    local = tmp_path / "pairs.csv"
    local.write_text("a,b\nmemory://b/ir/1.png,gone.png\n")
    with (
        pytest.raises(InputError, match=rf"^{local} cannot be used, line 2: {tmp_path}/gone\.png is missing"),
        mirror.telling(),
    ):
        pairs_from_csv(mirrored_list(local, mirror))
