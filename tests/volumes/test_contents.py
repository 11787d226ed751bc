"""`polyfuse data inspect` of volumes: grid, unit and window, and nothing of the patient."""

import json
from pathlib import Path

import numpy as np
import pytest

from polyfuse.volumes.contents import contents


def test_a_series_is_told_without_the_patient(polyfuse, write_series, body):
    affine = np.diag([2.0, 2, 3, 1])
    stored = np.rint(1000 * body((10, 9, 5), affine)).astype(np.int16)
    write_series(Path("ct"), stored, affine, "CT", tags={"RescaleIntercept": -1000, "RescaleSlope": 1})
    code, out, _ = polyfuse("data", "inspect", "ct")
    text = "\n".join(out)
    assert code == 0
    assert "10x9x5 of 2x2x3 mm, towards RAS, fused in axial slices" in text
    assert f"-1000 to {stored.max() - 1000} HU" in text.replace(".0 ", " ")
    assert "-150 to 250 HU (soft)" in text
    assert not any(word in text for word in ("Doe-Do", "ID4711", "1970"))
    code, out, _ = polyfuse("data", "inspect", "ct", "--json")
    assert (code, json.loads("\n".join(out))["volume"]["modality"]) == (0, "CT")


def test_a_volume_without_a_modality_says_so_and_colour_has_no_window(polyfuse, write_nifti):
    write_nifti(Path("x.nii.gz"), np.arange(60, dtype=np.float32).reshape(5, 4, 3), np.diag([1.0, 1, 2, 1]))
    text = "\n".join(polyfuse("data", "inspect", "x.nii.gz")[1])
    assert "0 to 59 raw" in text
    assert "not known" in text
    write_nifti(Path("y.nii"), np.full((5, 4, 3, 3), 9, np.uint8), np.diag([1.0, 1, 2, 1]))
    assert "window" not in contents("y.nii")
    assert "colour, 8 bits" in "\n".join(polyfuse("data", "inspect", "y.nii")[1])


@pytest.mark.parametrize("option", [("-o", "parts"), ("--max-pixels", "9")])
def test_options_of_pictures_are_refused(polyfuse, write_nifti, tmp_path, option):
    write_nifti(Path("x.nii"), np.zeros((5, 4, 3), np.float32), np.diag([1.0, 1, 2, 1]))
    code, _, err = polyfuse("data", "inspect", "x.nii", *option)
    assert (code, "has no meaning for volumes" in err[-1]) == (2, True)
    assert not (tmp_path / "parts").exists()
