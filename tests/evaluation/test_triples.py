"""Fused pictures find their pairs by name; every problem is told by name in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation import find_items
from polyfuse.evaluation.triples import Method, pair_list_hash

Scenes = Callable[..., tuple[Path, Path, dict[str, Path]]]


def test_items_come_in_natural_order_with_every_method(scenes: Scenes) -> None:
    a, b, methods = scenes(11, (2, 2))
    items, notes = find_items(methods, a, b)
    assert [item.name for item in items] == [str(index) for index in range(11)]
    assert items[10].fused == {Method(name): folder / "10.png" for name, folder in methods.items()}
    assert notes == []


def test_suffix_of_the_fused_picture_does_not_matter(scenes: Scenes) -> None:
    a, b, methods = scenes(1, (2, 2))
    (methods["mix"] / "0.png").rename(methods["mix"] / "0.bmp")
    items, _ = find_items(methods, a, b)
    assert items[0].fused[Method("mix")].name == "0.bmp"


def test_missing_and_extra_pictures_are_told_in_one_line(scenes: Scenes) -> None:
    a, b, methods = scenes(3, (2, 2))
    (methods["mix"] / "1.png").unlink()
    shutil.copy(methods["noisy"] / "0.png", methods["noisy"] / "spare.png")
    with pytest.raises(InputError, match=r"mix lacks 1 of 3 fused pictures \(1\); .*noisy has no pair \(spare\.png\)"):
        find_items(methods, a, b)


def test_missing_fused_picture_is_kept_as_a_reason_when_skipping(scenes: Scenes) -> None:
    a, b, methods = scenes(3, (2, 2))
    (methods["mix"] / "1.png").unlink()
    shutil.copy(methods["noisy"] / "0.png", methods["noisy"] / "spare.png")
    items, notes = find_items(methods, a, b, skip_missing=True)
    assert [list(item.missing) for item in items] == [[], [Method("mix")], []]
    assert Method("noisy") in items[1].fused
    assert len(notes) == 1
    assert "spare.png" in notes[0]


def test_missing_source_is_kept_as_a_reason_when_skipping(scenes: Scenes) -> None:
    a, b, methods = scenes(3, (2, 2))
    (b / "2.png").unlink()
    with pytest.raises(InputError, match="no partner"):
        find_items(methods, a, b)
    items, _ = find_items(methods, a, b, skip_missing=True)
    assert [len(item.fused) for item in items] == [2, 2, 0]
    assert "vi holds no picture of that name" in items[2].missing[Method("mix")]


def test_order_pairs_by_position_and_needs_equal_counts(scenes: Scenes) -> None:
    a, b, methods = scenes(2, (2, 2))
    for index in range(2):
        (methods["mix"] / f"{index}.png").rename(methods["mix"] / f"out{index}.png")
    only = {"mix": methods["mix"]}
    assert find_items(only, a, b, match="order")[0][1].fused[Method("mix")].name == "out1.png"
    (methods["mix"] / "out1.png").unlink()
    with pytest.raises(InputError, match="1 picture for 2 pairs"):
        find_items(only, a, b, match="order")


def test_list_of_pairs_names_the_fused_pictures(scenes: Scenes, tmp_path: Path) -> None:
    _, _, methods = scenes(3, (2, 2))
    (tmp_path / "list.csv").write_text("a,b,name\nir/2.png,vi/1.png,0\n")
    items, notes = find_items({"mix": methods["mix"]}, tmp_path / "list.csv", None, skip_missing=True)
    assert [(item.pair.a.name, item.pair.b.name) for item in items] == [("2.png", "1.png")]
    assert items[0].fused[Method("mix")].name == "0.png"
    assert "1.png, 2.png" in notes[0]


@pytest.mark.parametrize(
    ("fused", "a", "b", "text"),
    [
        ("mix", "ir/0.png", "vi/0.png", "is a folder and the sources are files"),
        ("mix/0.png", "ir", "vi", "give a folder"),
        ("ir/0.png", "ir/0.png", "vi/0.png", "given as fused and as a source"),
        ("ir", "ir", "vi", "given as fused and as a source"),
        ("mix", "ir", None, "has no partner"),
    ],
)
def test_mixed_up_paths_are_usage_errors(
    scenes: Scenes, tmp_path: Path, fused: str, a: str, b: str | None, text: str
) -> None:
    scenes(1, (2, 2))
    with pytest.raises(UsageError, match=text):
        find_items({"x": tmp_path / fused}, tmp_path / a, None if b is None else tmp_path / b)


def test_two_fused_pictures_of_one_stem_are_refused(scenes: Scenes) -> None:
    a, b, methods = scenes(1, (2, 2))
    shutil.copy(methods["mix"] / "0.png", methods["mix"] / "0.bmp")
    with pytest.raises(InputError, match=r"more than one picture of a name \(0\.bmp and 0\.png\)"):
        find_items(methods, a, b)


def test_hash_changes_with_name_order_and_content() -> None:
    one, other = ("1", ("a", "b")), ("2", ("c", "d"))
    hashes = {pair_list_hash(pairs) for pairs in ([one, other], [other, one], [one], [("1", ("a", "c")), other])}
    assert len(hashes) == 4
    assert pair_list_hash([one, other]) == pair_list_hash(iter([one, other]))
