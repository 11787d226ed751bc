"""The page of volumes in a real browser, opened from disk: scrolling, cross-hair, wipe, nothing from outside."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.errors import OutputError, UsageError
from polyfuse.pages.volumes import ShownVolume, VoxelGrid, write_volume_page

SHAPE = (20, 24, 16)
ODD = "<script>alert('x')</script>, |&% \"q\""


def shown(name: str, values: np.ndarray, **facts: Any) -> ShownVolume:
    return ShownVolume(name, lambda: (values[:, :, z] for z in range(values.shape[2])), values.ndim == 4, **facts)


def volumes() -> list[ShownVolume]:
    """a tells its place by its level, b is dark with a palette of green, the third is one colour."""
    x, y, z = np.indices(SHAPE)
    palette = np.stack([np.zeros(256), np.arange(256), np.zeros(256)], axis=1).astype(np.uint8)
    return [
        shown("a", (5 * x + 3 * y + 2 * z).astype(np.uint8), unit="HU", low=-150.0, high=250.0),
        shown("b", np.full(SHAPE, 90, np.uint8), palette=palette.tobytes()),
        shown(ODD, np.broadcast_to(np.array([200, 40, 10], np.uint8), (*SHAPE, 3))),
    ]


GRID = VoxelGrid(SHAPE, (2.0, 2.0, 3.0), [[-2, 0, 0, 19], [0, -2, 0, 23], [0, 0, -3, 24], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def volume_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    return write_volume_page(folder, "Drawn & turned", GRID, volumes(), notes=["a <b>note</b>"], command="polyfuse")


@pytest.fixture
def opened(tab_of_all: Any, volume_page: Path) -> Any:
    look = tab_of_all
    look.requests.clear()
    look.complaints.clear()
    look.open(volume_page)
    look.tab.wait_for_selector('#main[data-shown="all"]')
    look.settle()
    return look


def colour(look: Any, plane: str, across: float, down: float) -> list[int]:
    """What a plane shows at a place, in shares of its canvas; the cross-hair is in the way of the middle."""
    look.settle()
    script = """([plane, x, y]) => {
        const canvas = document.querySelector(`#plane-${plane} canvas`);
        const [left, top] = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
        return [...canvas.getContext('2d').getImageData(left, top, 1, 1).data].slice(0, 3);
    }"""
    found: list[int] = look.tab.evaluate(script, [plane, across, down])
    return found


def slices(look: Any) -> list[str]:
    look.settle()
    texts: list[str] = look.tab.locator(".scroller .number").all_inner_texts()
    return texts


def test_scrolling_changes_the_slice_and_its_pixels(opened) -> None:
    tab = opened.tab
    tab.select_option("#left", label="a")
    before = colour(opened, "axial", 0.3, 0.3)
    tab.locator("#plane-axial .pane").hover(position={"x": 60, "y": 60})
    tab.mouse.wheel(0, 120)
    tab.wait_for_function("() => document.querySelector('#plane-axial .number').textContent === '12 / 16'")
    assert slices(opened) == ["12 / 16", "13 / 24", "11 / 20"]
    assert colour(opened, "axial", 0.3, 0.3)[0] == before[0] + 2 * 3
    tab.locator("#plane-axial input").fill("0")
    assert slices(opened)[0] == "1 / 16"
    assert colour(opened, "axial", 0.3, 0.3)[0] == before[0] - 2 * 8


def test_a_click_or_a_key_moves_the_cross_hair_in_all_planes(opened) -> None:
    tab = opened.tab
    box = tab.locator("#plane-axial canvas").bounding_box()
    tab.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    x, y, z = tab.evaluate("() => polyfuse.page.cross")
    assert (y, z) == (12, 8)
    assert x < 6
    assert slices(opened) == ["9 / 16", "13 / 24", f"{x + 1} / 20"]
    level = 5 * x + 3 * y + 2 * z
    values = tab.locator("#values .number").all_inner_texts()
    assert values == [f"\u2248 {-150 + 400 * level / 255:.0f} HU", "90", "200 40 10"]
    assert tab.locator("#place").inner_text() == f"{19 - 2 * x:.1f} mm right, 1.0 mm posterior, 0.0 mm superior"
    tab.locator("#plane-coronal .pane").focus()
    for key in ("ArrowRight", "ArrowDown", "PageDown", "Shift+ArrowDown"):
        tab.keyboard.press(key)
    assert tab.evaluate("() => polyfuse.page.cross") == [x + 1, 13, 15]
    assert slices(opened) == ["16 / 16", "14 / 24", f"{x + 2} / 20"]


def test_the_wipe_moves_in_all_planes_by_pointer_and_keys(opened) -> None:
    tab = opened.tab
    for plane in ("axial", "coronal", "sagittal"):
        assert colour(opened, plane, 0.4, 0.4) == [0, 90, 0]
        assert colour(opened, plane, 0.6, 0.4) == [200, 40, 10]
    pane = tab.locator("#plane-axial .pane").bounding_box()
    handle = tab.locator("#plane-axial .wipe-handle").bounding_box()
    grip = handle["y"] + handle["height"] - 20
    tab.mouse.move(handle["x"] + handle["width"] / 2, grip)
    tab.mouse.down()
    tab.mouse.move(pane["x"] + 0.75 * pane["width"], grip, steps=4)
    tab.mouse.up()
    for plane in ("axial", "coronal", "sagittal"):
        assert colour(opened, plane, 0.6, 0.4) == [0, 90, 0]
    assert tab.evaluate("() => polyfuse.page.cross") == [10, 12, 8]  # the handle is not the picture
    tab.focus("#plane-coronal .wipe-handle")
    tab.keyboard.press("Home")
    assert colour(opened, "sagittal", 0.3, 0.4) == [200, 40, 10]
    tab.locator("#plane-axial .pane").focus()
    tab.keyboard.press("x")
    assert colour(opened, "sagittal", 0.3, 0.4) == [0, 90, 0]


def test_nothing_leaves_the_machine_and_names_are_shown_as_they_are(opened) -> None:
    tab = opened.tab
    for key in ["1", "2", "3", "0", "c", "s", "]", "[", ",", ".", "?", "Escape"]:
        tab.keyboard.press(key)
        opened.settle()
    assert tab.locator("#values .name").all_inner_texts() == ["a", "b", ODD]
    assert tab.locator("h1").inner_text() == "Drawn & turned"
    assert "a <b>note</b>" in tab.locator("details").first.text_content()
    assert [url for url in opened.requests if not url.startswith("file:")] == []
    assert opened.complaints == []


@pytest.mark.slow
def test_a_phone_shows_the_planes_below_one_another_and_does_not_scroll_sideways(window, volume_page) -> None:
    look = window((390, 844), has_touch=True, color_scheme="dark")
    look.open(volume_page)
    look.tab.wait_for_selector('#main[data-shown="all"]')
    boxes = [box.bounding_box() for box in look.tab.locator(".plane").all()]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[1]["y"] > boxes[0]["y"] + boxes[0]["height"] - 1
    assert look.tab.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert look.tab.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 22)"


@pytest.mark.slow
def test_a_page_without_its_folder_says_so(tab_of_all, volume_page, tmp_path) -> None:
    alone = tmp_path / "index.html"
    alone.write_bytes(volume_page.read_bytes())
    tab_of_all.tab.goto(alone.as_uri())
    assert "is missing" in tab_of_all.tab.locator(".problem").inner_text()


def test_names_are_there_once_and_a_page_is_replaced_when_asked(tmp_path: Path) -> None:
    one, *rest = volumes()
    with pytest.raises(UsageError, match="two at least"):
        write_volume_page(tmp_path, "one", GRID, [one])
    with pytest.raises(UsageError, match="a is there twice"):
        write_volume_page(tmp_path, "twice", GRID, [one, *rest, one])
    assert list(tmp_path.iterdir()) == []
    write_volume_page(tmp_path, "first", GRID, [one, *rest])
    with pytest.raises(OutputError, match="--overwrite"):
        write_volume_page(tmp_path, "second", GRID, [one, *rest])
    write_volume_page(tmp_path, "second", GRID, [one, *rest], overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2
