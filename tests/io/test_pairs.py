"""Pairs are found by name, and everything that is wrong is named before work starts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyfuse.errors import InputError, UsageError
from polyfuse.io import Pair, check_sizes, find_marked_pairs, find_pairs, natural_key, pairs_from_csv, write_picture


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("ir", "vi"):
        (tmp_path / name).mkdir()
    return tmp_path / "ir", tmp_path / "vi"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def names(pairs: list[Pair]) -> list[str]:
    return [pair.name for pair in pairs]


def test_two_files_make_one_pair_named_after_the_first(tmp_path: Path) -> None:
    touch(tmp_path, "thermal.png", "visible.jpg")
    pairs = find_pairs(tmp_path / "thermal.png", tmp_path / "visible.jpg")
    assert pairs == [Pair("thermal", tmp_path / "thermal.png", tmp_path / "visible.jpg")]


def test_folders_match_by_stem_in_natural_order(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "f10.png", "f2.png", "f1.png")
    touch(folders[1], "f1.jpg", "f10.TIF", "f2.webp")
    pairs = find_pairs(*folders)
    assert names(pairs) == ["f1", "f2", "f10"]
    assert [pair.b.name for pair in pairs] == ["f1.jpg", "f2.webp", "f10.TIF"]


def test_a_stem_may_hold_dots(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "a.b.png")
    touch(folders[1], "a.b.jpg")
    assert names(find_pairs(*folders)) == ["a.b"]


def test_other_files_hidden_files_and_subfolders_are_ignored(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        touch(folder, "x.png", "notes.txt", ".polyfuse-1.png", "Thumbs.db", "x.json")
        (folder / "deeper.png").mkdir()
    assert names(find_pairs(*folders)) == ["x"]


def test_missing_partners_are_named_for_both_sides_with_a_count(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "x.png", *(f"only{n}.png" for n in range(1, 8)))
    touch(folders[1], "x.png", "lonely.jpg")
    with pytest.raises(InputError) as caught:
        find_pairs(*folders)
    message = str(caught.value)
    for part in ("7 of", "only1.png, only2.png", "only5.png and 2 more", "1 of", "lonely.jpg"):
        assert part in message
    assert "\n" not in message


def test_two_pictures_of_one_stem_are_named(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "x.png", "x.jpg")
    touch(folders[1], "x.png")
    with pytest.raises(InputError, match=r"x\.jpg and x\.png"):
        find_pairs(*folders)


def test_an_empty_folder_is_named(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "x.png")
    with pytest.raises(InputError, match=r"vi holds no pictures"):
        find_pairs(*folders)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        find_pairs(tmp_path, tmp_path / "nowhere")


def test_the_same_folder_twice_is_refused_even_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "ir").mkdir()
    (tmp_path / "link").symlink_to("ir")
    for other in ("ir", "link"):
        with pytest.raises(UsageError, match="both sides"):
            find_pairs(tmp_path / "ir", tmp_path / other)


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x.png")
    with pytest.raises(UsageError, match="both sides"):
        find_pairs(tmp_path / "x.png", tmp_path / "x.png")


def test_one_file_under_two_names_inside_folders_is_named(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "x.png")
    (folders[1] / "x.png").symlink_to(folders[0] / "x.png")
    with pytest.raises(InputError, match="same file for x"):
        find_pairs(*folders)


def test_a_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x.png")
    with pytest.raises(UsageError, match="two files or two folders"):
        find_pairs(tmp_path / "x.png", tmp_path)


def test_matching_by_order_pairs_by_position(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "ir2.png", "ir10.png")
    touch(folders[1], "vi007.jpg", "vi9.jpg")
    pairs = find_pairs(*folders, match="order")
    assert [(pair.name, pair.b.name) for pair in pairs] == [("ir2", "vi007.jpg"), ("ir10", "vi9.jpg")]


def test_matching_by_order_needs_equal_counts(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "a.png", "b.png")
    touch(folders[1], "a.png")
    with pytest.raises(InputError, match="2 pictures"):
        find_pairs(*folders, match="order")


def test_an_unknown_way_to_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stem or order"):
        find_pairs(tmp_path, tmp_path, match="size")  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 10**12), min_size=2, unique=True))
def test_numbers_in_names_sort_by_value(numbers: list[int]) -> None:
    ordered = sorted((f"frame_{number}.png" for number in numbers), key=natural_key)
    assert ordered == [f"frame_{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(max_size=4), max_size=8, unique=True))
def test_different_names_never_tie(texts: list[str]) -> None:
    keys = {natural_key(text) for text in texts}
    assert len(keys) == len(texts)


def test_a_table_gives_pairs_relative_to_its_folder(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "1.png", "2.png")
    touch(folders[1], "x.png", "y, z.png")
    table = folders[0].parent / "pairs.csv"
    table.write_text('\ufeffa,b,name\nir/1.png,vi/x.png,night\n\nir/2.png,"vi/y, z.png",\n', encoding="utf-8")
    pairs = pairs_from_csv(table)
    assert names(pairs) == ["night", "2"]
    assert pairs[1].b == folders[1] / "y, z.png"


def test_every_missing_file_of_a_table_is_reported_with_its_line(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "2.png")
    table = tmp_path / "pairs.csv"
    table.write_text("a,b\n1.png,2.png\nno.png,2.png\n2.png,gone.png\n")
    with pytest.raises(InputError) as caught:
        pairs_from_csv(table)
    for part in ("line 3: ", "no.png is missing", "line 4: ", "gone.png is missing"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "header"),
        ("x,y\n1.png,2.png\n", "header"),
        ("a,b\n", "lists no pairs"),
        ("a,b\n1.png\n", "line 2"),
        ("a,b\n1.png,\n", "line 2"),
        ("a,b\n1.png,1.png\n", "both sides"),
        ("a,b\n1.png,2.png\n1.png,3.png\n", "taken by line 2"),
        ("a,b,name\n1.png,2.png,../out\n", "plain file name"),
        ("a,b,name\n1.png,2.png,..\n", "plain file name"),
        ('a,b\n"1.png,2.png\n', "no CSV table"),
    ],
)
def test_a_bad_table_is_named_with_its_fault(tmp_path: Path, text: str, complaint: str) -> None:
    touch(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InputError, match=complaint) as caught:
        pairs_from_csv(tmp_path / "pairs.csv")
    assert str(caught.value).startswith(str(tmp_path / "pairs.csv"))


def test_a_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_bytes(b"a,b\n\xff\xfe,\x00\n")
    with pytest.raises(InputError, match="UTF-8"):
        pairs_from_csv(tmp_path / "pairs.csv")


def test_every_pair_of_different_sizes_is_named(tmp_path: Path) -> None:
    small, large = np.zeros((240, 320), np.uint8), np.zeros((480, 640), np.uint8)
    for name, array in (("s", small), ("t", small), ("l", large)):
        write_picture(tmp_path / f"{name}.png", array)
    files = {name: tmp_path / f"{name}.png" for name in "stl"}
    pairs = [Pair("good", files["s"], files["t"]), Pair("x", files["l"], files["s"]), Pair("y", files["t"], files["l"])]
    with pytest.raises(InputError) as caught:
        check_sizes(pairs)
    assert "x: 640x480 and 320x240; y: 320x240 and 640x480" in str(caught.value)
    assert "--resize a or --resize b" in str(caught.value)
    assert "good" not in str(caught.value)


def test_pairs_of_one_size_pass(tmp_path: Path) -> None:
    one, other = (write_picture(tmp_path / f"{name}.png", np.zeros((3, 5), np.uint8)) for name in "ab")
    check_sizes([Pair("x", one, other)])


def test_an_unreadable_header_is_named_or_left_for_later(tmp_path: Path) -> None:
    good = write_picture(tmp_path / "good.png", np.zeros((3, 5), np.uint8))
    (tmp_path / "bad.png").write_text("hello")
    pairs = [Pair("x", good, tmp_path / "bad.png")]
    with pytest.raises(InputError, match=r"bad\.png"):
        check_sizes(pairs)
    check_sizes(pairs, skip_unreadable=True)


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("header", ["a,b", "ir,vi", "infrared,visible", "IR,VI", "ir,vi,name"])
def test_a_table_may_name_its_columns_and_part_its_cells_as_is_usual(
    header: str, separator: str, tmp_path: Path
) -> None:
    touch(tmp_path, "1.png", "2.png")
    row = ",".join(["1.png", "2.png", "x"][: header.count(",") + 1])
    (tmp_path / "pairs.csv").write_text(f"{header}\n{row}\n".replace(",", separator))
    (pair,) = pairs_from_csv(tmp_path / "pairs.csv")
    assert (pair.a.name, pair.b.name) == ("1.png", "2.png")


@pytest.mark.parametrize("header", ["vi,ir", "ir,b", "a;b,name", "a,b,c"])
def test_other_columns_are_refused(header: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"{header}\n")
    with pytest.raises(InputError, match="does not begin with the header a,b or ir,vi or infrared,visible"):
        pairs_from_csv(tmp_path / "pairs.csv")


@pytest.mark.parametrize(
    ("files", "marks", "expected"),
    [
        (["x_ir.png", "x_vi.png", "y_ir.png", "y_vi.jpg"], ("_ir", "_vi"), ["x", "y"]),
        (["thermal_01.png", "rgb_01.png"], ("thermal_", "rgb_"), ["01"]),
        (["thermal_01.png", "rgb_01.png"], ("thermal", "rgb"), ["01"]),
        (["ir.png", "vi.png"], ("ir", "vi"), ["ir"]),
        (["x_r.png", "x_ir.png"], ("r", "ir"), ["x"]),
        (["x_ir.png", "x_vi.png", "x_fused.png", "other.png"], ("_ir", "_vi"), ["x"]),
    ],
)
def test_pictures_of_one_folder_match_but_for_their_marks(
    files: list[str], marks: tuple[str, str], expected: list[str], tmp_path: Path
) -> None:
    touch(tmp_path, *files)
    pairs = find_marked_pairs(tmp_path, None, marks)
    assert names(pairs) == expected
    assert [pair.a.name for pair in pairs] == files[: 2 * len(expected) : 2]
    assert [pair.b.name for pair in pairs] == files[1 : 2 * len(expected) : 2]


def test_marks_work_in_two_folders_too(folders: tuple[Path, Path]) -> None:
    touch(folders[0], "x_ir.png")
    touch(folders[1], "x_vi.png")
    assert find_marked_pairs(*folders, ("_ir", "_vi")) == [Pair("x", folders[0] / "x_ir.png", folders[1] / "x_vi.png")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["x_ir.png"], "begins or ends with _vi"),
        (["x_ir.png", "x_vi.png", "y_ir.png"], r"has no partner in .* \(y_ir.png\)"),
        (["x_ir.png", "x_ir.jpg", "x_vi.png"], "more than one picture of a name"),
    ],
)
def test_marked_pictures_that_do_not_match_are_named(files: list[str], words: str, tmp_path: Path) -> None:
    touch(tmp_path, *files)
    with pytest.raises(InputError, match=words):
        find_marked_pairs(tmp_path, None, ("_ir", "_vi"))


@pytest.mark.parametrize("marks", [("_ir", "_ir"), ("", "_vi")])
def test_marks_differ_and_are_not_empty(marks: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write for example _ir,_vi"):
        find_marked_pairs(tmp_path, None, marks)


def test_subfolders_are_entered_if_asked_and_stay_in_the_names(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        for name in ("day2", "day10", ".hidden"):
            (folder / name).mkdir()
            touch(folder / name, "x.png")
        touch(folder, "x.png")
    assert names(find_pairs(*folders, recursive=True)) == ["day2/x", "day10/x", "x"]
    assert names(find_pairs(*folders)) == ["x"]


def test_subfolders_are_not_matched_by_order(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="drop --recursive"):
        find_pairs(*folders, match="order", recursive=True)


def test_the_message_about_a_table_has_some_length_however_bad_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n" + f"{'x' * 100_000},y.png\n" * 500)
    with pytest.raises(InputError, match=r"line 2: .*xxx\.\.\.xxx.* is missing; .*and 1489 more: correct") as caught:
        pairs_from_csv(tmp_path / "x.csv")
    assert len(str(caught.value)) < 5000
