"""Writing a page: complete or not there, over nothing of the user's, whatever names and pictures hold."""

import errno
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from polyfuse.errors import InputError, OutputError, UsageError
from polyfuse.io import write_picture
from polyfuse.pages import Chart, Collection, MetricColumn, Pair, Section, Table, check_page, write_page
from polyfuse.pages import write as write_module

ODD = "<script>alert('x')</script>, |&% \"q\""


def collection(pairs: tuple[Pair, ...]) -> list[Collection]:
    return [Collection("drawn", pairs)]


def data_of(index: Path) -> dict:
    """The data of a page of several files."""
    (script,) = index.parent.glob("files-*/data.js")
    text = script.read_text(encoding="ascii")
    return json.loads(text.removeprefix("polyfuse.data = ").removesuffix(";\n"))


def all_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_input_gives_same_bytes(drawn_pairs, tmp_path: Path) -> None:
    one = write_page(tmp_path / "one", "t", collection(drawn_pairs))
    other = write_page(tmp_path / "other", "t", collection(drawn_pairs))
    assert all_files(one.parent) == all_files(other.parent)
    write_page(tmp_path / "one", "t", collection(drawn_pairs), overwrite=True)  # over itself too
    assert all_files(one.parent) == all_files(other.parent)


def test_a_new_page_replaces_the_files_of_the_old_one(drawn_pairs, tmp_path: Path) -> None:
    write_page(tmp_path / "page", "old", collection(drawn_pairs))
    (tmp_path / "page" / "mine.txt").write_text("stays")
    with pytest.raises(OutputError, match="--overwrite"):
        write_page(tmp_path / "page", "new", collection(drawn_pairs[:1]))
    write_page(tmp_path / "page", "new", collection(drawn_pairs[:1]), overwrite=True)
    assert len(list((tmp_path / "page").glob("files-*"))) == 1
    assert (tmp_path / "page" / "mine.txt").read_text() == "stays"


def test_a_full_disk_midway_leaves_the_earlier_page(drawn_pairs, tmp_path: Path, monkeypatch) -> None:
    write_page(tmp_path / "page", "old", collection(drawn_pairs))
    before = all_files(tmp_path / "page")
    written: list[str] = []
    add = write_module.Beside.add

    def full(self, key, picture):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(key)
        add(self, key, picture)

    monkeypatch.setattr(write_module.Beside, "add", full)
    with pytest.raises(OutputError, match="free some space"):
        write_page(tmp_path / "page", "new", collection(drawn_pairs), overwrite=True)
    assert all_files(tmp_path / "page") == before
    with pytest.raises(OutputError):
        write_page(tmp_path / "other", "new", collection(drawn_pairs))
    assert all_files(tmp_path / "other") == {}


def test_another_file_called_index_html_is_not_replaced(drawn_pairs, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>mine</h1>")
    with pytest.raises(OutputError, match="not a page of polyfuse"):
        write_page(tmp_path, "t", collection(drawn_pairs), overwrite=True)
    assert (tmp_path / "index.html").read_text() == "<h1>mine</h1>"


def test_an_input_is_no_place_for_a_page(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is an input"):
        check_page(tmp_path, [tmp_path / "." / "x" / ".."])
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="name a folder"):
        check_page(tmp_path / "file", [])


@pytest.mark.parametrize("one_file", [False, True])
def test_names_end_no_script_and_no_tag(drawn_pairs, tmp_path: Path, one_file: bool) -> None:
    index = write_page(tmp_path, ODD, collection(drawn_pairs), one_file=one_file)
    text = index.read_text(encoding="utf-8")
    assert "alert('x')</script>" not in text
    assert "<title>&lt;script&gt;" in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)


def test_one_file_holds_everything(drawn_pairs, tmp_path: Path, monkeypatch) -> None:
    write_page(tmp_path, "t", collection(drawn_pairs), one_file=True)
    assert list(all_files(tmp_path)) == ["index.html"]
    monkeypatch.setattr(write_module, "_MOST_IN_ONE_FILE", 100)
    with pytest.raises(UsageError, match="write a folder"):
        write_page(tmp_path / "x", "t", collection(drawn_pairs), one_file=True)


def test_pictures_go_in_byte_by_byte_or_say_what_was_done(drawn_pairs, tmp_path: Path) -> None:
    deep = np.linspace(1000, 3000, 48 * 64).astype(np.uint16).reshape(48, 64)
    pair = replace(drawn_pairs[0], a=write_picture(tmp_path / "a.png", deep))
    facts = data_of(write_page(tmp_path / "page", "t", collection((pair,))))["collections"][0]["pairs"][0]
    assert set(facts["notes"]) == {"a"}
    assert "16 bits" in facts["notes"]["a"]
    assert (facts["width"], facts["height"]) == (64, 48)
    assert facts["apart"] > 0


def test_scores_without_a_value_are_null(drawn_pairs, tmp_path: Path) -> None:
    pair = replace(drawn_pairs[0], scores={"bright": {"VIF": float("nan")}})
    facts = data_of(write_page(tmp_path / "page", "t", collection((pair,)), [MetricColumn("VIF"), MetricColumn("EN")]))
    assert facts["collections"][0]["pairs"][0]["scores"] == {"0": [None, None]}


def test_other_sizes_and_missing_files_are_one_line(drawn_pairs, tmp_path: Path) -> None:
    small = write_picture(tmp_path / "small.png", np.zeros((10, 20), np.uint8))
    with pytest.raises(InputError, match=r"small.png is 20x10 and the first source 64x48"):
        write_page(tmp_path / "page", "t", collection((replace(drawn_pairs[0], fused={"x": small}),)))
    with pytest.raises(InputError, match=r"gone.png"):
        write_page(tmp_path / "page", "t", collection((replace(drawn_pairs[0], b=tmp_path / "gone.png"),)))
    assert all_files(tmp_path / "page") == {}


def test_twice_the_same_name_is_refused(drawn_pairs, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one is there twice among the pairs of drawn"):
        write_page(tmp_path / "page", "t", collection((drawn_pairs[0], drawn_pairs[0])))
    with pytest.raises(UsageError, match="VIF is there twice"):
        write_page(tmp_path / "page", "t", [], [MetricColumn("VIF"), MetricColumn("VIF")])


def test_a_report_needs_no_pictures(tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    chart.write_text('<svg xmlns="http://www.w3.org/2000/svg"></svg>')
    sections = [Section("s", [Table(("x",), ((1.5,), (None,))), Chart(chart, "a chart")])]
    facts = data_of(write_page(tmp_path / "page", "t", sections=sections))
    assert facts["sections"][0]["items"][1]["address"].startswith("data:image/svg+xml;base64,")
    with pytest.raises(UsageError, match="2 cells for 1 columns"):
        write_page(tmp_path / "x", "t", sections=[Section("s", [Table(("x",), ((1, 2),))])])
