"""On a GPU every learned model gives the pictures of the CPU, and every family trains. Skipped where there is none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from polyfuse import registry
from polyfuse.data.layouts import PairSet
from polyfuse.data.pack import write_pack
from polyfuse.io import Pair, write_picture
from polyfuse.registry import list_models
from polyfuse.registry.catalogue import names_with
from polyfuse.train import load_recipe, train
from polyfuse.train.journal import read_log

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that CUDA can use")

BUNDLED = [entry.name for entry in list_models() if entry.weights is not None]
SMALL = {
    "fnet": {"coder": {"channels": 4, "kernel_size": 3, "iterations": 2}},
    "fnet-t": {"channels": 8, "depth": 2},
    "smfnet": {"channels": 8, "heads": 2, "base_blocks": 1, "depth": 1},
    "daefuse": {"size": "tiny"},
    "pyrfuse": {"levels": 3, "channels": 4, "context": 2},
    "pyrfuse-t": {"levels": 3, "channels": 4, "context": 2},
}
GREY_LEVEL = 1 / 255


@pytest.mark.parametrize("name", [*BUNDLED, "average", "maximum", "laplacian"])
def test_pictures_are_those_of_the_cpu(name: str) -> None:
    a, b = torch.rand(2, 1, 1, 75, 101, generator=torch.Generator().manual_seed(3))
    expected = registry.load(name)(a, b)
    found = registry.load(name, device="cuda")(a.cuda(), b.cuda()).cpu()
    assert (found - expected).abs().max() < GREY_LEVEL  # convolutions in TF32


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Four pairs of noise."""
    pairs = []
    for index, picture in enumerate(np.random.default_rng(5).integers(0, 256, (4, 2, 64, 64), dtype=np.uint8)):
        paths = [tmp_path / name / f"{index}.png" for name in "ab"]
        for path, plane in zip(paths, picture, strict=True):
            write_picture(path, plane)
        pairs.append(Pair(str(index), *paths))
    write_pack(tmp_path / "x.pack", [PairSet("noise", "train", tuple(pairs))], luma_b="full")
    return tmp_path / "x.pack"


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("family", names_with("training"))
def test_family_trains_and_its_weights_fuse_on_either_device(
    family: str, precision: str, pack: Path, tmp_path: Path
) -> None:
    if family in ("pyrfuse", "pyrfuse-t") and precision != "float32":
        pytest.skip("PyrFuse computes in float32 alone")
    kinds = ("fusion",) if family in ("fnet-t", "pyrfuse", "pyrfuse-t") else ("reconstruction", "fusion")
    recipe = {
        "name": f"{family}.test",
        "family": family,
        "model": SMALL[family],
        "precision": precision,
        "data": {"train": str(pack), "val": str(pack), "luma": "full", "batch": 4, "crop": {"size": 32}},
        "stages": [{"kind": kind, "steps": 4, "optimiser": {"rate": 1e-3, "clip": 1.0}} for kind in kinds],
        "rhythm": {"log_every": 2, "validation_crop": 32},
    }
    (tmp_path / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    loaded = load_recipe(tmp_path / "recipe.json")
    weights, *_ = train(loaded, tmp_path / "run", device="cuda", workers=1)
    train(loaded, tmp_path / "eager", device="cuda", graphs=False)
    totals = [read_log(tmp_path / run / "val-fusion.csv")["total"] for run in ("run", "eager")]
    assert totals[0] == pytest.approx(totals[1], rel=0.01)  # atomic sums come in any order
    a, b = torch.rand(2, 1, 1, 40, 48, generator=torch.Generator().manual_seed(3))
    expected = registry.load(family, weights=weights)(a, b)
    found = registry.load(family, weights=weights, device="cuda")(a.cuda(), b.cuda()).cpu()
    assert (found - expected).abs().max() < GREY_LEVEL * expected.abs().max().clamp(min=1)  # FNet's is far from [0, 1]
