"""Published numbers stand in the columns of the same meaning."""

from pathlib import Path

import pytest

from polyfuse.downstream.published import find_published, published_document, with_published
from polyfuse.errors import UsageError
from polyfuse.evaluation.tables import Cell, Grid, GridColumn, Section

SEGMENTATION = Grid(
    tuple(GridColumn(name, name) for name in ("mIoU ↑", "Δ better source", "mAcc ↑", "person", "car")),
    (Section("", (("infrared", tuple(Cell("1") for _ in range(5))),)),),
    (),
)


def test_segmentation_goes_by_class_and_mean() -> None:
    tables, notes = find_published(["smfnet"], "segmentation", None, Path("MFNet/test"))
    grid = with_published(SEGMENTATION, tables)
    assert grid.sections[1].title == "published (SMFNet, Table 3, MFNet)"
    cells = dict(grid.sections[1].rows)["DeFusion"]
    assert [cell.text for cell in cells] == ["0.339", "", "0.624", "0.415", "0.673"]
    assert all(not cell.mark for cell in cells)
    assert any("neither ranked nor marked" in note for note in notes)
    assert published_document(tables)[0]["rows"]["DeFusion"]["mIoU"] == "0.339"


def test_without_papers_a_table_stays_as_it_is() -> None:
    assert find_published([], "detection", None, Path("x")) == ((), ())
    assert with_published(SEGMENTATION, ()) == SEGMENTATION


@pytest.mark.parametrize(
    ("papers", "task", "dataset", "problem"),
    [
        (["daefuse"], "segmentation", "MFNet", "DAE-Fuse prints no segmentation"),
        (["fnet"], "segmentation", "M3FD", "papers print segmentation for MFNet alone and this is M3FD"),
        (["fnet"], "detection", None, "the data set is not known"),
        (["swinfusion"], "detection", "M3FD", "there are no published rows"),
    ],
)
def test_what_does_not_compare_is_refused(papers: list[str], task: str, dataset: str | None, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        find_published(papers, task, dataset, Path("x"))  # type: ignore[arg-type]
