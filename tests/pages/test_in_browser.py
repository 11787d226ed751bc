"""The page in a real browser, opened from disk: ways to compare, sorting, the blind test, nothing from outside."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from polyfuse.pages.preference import Choice, bradley_terry, read_choices

ODD = "<script>alert('x')</script>, |&% \"q\""


def names(tab: Any) -> list[str]:
    """Names of the cards in order."""
    return tab.locator(".card h3").all_text_contents()


def test_nothing_leaves_the_machine_and_nothing_is_complained_of(looking) -> None:
    looking.open_pair()
    for key in "wbfdslcn":
        looking.tab.keyboard.press(key)
        looking.settle()
    looking.tab.keyboard.press("Escape")
    assert [url for url in looking.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert looking.complaints == []


@pytest.mark.slow
def test_names_are_shown_as_they_are(looking) -> None:
    assert names(looking.tab) == ["one", ODD, "three"]
    assert ODD in looking.tab.locator("table").first.inner_text()
    assert looking.tab.locator("h1").inner_text() == "Drawn & looked at"


def test_wipe_moves_with_pointer_and_keys(looking) -> None:
    looking.open_pair()
    looking.tab.click("#mode-wipe")
    looking.shown("wipe")
    assert (looking.grey(0, 0.4), looking.grey(0, 0.6)) == (200, 150)  # visible on the left, the method on the right
    box = looking.tab.locator(".wipe-handle").bounding_box()
    stage = looking.tab.locator("#stage").bounding_box()
    middle = box["y"] + box["height"] / 2
    looking.tab.mouse.move(box["x"] + box["width"] / 2, middle)
    looking.tab.mouse.down()
    looking.tab.mouse.move(stage["x"] + 0.25 * stage["width"], middle, steps=4)
    looking.tab.mouse.up()
    looking.settle()
    assert (looking.grey(0, 0.2), looking.grey(0, 0.3)) == (200, 150)
    looking.tab.focus(".wipe-handle")
    looking.tab.keyboard.press("End")
    looking.settle()
    assert looking.grey(0, 0.9) == 200
    assert looking.tab.get_attribute(".wipe-handle", "aria-valuenow") == "100"


def test_zoom_and_place_are_locked(looking) -> None:
    looking.open_pair()
    before = looking.view()
    box = looking.tab.locator(".pane").nth(1).bounding_box()
    looking.tab.mouse.move(box["x"] + 10, box["y"] + 10)
    looking.tab.mouse.wheel(0, -1200)
    looking.settle()
    after = looking.view()
    assert after["zoom"] > 10 * before["zoom"]
    assert after["x"] < before["x"]
    # The corner that was pointed at in the second pane fills all panes: there nothing but the plain ground is.
    assert [looking.grey(pane, 0.9, 0.9) for pane in range(3)] == [40, 200, 150]


def test_sorting_by_a_metric_and_searching(looking) -> None:
    looking.tab.select_option("#sort", label="VIF")
    assert names(looking.tab) == ["three", ODD, "one"]
    looking.tab.click("#turn")
    assert names(looking.tab) == ["one", ODD, "three"]
    looking.tab.fill("#search", "thr")
    assert names(looking.tab) == ["three"]


@pytest.mark.slow
def test_table_sorts_by_its_headings(looking) -> None:
    heading = looking.tab.locator("section.report th button", has_text="VIF")
    heading.click()
    rows = looking.tab.locator("section.report tbody th").all_inner_texts()
    assert rows == [ODD, "bright", "none"]  # best first; what has no value stays last
    heading.click()
    assert looking.tab.locator("section.report tbody th").all_inner_texts() == ["bright", ODD, "none"]
    assert looking.tab.locator("section.report td.number").count() == 6  # with the one that has no value


@pytest.mark.slow
def test_numbers_that_are_shown_alike_are_best_alike(looking) -> None:
    rows = [["m0", 0.9351], ["m1", 0.9349], ["m2", 0.9344]]
    best = "(rows) => polyfuse.bestRows(rows, 1, { better: 'higher', digits: 3 }, [0, 1, 2])"
    assert looking.tab.evaluate(best, rows) == [0, 1]


def test_blind_test_hides_names_records_choices_and_scores_them_as_python_does(looking, tmp_path: Path) -> None:
    tab = looking.tab
    tab.click("#blind")
    tab.fill("#number", "7")
    tab.fill("#seed", "3")
    tab.click("#begin")
    for number, key in enumerate(["ArrowLeft", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowRight"]):
        tab.wait_for_selector(f'.blind[data-trial="{number}"]')
        shown = tab.locator(".blind").inner_text()
        assert "bright" not in shown
        assert "alert" not in shown
        tab.keyboard.press(key)
    tab.wait_for_selector('.blind[data-trial="6"]')
    tab.click("#choose-neither")
    tab.wait_for_selector("#choices-json")
    with tab.expect_download() as saved:
        tab.click("#choices-json")
    saved.value.save_as(tmp_path / "choices.json")
    document = json.loads((tmp_path / "choices.json").read_text(encoding="utf-8"))
    choices = read_choices(tmp_path / "choices.json")
    assert [choice.chosen for choice in choices] == ["left", "right", "neither", "left", "left", "right", "neither"]
    assert {choice.left for choice in choices} == {"bright", ODD}  # either may stand on the left
    assert document["seed"] == 3
    scores = {row["method"]: (row["score"], row["error"]) for row in document["scores"]}
    assert scores == {one.method: pytest.approx((one.score, one.error), abs=1e-9) for one in bradley_terry(choices)}


@pytest.mark.slow
def test_bradley_terry_of_page_and_of_python_agree(looking, rng) -> None:
    methods = ["x", "y", "z", "unbeaten", "é"]
    drawn = [rng.choice(methods, 2, replace=False) for _ in range(200)]
    chosen = rng.choice(["left", "right", "neither"], len(drawn), p=[0.5, 0.3, 0.2])
    choices = [
        Choice(str(left), str(right), "left" if left == "unbeaten" else "right" if right == "unbeaten" else how)
        for (left, right), how in zip(drawn, chosen, strict=True)
    ]
    plain = [{"left": one.left, "right": one.right, "chosen": one.chosen} for one in choices]
    found = looking.tab.evaluate("(choices) => polyfuse.bradleyTerry(choices)", plain)
    expected = bradley_terry(choices)
    assert [row["method"] for row in found] == [one.method for one in expected]
    for row, one in zip(found, expected, strict=True):
        assert (row["score"], row["error"], row["chance"]) == pytest.approx(
            (one.score, one.error, one.chance), abs=1e-9
        )
        assert (row["wins"], row["losses"], row["ties"]) == (one.wins, one.losses, one.ties)


@pytest.mark.slow
def test_pixel_values_are_those_of_the_files(looking) -> None:
    looking.open_pair()
    box = looking.tab.locator(".pane").nth(0).bounding_box()
    looking.tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    looking.settle()
    values = looking.tab.locator(".values .number").all_inner_texts()
    assert values == ["40", "200", "150"]


@pytest.mark.slow
def test_blend_flicker_and_difference_show_what_they_say(looking) -> None:
    looking.open_pair()
    looking.tab.keyboard.press("b")
    looking.shown("blend")
    assert looking.grey(0, 0.5) == pytest.approx(175, abs=1)  # half of 200 and half of 150, rounded by the browser
    looking.tab.keyboard.press("d")
    looking.shown("difference")
    assert looking.grey(0, 0.5) < 128  # the method is darker than the visible picture: blue
    looking.tab.keyboard.press("x")
    looking.shown("difference m0 b")
    assert looking.grey(0, 0.5) > 128  # exchanged: orange
    looking.tab.keyboard.press("f")
    looking.shown("flicker")
    looking.tab.click("#pause")
    shown = set()
    for _ in range(2):
        looking.tab.evaluate("() => polyfuse.viewer.flip()")
        looking.settle()
        shown.add(looking.grey(0, 0.5))
    assert shown == {200, 150}


@pytest.mark.slow
def test_lost_map_lies_over_the_picture(looking) -> None:
    looking.open_pair()
    before = looking.grey(2, 0.15, 0.3)
    looking.tab.keyboard.press("l")
    looking.settle()
    assert "orange" in looking.tab.locator(".legend").inner_text()
    looking.tab.keyboard.press("l")
    looking.settle()
    assert looking.grey(2, 0.15, 0.3) == before


@pytest.mark.slow
def test_no_map_is_promised_over_a_difference(looking) -> None:
    looking.open_pair()
    looking.tab.keyboard.press("l")
    looking.tab.keyboard.press("d")
    looking.shown("difference")
    assert looking.tab.locator(".legend").inner_text() == ""
    assert looking.tab.locator("#map").is_disabled()
    looking.tab.keyboard.press("w")
    looking.shown("wipe")
    assert "orange" in looking.tab.locator(".legend").inner_text()


@pytest.mark.slow
def test_a_page_copied_without_some_of_its_files_says_so(window, page: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(page.parent, tmp_path / "copy")
    (gone,) = copy.glob("files-*/0-0/m0.js")
    gone.unlink()
    look = window((1000, 700))
    look.open(copy / "index.html")
    look.tab.click(".card button.pictures >> nth=0")
    look.tab.wait_for_selector(".viewer .problem:not(:empty)")
    assert "m0.js is missing" in look.tab.locator(".viewer .problem").inner_text()
    shutil.rmtree(gone.parents[1])
    look.tab.goto((copy / "index.html").as_uri())
    assert "is missing: copy it along" in look.tab.locator(".problem").inner_text()


@pytest.mark.slow
def test_notes_are_kept_and_saved(looking, page: Path, tmp_path: Path) -> None:
    text = 'smoke, "thin"\n=1+1'
    looking.open_pair(1)
    looking.tab.fill("#note", text)
    looking.tab.check("#mark")
    with looking.tab.expect_download() as saved:
        looking.tab.click("#notes-csv")
    saved.value.save_as(tmp_path / "notes.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "notes.csv").read_bytes().decode())))
    assert rows == [["collection", "pair", "marked", "note"], ["drawn", ODD, "yes", text]]
    looking.open(page)  # loaded again: the browser remembers
    looking.tab.check("#marked")
    assert names(looking.tab) == [ODD]


@pytest.mark.slow
def test_every_control_has_a_name_and_the_keyboard_reaches_it(looking) -> None:
    unnamed = """() => [...document.querySelectorAll('button, select, input, textarea, img, [role]')]
        .filter((node) =>
        !(node.getAttribute('aria-label') || node.alt || node.textContent.trim() || node.labels?.length
          || ['status', 'list', 'listitem', 'alert'].includes(node.getAttribute('role'))))
        .map((node) => node.outerHTML)"""
    assert looking.tab.evaluate(unnamed) == []
    looking.tab.keyboard.press("/")
    assert looking.tab.evaluate("() => document.activeElement.id") == "search"
    looking.tab.focus(".card button")
    looking.tab.keyboard.press("Enter")
    looking.shown()
    looking.tab.keyboard.press("?")
    assert looking.tab.locator("#help").is_visible()
    looking.tab.keyboard.press("Escape")
    assert looking.tab.locator(".viewer").is_visible()
    looking.tab.keyboard.press("n")
    looking.shown("alert")
    looking.tab.keyboard.press("Escape")
    assert not looking.tab.locator(".viewer").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(360, 740), (1366, 768), (3840, 2160)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_size(window, page: Path, size: tuple[int, int], scheme: str) -> None:
    look = window(size, color_scheme=scheme)
    look.open(page)
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert look.tab.evaluate(wide) <= 0
    look.tab.evaluate("() => { document.querySelector('caption > span').textContent = 'word '.repeat(40); }")
    box = look.tab.locator("caption > span").bounding_box()
    assert box["x"] + box["width"] <= size[0]
    look.open_pair()
    look.tab.keyboard.press("w")
    look.shown("wipe")
    for selector in ("#close", "#mode-difference", "#map"):
        box = look.tab.locator(selector).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]
