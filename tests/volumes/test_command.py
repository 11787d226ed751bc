"""`polyfuse fuse` of volumes, from arguments to files."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.studies import find_studies, parse_marks

FAST = ("--model", "average")


def test_two_nifti_files_become_one(polyfuse, ball, tmp_path):
    ball(tmp_path / "x_CT.nii.gz", tmp_path / "x_PT.nii.gz")
    code, out, err = polyfuse("fuse", "x_CT.nii.gz", "x_PT.nii.gz", *FAST)
    assert (code, out) == (0, ["fused.nii.gz"])
    assert any("flicker" in line for line in err)
    assert nibabel.load(tmp_path / "fused.nii.gz").shape == (10, 9, 5)  # type: ignore[attr-defined]
    assert (tmp_path / "fused.nii.gz.json").exists()


def test_the_default_model_is_that_of_brains_and_is_said(polyfuse, ball, tmp_path):
    ball(tmp_path / "a_CT.nii", tmp_path / "b_PT.nii")
    code, _, err = polyfuse("fuse", "a_CT.nii", "b_PT.nii", "-o", "out.nii", "--three-d")
    assert code == 0
    record = json.loads((tmp_path / "out.nii.json").read_text())
    assert record["settings"]["model"] == "laplacian"
    code, _, err = polyfuse("fuse", "a_CT.nii", "b_PT.nii", "-o", "o2.nii", "--three-d", "--model", "average")
    assert code == 2
    assert "laplacian alone" in err[0]


def test_activity_before_anatomy_is_told_and_no_model_for_roads_is_advised(polyfuse, ball):
    ball(Path("x_CT.nii"), Path("x_PT.nii"))
    code, _, err = polyfuse("fuse", "x_PT.nii", "x_CT.nii", "-o", "wrong.nii")
    assert (code, [line for line in err if "--swap exchanges them" in line]) == (
        0,
        ["x_PT: a is PT and b CT: a gives the grid and b the colour, so --swap exchanges them"],
    )
    code, _, err = polyfuse("fuse", "x_PT.nii", "x_CT.nii", "-o", "right.nii", "--swap")
    assert (code, any("exchanges" in line for line in err)) == (0, False)


def test_a_volume_without_background_is_not_sent_to_a_model_for_roads(polyfuse, write_nifti):
    plane = np.linspace(100, 900, 40 * 36 * 5).reshape(40, 36, 5).astype(np.float32)
    for name in ("a_T1w.nii", "b_T2w.nii"):
        write_nifti(Path(name), plane, np.diag([2.0, 2, 3, 1]))
    code, _, err = polyfuse("fuse", "a_T1w.nii", "b_T2w.nii", "-o", "out.nii", "--range", "0,900", "--range-b", "0,900")
    assert (code, any("pyrfuse.road" in line for line in err)) == (0, False)


def test_folders_of_dicom_become_dicom(polyfuse, write_series, tmp_path, body):
    shared = {"study": pydicom.uid.generate_uid(), "reference": pydicom.uid.generate_uid()}
    for name, modality in (("ct", "CT"), ("pet", "PT")):
        values = np.rint(1000 * body((10, 9, 5), np.diag([2.0, -2, 3, 1]))).astype(np.int16)
        write_series(tmp_path / name, values, np.diag([2.0, -2, 3, 1]), modality, **shared)
    code, out, err = polyfuse("fuse", "ct", "pet", "-o", "out/", *FAST, "--montage")
    assert (code, out) == (0, ["out/ct.dcm"])
    assert any("--deidentify" in line for line in err)
    assert (tmp_path / "out" / "ct.dcm.montage.png").exists()
    code, out, _ = polyfuse("fuse", "ct", "pet", "-o", "slices/", "--suffix", "png", *FAST)
    assert (code, out) == (0, ["slices"])
    assert len(list((tmp_path / "slices").glob("slice_*.png"))) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("x_CT.nii",), 2, "no partner"),
        (("x_CT.nii", "x.png"), 2, "is none"),
        (("x_CT.nii", "gone.nii"), 3, "does not exist"),
        (("x_CT.nii", "gone/"), 3, "gone does not exist"),
        (("x_CT.nii", "x_CT.nii"), 2, "is given for both sides"),
        (("x_CT.nii", "x_PT.nii", "--warp", "w.json"), 3, "w.json cannot be read"),
        (("x_CT.nii", "x_PT.nii", "--warp", "w.json", "--register"), 2, "drop one of them"),
        (("x_CT.nii", "x_PT.nii", "--register"), 3, "too few to register"),
        (("x_CT.nii", "x_PT.nii", "--resize", "a"), 2, "--resize has no meaning"),
        (("x_CT.nii", "x_PT.nii", "--temporal", "flow"), 2, "--across"),
        (("x_CT.nii", "x_PT.nii", "-o", "out.png"), 2, "suffix"),
        (("x_CT.nii", "x_PT.nii", "--window", "wide"), 2, "wide"),
        (("x_CT.nii", "x_PT.nii", "--across", "flow"), 2, "exponential"),
        (("x.png", "y.png", "--window", "bone"), 2, "--window is for medical volumes"),
        (("x.png", "y.png", "--volume", "0"), 2, "--volume is for medical volumes"),
        (("x_CT.nii", "x_PT.nii", "--volume", "-1"), 2, ""),
        (("x_CT.nii", "--pair", "CT"), 2, "no two kinds"),
        (("x_CT.nii", "--pair", "CT,PT"), 2, "no folder"),
        (("empty", "--pair", "CT,PT"), 3, "no volumes marked"),
    ],
)
def test_wrong_arguments_are_one_line_with_the_code_of_their_kind(polyfuse, ball, tmp_path, arguments, code, words):
    ball(tmp_path / "x_CT.nii", tmp_path / "x_PT.nii")
    for name in ("x.png", "y.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.iterdir())
    given, _, err = polyfuse("fuse", *arguments, *FAST)
    assert given == code, err
    problems = [line for line in err if line.startswith("polyfuse: ")]
    assert len(problems) == 1
    assert words in problems[0]
    assert sorted(tmp_path.iterdir()) == before


def test_pictures_are_fused_as_before(polyfuse, tmp_path):
    from PIL import Image

    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8), 100).save(tmp_path / name)
    assert polyfuse("fuse", "a.png", "b.png", "-o", "c.png", *FAST)[:2] == (0, ["c.png"])


LAYOUTS = [
    ("CT,PT", "case1_CT.nii.gz", "case1_PT.nii.gz", "case1"),
    ("T1w,pet", "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/pet/sub-01_pet.nii.gz", "sub-01"),
    ("T1w,pet", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", "sub-01/ses-2/pet/sub-01_ses-2_pet.nii.gz",
     "sub-01/ses-2/sub-01_ses-2"),
    ("ct,pet", "7/CT.nii.gz", "7/PET.nii.gz", "7"),
    ("CT,PT", "7/CT/x.nii", "7/PET/x.nii", "7/x"),
]  # fmt: skip


@pytest.mark.parametrize(("marks", "one", "other", "name"), LAYOUTS)
def test_studies_are_found_in_the_layouts_that_people_have(tmp_path, marks, one, other, name):
    for path in (one, other, "notes.txt", "case9_FLAIR.nii.gz"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    (study,) = find_studies(tmp_path, parse_marks(marks))
    assert (study.name, study.error) == (name, None)
    assert (study.pair.a, study.pair.b) == (tmp_path / one, tmp_path / other)


def test_dicom_studies_are_found_by_their_uids(tmp_path, write_series):
    affine, values = np.diag([2.0, -2, 3, 1]), np.ones((4, 4, 2), np.int16)
    for number in (1, 2):
        study = pydicom.uid.generate_uid()
        for modality in ("CT", "PT"):
            write_series(tmp_path / f"p{number}" / modality, values, affine, modality, study=study)
    write_series(tmp_path / "p3" / "CT", values, affine)
    studies = find_studies(tmp_path, ("CT", "PET"))
    assert [study.name for study in studies] == ["p1", "p2", "p3/CT"]
    assert [study.error is None for study in studies] == [True, True, False]
    assert "1 CT and no PET" in str(studies[2].error)


def broken(tmp_path, count):
    """Five ways in which studies of a folder are broken."""
    names = [f"case{number:03d}" for number in range(1, count + 1)]
    chosen = [names[index] for index in np.linspace(0, count - 1, 5).astype(int)]
    first, second, third, fourth, fifth = (tmp_path / "in" / name for name in chosen)
    content = first.with_name(f"{first.name}_CT.nii.gz").read_bytes()
    first.with_name(f"{first.name}_CT.nii.gz").write_bytes(content[: len(content) // 2])
    second.with_name(f"{second.name}_PT.nii.gz").unlink()
    third.with_name(f"{third.name}_PT.nii.gz").write_bytes(b"no volume")
    shutil.copy(fourth.with_name(f"{fourth.name}_CT.nii.gz"), tmp_path / "in" / f"{fourth.name}_CT.nii")
    image = nibabel.load(fifth.with_name(f"{fifth.name}_PT.nii.gz"))
    values = np.asanyarray(image.dataobj).copy()  # type: ignore[attr-defined]
    values[0, 0, 0] = np.nan
    nibabel.Nifti1Image(values, image.affine).to_filename(str(image.get_filename()))  # type: ignore[attr-defined]
    return chosen


@pytest.mark.parametrize("count", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_a_folder_of_studies_runs_unattended_with_five_broken(polyfuse, ball, tmp_path, count):
    for number in range(1, count + 1):
        ball(tmp_path / "in" / f"case{number:03d}_CT.nii.gz", tmp_path / "in" / f"case{number:03d}_PT.nii.gz")
    bad = broken(tmp_path, count)
    arguments = ("fuse", "in", "--pair", "CT,PT", "-o", "out", *FAST)
    code, out, err = polyfuse(*arguments, "--on-error", "skip")
    assert code == 1
    assert len(out) == count - 5
    assert all(any(line.startswith(f"{name}: ") for line in err) for name in bad)
    assert f"5 of {count} studies failed" in err[-1]
    results = {path.name for path in (tmp_path / "out").iterdir()}
    assert len(results) == 2 * (count - 5)
    assert not [name for name in results if any(name.startswith(broken_one) for broken_one in bad)]
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    code, out, _ = polyfuse(*arguments, "--on-error", "skip", "--resume")
    assert (code, len(out)) == (1, count - 5)
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_a_batch_stops_at_the_first_failure_unless_told_otherwise(polyfuse, ball, tmp_path):
    for name in ("a", "b"):
        ball(tmp_path / "in" / f"{name}_CT.nii", tmp_path / "in" / f"{name}_PT.nii")
    (tmp_path / "in" / "a_PT.nii").write_bytes(b"no volume")
    code, out, err = polyfuse("fuse", "in", "--pair", "CT,PT", "-o", "out", *FAST)
    assert (code, out) == (3, [])
    assert "0 of 2 studies are done" in err[-1]


def test_a_dry_run_lists_studies_and_writes_nothing(polyfuse, ball, tmp_path):
    ball(tmp_path / "in" / "a_CT.nii", tmp_path / "in" / "a_PT.nii")
    code, out, _ = polyfuse("fuse", "in", "--pair", "CT,PT", "-o", "out", "--dry-run")
    assert (code, out) == (0, ["in/a_CT.nii  +  in/a_PT.nii  ->  out/a.nii.gz"])
    assert not (tmp_path / "out").exists()


def test_options_are_checked_whoever_gives_them():
    from polyfuse.errors import UsageError

    for wrong in ({"window": "x"}, {"axis": "z"}, {"across": "flow"}, {"three_d": True, "across": "exponential"}):
        with pytest.raises(UsageError):
            VolumeOptions(**wrong)


def test_the_command_and_the_library_know_the_same_names():
    from polyfuse.cli import volume_options
    from polyfuse.volumes import colour_maps, windows

    assert windows.WINDOWS == volume_options.WINDOWS
    assert colour_maps.COLOUR_MAPS == volume_options.COLOUR_MAPS
