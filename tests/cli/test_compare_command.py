"""`polyfuse compare` from the command line: the page, what goes wrong in one line, and scores of blind tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import write_picture

Runner = Callable[..., Any]
ODD = "<b>&, |% \"q' one"


@pytest.fixture
def folders(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Folders ir/, vi/ and two methods one/, two/ with three pairs, one of which has an odd name."""
    for folder in ("ir", "vi", "one", "two"):
        for name in ("1", "2", ODD):
            write_picture(tmp_path / folder / f"{name}.png", rng.integers(0, 256, (24, 32), np.uint8))
    return tmp_path


def data_of(page: Path) -> dict[str, Any]:
    (script,) = page.glob("files-*/data.js")
    found: dict[str, Any] = json.loads(
        script.read_text(encoding="ascii").removeprefix("polyfuse.data = ").removesuffix(";\n")
    )
    return found


GIVEN = ("compare", "ir", "vi", "--fused", "1=one", "--fused", f"{ODD}=two")
CHEAP = ("--metrics", "CC,SCD", "--no-maps")


def test_page_shows_folders_and_models_with_their_scores(polyfuse: Runner, folders: Path) -> None:
    ran = polyfuse(*GIVEN, "--models", "average,maximum", *CHEAP, "-o", "page")
    assert (ran.code, ran.out) == (0, ["page/index.html"])
    data = data_of(folders / "page")
    assert data["methods"] == ["1", ODD, "average", "maximum"]
    assert [pair["name"] for pair in data["collections"][0]["pairs"]] == ["1", "2", ODD]
    assert sorted(metric["name"] for metric in data["metrics"]) == ["CC", "SCD"]
    assert all(len(pair["scores"]) == 4 for pair in data["collections"][0]["pairs"])
    assert [section["title"] for section in data["sections"]] == ["Means", "How this page was made"]


def test_json_tells_page_and_scores(polyfuse: Runner, folders: Path) -> None:
    ran = polyfuse(*GIVEN, *CHEAP, "-o", "page", "--json", "--quiet")
    document = json.loads("\n".join(ran.out))
    assert (document["page"], document["pairs"], document["methods"]) == ("page/index.html", 3, ["1", ODD])
    assert document["scores"]["protocol"] == "cddfuse"


def test_two_files_without_scores_in_one_file(polyfuse: Runner, folders: Path) -> None:
    ran = polyfuse(
        "compare", "ir/1.png", "vi/1.png", "--fused", "m=one/1.png", "--metrics", "none", "--one-file", "-o", "p"
    )
    assert ran.code == 0
    assert [path.name for path in (folders / "p").iterdir()] == ["index.html"]


def test_missing_pictures_stop_or_are_told(polyfuse: Runner, folders: Path) -> None:
    (folders / "one" / "2.png").unlink()
    ran = polyfuse(*GIVEN, *CHEAP, "-o", "page")
    assert ran.code == 3
    assert "lacks 1 of 3 fused pictures (2)" in ran.problem
    assert not (folders / "page").exists()
    ran = polyfuse(*GIVEN, *CHEAP, "-o", "page", "--on-error", "skip")
    assert ran.code == 1
    pairs = data_of(folders / "page")["collections"][0]["pairs"]
    assert [len(pair["fused"]) for pair in pairs] == [2, 1, 2]
    assert "holds no picture named 2" in pairs[1]["note"]


@pytest.mark.parametrize("metrics", [CHEAP, ("--metrics", "none")])
def test_damaged_pictures_are_left_out_where_that_is_asked_for(
    polyfuse: Runner, folders: Path, metrics: tuple[str, ...]
) -> None:
    (folders / "one" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folders / "ir" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = polyfuse(*GIVEN, *metrics, "-o", "page", "--on-error", "skip")
    assert (ran.code, ran.out) == (1, ["page/index.html"])
    assert "could not be shown" in ran.err[-1]
    pairs = data_of(folders / "page")["collections"][0]["pairs"]
    assert [(pair["name"], pair["fused"]) for pair in pairs] == [("2", ["m1"]), (ODD, ["m0", "m1"])]


def test_other_sizes_are_one_line(polyfuse: Runner, folders: Path) -> None:
    write_picture(folders / "one" / "2.png", np.zeros((10, 10), np.uint8), overwrite=True)
    for metrics in (CHEAP, ("--metrics", "none")):
        ran = polyfuse(*GIVEN, *metrics, "-o", "page")
        assert ran.code == 3
        assert "is 10x10" in ran.problem
    assert not list(folders.glob("page/*"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("ir",), 2, "pass -o DIR"),
        (("ir", "vi", "one", "-o", "p"), 2, "3 paths are given"),
        (("ir", "vi", "--fused", "x", "-o", "p"), 3, "x"),
        (("ir", "vi", "--models", "averag", "-o", "p"), 2, "did you mean average"),
        (("ir", "vi", "--models", "average,average", "-o", "p"), 2, "names average twice"),
        (("ir", "vi", "--models", "average", "--metrics", "VIFF9", "-o", "p"), 2, "VIFF9"),
        (("ir", "vi", "--models", "average", "--fused", "average=one", "-o", "p"), 2, "another name"),
        (("ir", "vi", "--models", "average", "-o", "one/1.png"), 5, "is a file"),
        (("ir", "vi", "--fused", "x=one", "-o", "one"), 5, "is an input"),
        (("ir", "vi", "--frame", "a", "-o", "p"), 2, "--warp"),
        (("--choices", "one/1.png"), 3, "is no JSON"),
        (("ir", "vi", "--choices", "x.json"), 2, "drop the rest"),
    ],
)
def test_wrong_requests_are_one_line(
    polyfuse: Runner, folders: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    ran = polyfuse("compare", *arguments)
    assert ran.code == code
    assert words in ran.problem
    assert not (folders / "p").exists()


def test_choices_of_several_people_are_scored_together(polyfuse: Runner, tmp_path: Path) -> None:
    for person, chosen in (("x", "left"), ("y", "neither")):
        choices = [{"left": "one", "right": "two", "chosen": chosen}]
        text = json.dumps({"format": "polyfuse-choices", "choices": choices})
        (tmp_path / f"{person}.json").write_text(text, encoding="utf-8")
    ran = polyfuse("compare", "--choices", "x.json", "--choices", "y.json")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out] == ["method", "one", "two"]
    assert ran.out[1].split()[1:] == ["0.42", "1.60", "0.60", "1", "0", "1"]


def test_choices_that_are_given_twice_do_not_count_twice(polyfuse: Runner, tmp_path: Path) -> None:
    choices = [{"left": "one", "right": "two", "chosen": "left"}]
    for name in ("x.json", "copy.json"):
        (tmp_path / name).write_text(json.dumps({"format": "polyfuse-choices", "choices": choices}), encoding="utf-8")
    ran = polyfuse("compare", "--choices", "x.json", "--choices", "copy.json")
    assert ran.code == 3
    assert ran.problem == "copy.json holds the choices of x.json again: give each once."
