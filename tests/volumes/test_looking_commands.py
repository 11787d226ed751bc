"""`polyfuse compare` and `polyfuse evaluate` of volumes, from arguments to files."""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest

import polyfuse as package
from polyfuse.comparison.volumes import VolumeRequest, make_volume_page

SOURCES = ("x_CT.nii.gz", "x_PT.nii.gz")


def content_of(index: Path):
    """The data of a page, and the voxels of its volumes, (Z, Y, X) or (Z, Y, X, 3)."""
    script = next(index.parent.glob("files-*/data.js"))
    data = json.loads(script.read_text().removeprefix("polyfuse.data = ").removesuffix(";\n"))
    voxels = []
    for facts in data["volumes"]:
        _, _, _, packed, _ = (script.parent / f"{facts['key']}.js").read_text().split('"')
        values = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
        voxels.append(values.reshape(*data["grid"]["shape"][::-1], *((3,) if facts["channels"] == 3 else ())))
    return data, voxels


@pytest.fixture
def pair(tmp_path, ball):
    ball(*(tmp_path / name for name in SOURCES))


def test_fused_volumes_and_models_come_to_one_page(polyfuse, pair, tmp_path) -> None:
    assert polyfuse("fuse", *SOURCES, "-o", "f.nii.gz", "--model", "average")[0] == 0
    code, out, err = polyfuse("compare", *SOURCES, "--fused", "mine=f.nii.gz", "--models", "average", "-o", "page")
    assert (code, out) == (0, ["page/index.html"]), err
    data, (ct, pet, mine, model) = content_of(tmp_path / "page" / "index.html")
    assert [facts["name"] for facts in data["volumes"]] == ["CT", "PT", "mine", "average"]
    assert data["grid"]["spacing"] == [2, 2, 3]
    assert np.array_equal(mine, model)
    assert ct.max() > 100
    assert pet.max() == 255
    assert data["volumes"][1]["palette"]
    assert "script-src" in (tmp_path / "page" / "index.html").read_text()


def test_a_series_of_dicom_and_its_result_lie_on_one_another(polyfuse, write_series, body, tmp_path) -> None:
    shared = {"study": pydicom.uid.generate_uid(), "reference": pydicom.uid.generate_uid()}
    for name, modality in (("ct", "CT"), ("mr", "MR")):
        values = np.rint(1000 * body((10, 9, 5), np.diag([2.0, -2, 3, 1]))).astype(np.int16)
        write_series(tmp_path / name, values, np.diag([2.0, -2, 3, 1]), modality, **shared)
    assert polyfuse("fuse", "ct", "mr", "-o", "out.dcm", "--model", "maximum", "--window", "percentile")[0] == 0
    code, _, err = polyfuse("compare", "ct", "mr", "--fused", "f=out.dcm", "-o", "page")
    assert code == 0, err
    _, (ct, mr, fused) = content_of(tmp_path / "page" / "index.html")
    assert np.abs(fused.astype(int) - np.maximum(ct, mr)).max() <= 1  # rounded to 16 bits and then to 8


def test_a_large_volume_is_shown_with_fewer_voxels_and_the_page_says_so(tmp_path, pair) -> None:
    from polyfuse import registry

    a, b = (tmp_path / name for name in SOURCES)
    request = VolumeRequest(a, b, models={"average": registry.load("average")}, most_voxels=200)
    made = make_volume_page(request, tmp_path / "page")
    data, voxels = content_of(made.index)
    assert np.prod(data["grid"]["shape"]) <= 200
    assert any("shown as one" in note for note in data["notes"])
    assert voxels[1].max() > 100


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("compare", "x_CT.nii.gz", "-o", "p"), 2, "no partner"),
        (("compare", "x_CT.nii.gz", "x.png", "-o", "p"), 2, "is none"),
        (("compare", *SOURCES, "--models", "average"), 2, "-o DIR"),
        (("compare", *SOURCES, "--serve", "0"), 2, "--serve has no meaning"),
        (("compare", *SOURCES, "--one-file", "-o", "p"), 2, "--one-file has no meaning"),
        (("compare", *SOURCES, "--fused", "f=x_PT.nii.gz", "-o", "p"), 2, "as a source"),
        (("compare", *SOURCES, "--fused", "f=gone.nii", "-o", "p"), 3, "gone.nii does not exist"),
        (("compare", *SOURCES, "--fused", "average=y.nii", "--models", "average", "-o", "p"), 2, "another name"),
        (("compare", "x_CT.nii.gz", "cut.nii.gz", "--models", "average", "-o", "p"), 3, "cut off"),
        (("evaluate", "x.png", *SOURCES), 2, "is none"),
        (("evaluate", "y.nii", *SOURCES, "--shard", "1/2"), 2, "--shard has no meaning"),
        (("evaluate", "x_CT.nii.gz", *SOURCES), 2, "as a source"),
        (("evaluate", "gone.nii", *SOURCES), 3, "gone.nii does not exist"),
    ],
)
def test_wrong_arguments_are_one_line_and_nothing_is_left(polyfuse, pair, tmp_path, arguments, code, words) -> None:
    (tmp_path / "x.png").write_bytes(b"x")
    (tmp_path / "y.nii").write_bytes((tmp_path / "x_CT.nii.gz").read_bytes())
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "x_PT.nii.gz").read_bytes()[:-40])
    before = sorted(tmp_path.iterdir())
    given, _, err = polyfuse(*arguments)
    assert given == code, err
    problems = [line for line in err if line.startswith("polyfuse: ")]
    assert len(problems) == 1
    assert words in problems[0]
    assert sorted(tmp_path.iterdir()) == before


def test_slices_are_scored_as_their_pictures_are(polyfuse, write_nifti, tmp_path) -> None:
    grid, draw = np.diag([1.0, 1, 3, 1]), np.random.default_rng(3)
    volumes = {}
    for name in ("a", "b", "fused"):
        grey = draw.integers(0, 256, (24, 20, 4), np.uint8)
        if name != "fused":
            grey[:, :, 1] = 0  # a slice that shows nothing
        volumes[name] = grey
        write_nifti(tmp_path / f"{name}.nii.gz", np.repeat(grey[..., None], 3, axis=3), grid)
    code, out, err = polyfuse(
        "evaluate", "fused.nii.gz", "a.nii.gz", "b.nii.gz", "--metrics", "MI,EN", "--json", "--out", "sc", "--no-charts"
    )
    assert code == 0, err
    assert any("1 slice left out" in line for line in err)
    pictures = json.loads("\n".join(out))["per_picture"]
    assert [one["pair"] for one in pictures] == ["a/001", "a/003", "a/004"]
    for one, k in zip(pictures, (0, 2, 3), strict=True):
        turned = [np.ascontiguousarray(volumes[name][::-1, ::-1, k].T) for name in ("fused", "a", "b")]
        expected = package.evaluate(*turned, metrics=["MI", "EN"])
        assert one["values"] == pytest.approx(expected.values, rel=1e-6)
    summary = (tmp_path / "sc" / "summary.csv").read_text().splitlines()[1].split(",")
    assert summary[:3] == ["fused", "method", "MI"]
    assert summary[7:9] == ["nan", "nan"]  # one volume has no interval over volumes


def test_volumes_without_anything_to_see_are_refused(polyfuse, write_nifti, tmp_path) -> None:
    for name in ("a", "b", "fused"):
        write_nifti(tmp_path / f"{name}.nii", np.zeros((4, 4, 3), np.float32), np.eye(4))
    code, _, err = polyfuse("evaluate", "fused.nii", "a.nii", "b.nii")
    assert code == 3
    assert "no slice of a shows anything" in err[-1]
