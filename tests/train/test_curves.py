"""The curves and TensorBoard's file show what the log holds."""

from pathlib import Path

import pytest

from polyfuse.io import read_picture
from polyfuse.train.curves import draw_curves
from polyfuse.train.journal import Journal

pytest.importorskip("matplotlib")


def test_curves_of_a_stage_become_a_picture(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    for step in (1, 2):
        journal.write("log", "fusion", step, {"total": 2.0 / step, "norm.fuser": 1.0, "rate": 1e-4, "seconds": step})
    journal.write("val", "fusion", 2, {"total": 1.0})
    assert draw_curves(tmp_path) == tmp_path / "curves.png"
    assert read_picture(tmp_path / "curves.png").width > 300


def test_notes_have_a_row_of_their_own(tmp_path: Path) -> None:
    heights = []
    for stage, notes in (("plain", {}), ("game", {"maker.note.share": -0.1})):
        journal = Journal(tmp_path, 0)
        journal.write("log", stage, 1, {"total": 2.0, "norm.fuser": 1.0, "rate": 1e-4, **notes, "seconds": 1})
        draw_curves(tmp_path)
        heights.append(read_picture(tmp_path / "curves.png").array.shape[0])
    assert heights == [900, 1200]


def test_folder_without_a_log_has_no_curves(tmp_path: Path) -> None:
    assert draw_curves(tmp_path) is None


def test_a_damaged_log_of_validation_is_left_out(tmp_path: Path) -> None:
    Journal(tmp_path, 0).write("log", "fusion", 1, {"total": 2.0, "norm": 1.0, "rate": 1e-4, "seconds": 1})
    (tmp_path / "val-fusion.csv").write_text("stxp,total\n2,0.5\n")
    assert draw_curves(tmp_path) == tmp_path / "curves.png"


def test_no_label_leaves_the_picture(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    for step in (50, 60):
        journal.write("log", "fusion", step, {"total": 6.0, "norm.fuser": 660 - 10 * step, "rate": 3e-6 * step})
    draw_curves(tmp_path)
    array = read_picture(tmp_path / "curves.png").array
    assert all((edge == 255).all() for edge in (array[0], array[-1], array[:, 0], array[:, -1]))
