"""Networks of other people with their published weights: numbers and pictures of their programs (spec peers 0)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.families.auif import AUIF
from polyfuse.families.ifcnn import IFCNN
from polyfuse.families.spec import FusionModel
from polyfuse.io import read_picture
from polyfuse.registry import import_checkpoint, load

FILES = {
    "SeAFusion": "SeAFusion.pth",
    "IFCNN": "IFCNN-MAX.pth",
    "DenseFuse": "densefuse_gray.model",
    "MMDRFuse": "student.model",
    "AUIF": "",
    "TarDAL": "tardal.pt",
    "TarDAL++": "tardal++.pt",
}
"""File of each network in its folder; "" where the folder itself is imported."""
DECIMALS = 2e-6
"""The table of the specification has six decimals; the rest is the order of sums."""
NUMBERS: dict[tuple[str, str], tuple[float, float, float, tuple[float, ...], tuple[float, ...]]] = {
    ("SeAFusion", ""): (0.010569, 0.999909, 0.360317, (0.612254,), (0.120735,)),
    ("IFCNN", ""): (-0.018927, 1.104543, 0.308964, (0.503270, 0.493526, 0.496198), (0.004417, -0.002467, -0.009839)),
    ("DenseFuse", ""): (0.0, 254.907532, 68.493584, (114.94548,), (0.0,)),
    ("MMDRFuse", ""): (0.009095, 0.883403, 0.354932, (0.572507,), (0.019809,)),
    ("AUIF", ""): (0.004997, 0.994078, 0.168588, (0.406768,), (0.005008,)),
    ("AUIF", "bases"): (-2.118338, 3.157475, -0.282068, (0.506626,), (-1.742458,)),
    ("AUIF", "details"): (-0.712842, -0.640742, -0.685367, (-0.695906,), (-0.688727,)),
    ("TarDAL", ""): (-0.568651, 1.000000, 0.337734, (0.489068,), (0.372287,)),
    ("TarDAL", "statistics=stored"): (-0.574193, 1.000000, 0.243429, (0.364540,), (0.357321,)),
    ("TarDAL++", ""): (-0.566618, 0.990932, 0.038510, (0.254917,), (0.228078,)),
}
"""TNO 10: minimum, maximum, mean, values at (240, 320) and at (0, 0) of the network's output."""
PICTURES = [(name, "", "fused") for name in FILES]
PICTURES += [("IFCNN", "normalisation=imagenet", "fused_imagenet"), ("TarDAL", "statistics=stored", "fused_eval")]
QUICK = {"MMDRFuse": ("06", "10", "23")}
"""Networks that are fast enough for every run of the tests, and their pairs; the others are slow tests."""


def slow(name: str, stem: str) -> tuple[pytest.MarkDecorator, ...]:
    return () if stem in QUICK.get(name, ()) else (pytest.mark.slow,)


@pytest.fixture(scope="module")
def published(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], FusionModel]:
    """`(name, choice) -> model` with imported weights; a choice is "" or KEY=VALUE."""
    folder, peers = tmp_path_factory.mktemp("peers"), shared_dir / "reference" / "peers"
    if not peers.is_dir():
        pytest.skip("the reference folder has no checkpoints of other people")

    def build(name: str, choice: str) -> FusionModel:
        family, weights = name.lower().rstrip("+"), folder / f"{name}.safetensors"
        if not weights.exists():
            import_checkpoint(family, peers / name / FILES[name], weights)
        config = dict([choice.split("=")]) if "=" in choice else {}
        return load("auto", weights=weights, config=config)

    return build


@pytest.fixture(scope="module")
def pair(shared_dir: Path) -> Callable[[str], tuple[Tensor, Tensor]]:
    """`stem -> (infrared, visible)` of a pair of TNO, (1, 1, H, W) in [0, 1]."""

    def read(stem: str) -> tuple[Tensor, Tensor]:
        paths = (shared_dir / "data" / "tno" / "test" / side / f"{stem}.png" for side in ("ir", "vi"))
        a, b = (torch.from_numpy(read_picture(path).array / np.float32(255))[None, None] for path in paths)
        return a, b

    return read


def raw_of(model: FusionModel, a: Tensor, b: Tensor, part: str) -> Tensor:
    """What the table of the specification is about."""
    with torch.inference_mode():
        if isinstance(model, AUIF) and part in ("bases", "details"):
            index = ("bases", "details").index(part)
            return model.split(a)[index] + model.split(b)[index]
        if isinstance(model, IFCNN):
            return model.planes(a, b)
        return model(a, b) * (255 if model.spec.family == "densefuse" else 1)


@pytest.mark.parametrize(("name", "part"), [pytest.param(*key, marks=slow(key[0], "10")) for key in NUMBERS])
def test_output_has_the_numbers_of_the_specification(name: str, part: str, published, pair) -> None:
    a, b = pair("10")
    raw = raw_of(published(name, part), a, b, part)
    low, high, mean, middle, corner = NUMBERS[name, part]
    scale = max(1.0, high)
    found = (raw.min(), raw.max(), raw.double().mean(), *raw[0, :, 240, 320], *raw[0, :, 0, 0])
    assert [float(value) for value in found] == pytest.approx([low, high, mean, *middle, *corner], abs=DECIMALS * scale)


def stretched(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return (plane - plane.min()) / (plane.max() - plane.min())


def written(model: FusionModel, a: Tensor, b: Tensor) -> NDArray[Any]:
    """The grey levels that the published program writes of what the network gives, (H, W)."""
    raw = raw_of(model, a, b, "")[0].numpy()
    match model.spec.family:
        case "ifcnn":
            red, green, blue = (raw.clip(0, 1) * 255).astype(np.uint8).astype(int)
            return (4899 * red + 9617 * green + 1868 * blue + 8192) // 16384
        case "seafusion":
            return np.floor(stretched(raw[0].clip(0, 1)) * 255)
        case "densefuse":
            return np.floor(raw[0].clip(0, 255))
        case "mmdrfuse":
            return np.floor(stretched(raw[0]) * 255 + 0.5)
        case "auif":
            return np.rint(raw[0] * 255)
        case _:
            return np.floor(raw[0].clip(0, 1) * 255)


@pytest.mark.parametrize(
    ("name", "choice", "prefix", "stem"),
    [pytest.param(*row, stem, marks=slow(row[0], stem)) for row in PICTURES for stem in ("06", "10", "23")],
)
def test_picture_is_that_of_the_published_program(
    name: str, choice: str, prefix: str, stem: str, published, pair, shared_dir: Path
) -> None:
    ours = written(published(name, choice), *pair(stem)).astype(int)
    reference = read_picture(shared_dir / "reference" / "peers" / name / f"{prefix}_{stem}.png").array
    difference = np.abs(ours - reference)
    print(f"{name} {choice} {stem}: at most {difference.max()}, {np.count_nonzero(difference)} of {difference.size}")
    # the last bits of float32 decide where a value lies on the border of two levels
    assert difference.max() <= 1
    assert np.count_nonzero(difference) < 1e-3 * difference.size
