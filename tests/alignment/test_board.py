"""Warps through a board that both cameras see."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse.alignment.board import parse_board, warp_of_boards
from polyfuse.alignment.canvas import projected, resized, sampled, scaling
from polyfuse.errors import InputError, UsageError

TRUTH = np.array([[2.1, 0.05, 30], [-0.04, 2.0, 20], [1e-5, 2e-5, 1]])


def seen(circles: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A board as two cameras see it, the first reversed and of half the size."""
    rows, columns = np.indices((480, 640))
    board = (rows >= 80) & (rows < 380) & (columns >= 120) & (columns < 525)
    if circles:
        board &= rows >= 110
        dark = board & (((columns - 120) % 45 - 22) ** 2 + ((rows - 110) % 45 - 22) ** 2 < 15**2)
    else:
        dark = board & (rows < 360) & (columns < 520) & ((columns // 40 + rows // 40) % 2 == 1)
    plane = np.where(dark, 20, 235).astype(np.float32)
    half = resized(torch.from_numpy(plane)[None, None], (240, 320))
    a = 255 - sampled(half, scaling((640, 480), (320, 240)) @ TRUTH, (240, 320))[0][0, 0].numpy()
    return np.rint(a).astype(np.uint8), plane.astype(np.uint8)


@pytest.mark.parametrize("circles", [False, True])
def test_board_gives_the_warp(circles: bool) -> None:
    pytest.importorskip("cv2")
    a, b = seen(circles)
    warp = warp_of_boards([("one", a, b)], (9, 6), circles=circles)
    x, y = np.meshgrid([60.0, 230], [60.0, 160])
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    # corners are found to a quarter of a's pixels, of which b has two for one
    assert projected(warp.matrix, points) == pytest.approx(projected(TRUTH, points), abs=0.6)
    assert warp.details["points"] == 54


def test_pictures_without_the_board_are_named() -> None:
    pytest.importorskip("cv2")
    a, b = seen(False)
    with pytest.raises(InputError, match=r"no board of 9x6 inner corners is found in two \(b\)"):
        warp_of_boards([("one", a, b), ("two", a, np.zeros_like(b))], (9, 6))


@pytest.mark.parametrize("text", ["9", "9x", "2x6", "9x99", "axb", "", "9x6x2"])
def test_bad_boards_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no board"):
        parse_board(text)
