"""What a study measures of the networks themselves: DAE-Fuse's reconstructions and energies per band."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse import cli
from polyfuse.ablation import find_study
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.daefuse.measured import feature_bands, fused_bands, reconstruction
from polyfuse.families.daefuse.network import DAEFuseNetwork
from polyfuse.io import read_picture
from polyfuse.registry import load

TINY = {
    "size": "tiny", "shallow_channels": 8, "high_channels": [8, 8, 8, 8], "high_out": 8, "token_channels": 12,
    "depth": 1, "low_out": 8, "decoder_channels": 8, "decoder_blocks": 1,
}  # fmt: skip
BANDS = ["to 1/16", "to 1/8", "to 1/4", "above 1/4"]
PSNR = "reconstruction at the end of phase 1: PSNR"
ROWS = ["full", "cnn-only", "one-phase"]


@dataclass
class Stub:
    """A network whose reconstructions, and fused pictures, are the sources times a factor."""

    factor: float

    def reconstruct(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.factor * a, self.factor * b

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        return self.factor * a


def stub(factor: float) -> DAEFuseNetwork:
    return cast(DAEFuseNetwork, Stub(factor))


def planes() -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 1, 1, 40, 48, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return a, b


def test_reconstruction_by_hand() -> None:
    a, b = planes()
    measured = reconstruction(stub(0.5), a, b)
    errors = [float((x / 2).square().mean()) for x in (a, b)]
    by_hand = sum(-10 * torch.tensor(error, dtype=torch.float64).log10() for error in errors) / 2
    assert measured["PSNR"] == pytest.approx(float(by_hand), rel=1e-9)
    assert [measured[band] for band in BANDS] == pytest.approx([0.25] * 4, rel=1e-9)
    assert 0 < measured["SSIM"] < 1


def test_a_perfect_reconstruction_has_no_psnr_and_keeps_all() -> None:
    measured = reconstruction(stub(1.0), *planes())
    assert measured == pytest.approx({"SSIM": 1.0} | dict.fromkeys(BANDS, 1.0), rel=1e-9)


def test_energy_of_the_fused_picture_is_compared_with_the_mean_of_both() -> None:
    a, _ = planes()
    assert fused_bands(stub(1.0), a, 3 * a) == pytest.approx(dict.fromkeys(BANDS, 2 / 10), rel=1e-9)


@pytest.mark.parametrize(("branches", "names"), [("both", ["high", "low"]), ("cnn", ["high"]), ("vit", ["low"])])
def test_features_are_measured_of_the_branches_that_there_are(branches: str, names: list[str]) -> None:
    torch.manual_seed(0)
    small = {name: tuple(v) if isinstance(v, list) else v for name, v in TINY.items() if name != "size"}
    model = DAEFuse(DAEFuseConfig.of_size("tiny", branches=branches, **small)).eval()
    a, b = (x.float() for x in planes())
    with torch.no_grad():
        measured = feature_bands(model, a, b)
    assert list(measured) == [f"{name} {band}" for name in names for band in BANDS]
    for name in names:
        assert sum(measured[f"{name} {band}"] for band in BANDS) == pytest.approx(1, abs=1e-5)  # float32


Ablate = Callable[..., str]


@pytest.fixture
def ablate(
    write_recipe: Callable[..., Path],
    sources: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Ablate:
    """Run `polyfuse ablate daefuse` with one step a phase, the rows cnn-only and one-phase, and these options."""
    stages = [{"kind": "reconstruction", "steps": 1}, {"kind": "fusion", "steps": 1}]
    path = write_recipe(name="daefuse.test", family="daefuse", model=TINY, stages=stages)

    def run(*options: str) -> str:
        words = ["ablate", "daefuse", *map(str, sources), "-o", str(tmp_path / "study"), "--recipe", str(path)]
        words += ["--rows", "cnn-only,one-phase", "--seeds", "1", "--workers", "1", *options]
        capsys.readouterr()
        assert cli.run(words) == 0
        return capsys.readouterr().out

    return run


def test_study_measures_networks_at_the_end_of_the_stage_it_names(
    ablate: Ablate, tmp_path: Path, sources: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = {(line["row"], line["metric"]): line for line in csv.DictReader(io.StringIO(ablate("--format", "csv")))}
    study = find_study("daefuse")
    keys = [measures.key(column) for measures in study.measures for column in measures.columns]
    assert {(row, key) for row in ROWS for key in keys} <= set(lines)
    assert (lines["full", PSNR]["direction"], lines["full", PSNR]["protocol"]) == ("up", "")
    assert lines["one-phase", PSNR]["mean"] == ""
    assert lines["cnn-only", "energy of the features by band: low to 1/8"]["mean"] == ""
    assert float(lines["cnn-only", "energy of the features by band: high to 1/8"]["mean"]) > 0
    run = tmp_path / "study/full/seed0"
    assert float(lines["full", PSNR]["mean"]) == pytest.approx(
        psnr_of(run / "weights-reconstruction.safetensors", sources), rel=1e-5
    )
    assert psnr_of(run / "weights.safetensors", sources) != psnr_of(run / "weights-reconstruction.safetensors", sources)
    assert not (tmp_path / "study/one-phase/seed0/weights-reconstruction.safetensors").exists()

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*") if path.is_file()}
    text, markdown = ablate(), ablate("--format", "md")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*") if path.is_file()} == before
    assert [heading for heading in (measures.name for measures in study.measures) if heading not in text] == []
    assert [
        heading for heading in (measures.name for measures in study.measures) if f"| {heading} |" not in markdown
    ] == []

    document = json.loads(ablate("--json"))
    assert document["rows"][0]["measured"][PSNR]["mean"] == float(lines["full", PSNR]["mean"])
    assert document["rows"][2]["measured"][PSNR]["mean"] is None

    (run / "measures.json").write_text("{}", encoding="utf-8")
    (run / "weights-reconstruction.safetensors").unlink()
    assert json.loads(ablate("--json"))["rows"][0]["measured"][PSNR]["mean"] is None


def psnr_of(weights: Path, sources: tuple[Path, Path]) -> float:
    """Mean PSNR of the reconstructions of both pairs by these weights."""
    model, values = load("daefuse", weights=weights), []
    for name in ("0", "1"):
        arrays = [read_picture(folder / f"{name}.png").array for folder in sources]
        a, b = (torch.from_numpy(array / np.float32(255))[None, None] for array in arrays)
        with torch.no_grad():
            values.append(reconstruction(cast(DAEFuseNetwork, model), a, b)["PSNR"])
    return sum(values) / len(values)
