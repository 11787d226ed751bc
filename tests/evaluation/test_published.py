"""Published rows are those of the tables, and appear only where they compare."""

import csv
from pathlib import Path

import pytest

from polyfuse.errors import UsageError
from polyfuse.evaluation.published import (
    PAPERS,
    find_dataset,
    find_paper,
    guess_dataset,
    published_results,
    published_rows,
    published_tables,
    published_variants,
)
from polyfuse.metrics import PROTOCOLS


def test_rows_are_those_of_the_transcribed_tables(shared_dir: Path) -> None:
    with (shared_dir / "spec/tables/all.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ours = published_rows()
    assert all(row in rows for row in {tuple(r.items()): r for r in ours}.values())
    wanted = {row["metric"] for row in ours}
    assert len(ours) == sum(row["metric"] in wanted and row["table"] != "T1-datasets" for row in rows) == 2562


def test_every_value_is_a_number() -> None:
    assert all(float(row["value"]) < 1000 for row in published_rows() if row["task"] != "cost")
    assert all(0 < float(row["value"]) < 1e6 for row in published_rows() if row["task"] == "cost")


def test_papers_print_detection_segmentation_and_costs() -> None:
    [fnet, smfnet, daefuse], notes = published_results(PAPERS, "detection", "M3FD")
    assert fnet.rows["FNet (ours)"]["mAP50:95"] == "0.620"
    assert smfnet.title == "published (SMFNet, Table 2, M3FD)"
    assert "mAP50" in daefuse.rows["DAE-Fuse (ours)"]
    assert len(notes) == 3
    assert all("trained" in note for note in notes)
    [masks, others], notes = published_results(PAPERS, "segmentation", find_dataset("mfnet"))
    assert masks.rows["FNet (ours)"]["mIoU"] == "0.780"
    assert "mAcc" in others.rows["SMFNet (ours)"]
    assert notes[-1] == "DAE-Fuse prints no segmentation for MFNet"
    [costs], notes = published_results(PAPERS, "cost")
    assert float(costs.rows["FNet (ours)"]["Params (K)"]) > 400
    assert notes[1:] == ["SMFNet prints no cost", "DAE-Fuse prints no cost"]


def test_tasks_do_not_mix_with_the_metrics_of_pictures() -> None:
    tables, notes = published_tables(PAPERS, find_dataset("M3FD"), "cddfuse")
    assert tables == []
    assert len(notes) == 3


def test_fnet_on_tno_under_cddfuse_has_four_metrics() -> None:
    [table], notes = published_tables(["fnet"], "TNO", "cddfuse")
    assert table.title == "published (FNet, Table I, TNO)"
    assert table.rows["FNet (ours)"] == {"MI": "2.57", "VIF": "0.80", "Qabf": "0.57", "SSIM": "1.05"}
    assert len(table.rows) == 13
    assert notes == []


def test_fnet_under_its_own_protocol_has_ce_and_qcb_too() -> None:
    [table], _ = published_tables(["fnet"], "RoadScene", "fnet")
    assert table.rows["FNet (ours)"]["CE"] == "1.81"
    assert table.rows["FNet (ours)"]["Qcb"] == "0.48"


def test_variants_of_a_method_are_a_table_of_their_own() -> None:
    table = published_variants("FNet", "TNO", "fnet")
    assert table is not None
    assert list(table.rows) == [*(f"AE{n}" for n in range(1, 16)), "FNet (ours)"]
    assert table.rows["AE14"] == {
        "MI": "2.38", "CE": "2.48", "VIF": "0.74", "Qabf": "0.51", "Qcb": "0.50", "SSIM": "1.03"
    }  # fmt: skip
    assert published_variants("FNet", "MSRS", "fnet") is None
    [compared], _ = published_tables(["fnet"], "TNO", "fnet")
    assert "AE14" not in compared.rows


def test_medical_sets_are_found_under_every_name() -> None:
    tables, _ = published_tables(["fnet", "smfnet", "daefuse"], find_dataset("mri_pet"), "cddfuse")
    assert [(table.paper, table.dataset) for table in tables] == [
        ("FNet", "PET-MRI"),
        ("SMFNet", "Harvard MRI-PET"),
        ("DAE-Fuse", "MRI-PET"),
    ]
    assert find_dataset("Harvard CT-MRI") == find_dataset("MRI-CT") == "MRI-CT"


def test_ag_of_smfnet_compares_with_its_own_protocol_only() -> None:
    [table], _ = published_tables(["smfnet"], "TNO", "cddfuse")
    assert "AG" not in table.rows["SMFNet (ours)"]
    [own], _ = published_tables(["smfnet"], "TNO", "smfnet")
    assert own.rows["SMFNet (ours)"] == {"AG": "7.2613"}


@pytest.mark.parametrize("protocol", sorted(set(PROTOCOLS) - {"cddfuse", "fnet", "smfnet"}))
def test_other_protocols_compare_with_nothing_and_say_so(protocol: str) -> None:
    tables, notes = published_tables(PAPERS, "TNO", protocol)
    assert tables == []
    assert len(notes) == 3


@pytest.mark.parametrize(("name", "paper"), [("FNet", "FNet"), ("daefuse", "DAE-Fuse"), ("SMFNET", "SMFNet")])
def test_paper_is_found_whatever_its_spelling(name: str, paper: str) -> None:
    assert find_paper(name) == paper


def test_unknown_paper_and_set_say_what_there_is() -> None:
    with pytest.raises(UsageError, match="fnet, smfnet, daefuse"):
        find_paper("cddfuse")
    with pytest.raises(UsageError, match="RoadScene"):
        find_dataset("roadscenes")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("x/tno/test/ir", "TNO"),
        ("x/mri_ct/test/ct", "MRI-CT"),
        ("MSRS-test/ir", "MSRS"),
        ("x/RoadScene_50/ir", "RoadScene"),
        ("x/tno_extra/ir", None),
        ("x/ir", None),
    ],
)
def test_set_is_guessed_from_a_folder_of_its_name(path: str, name: str | None) -> None:
    assert guess_dataset(Path(path)) == name
