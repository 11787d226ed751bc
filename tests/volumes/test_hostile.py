"""Changed bytes of volumes end in one clear line or in a volume, never in anything else."""

import random
import shutil

import numpy as np
import pytest

from polyfuse.errors import PolyfuseError
from polyfuse.volumes.read import read_volume

AFFINE = np.diag([2.0, -2, 3, 1])
VALUES = np.arange(90, dtype=np.int16).reshape(6, 5, 3)


@pytest.fixture
def sources(tmp_path, write_nifti, write_series, write_enhanced):
    write_series(tmp_path / "series", VALUES, AFFINE, "PT", tags={"Units": "BQML"})
    return {
        "nifti": write_nifti(tmp_path / "a.nii", VALUES, AFFINE),
        "packed": write_nifti(tmp_path / "b.nii.gz", VALUES, AFFINE),
        "series": tmp_path / "series" / "im001.dcm",
        "enhanced": write_enhanced(tmp_path / "one" / "e.dcm", VALUES, AFFINE),
    }


def changed(content, rng):
    """Some bytes replaced, and perhaps the end cut off."""
    made = bytearray(content)
    for _ in range(rng.choice([1, 2, 8])):
        place = rng.randrange(min(len(made), 1600))
        made[place] = rng.randrange(256)
    return made[: rng.randrange(1, len(made))] if rng.random() < 0.2 else made


@pytest.mark.parametrize("kind", ["nifti", "packed", "series", "enhanced"])
@pytest.mark.parametrize("count", [25, pytest.param(1000, marks=pytest.mark.slow)])
def test_changed_bytes_are_one_line_or_a_volume(tmp_path, sources, kind, count):
    rng, source = random.Random(kind), sources[kind]
    content = source.read_bytes()
    if kind == "series":
        shutil.copytree(tmp_path / "series", tmp_path / "changed")
        target = tmp_path / "changed" / source.name
    else:
        target = tmp_path / f"changed_{source.name}"
    for _ in range(count):
        target.write_bytes(changed(content, rng))
        message = ""
        try:
            assert np.isfinite(read_volume(target).loaded()).all()
        except PolyfuseError as error:
            message = str(error)
        assert "\n" not in message
