"""A tiny data set and a tiny recipe, so that a run takes a second."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polyfuse.data.layouts import PairSet
from polyfuse.data.pack import write_pack
from polyfuse.io import Pair, write_picture
from polyfuse.registry.catalogue import FAMILIES, Family
from polyfuse.train import journal, loop
from polyfuse.train.stage import Training

TINY = {"coder": {"channels": 4, "kernel_size": 3, "iterations": 2}}
NETWORKS: dict[str, dict[str, Any]] = {
    "fnet": TINY,
    "fnet-t": {},
    "smfnet": {"channels": 8, "heads": 2, "base_blocks": 1, "depth": 1},
    "daefuse": {"size": "tiny"},
    "pyrfuse": {"levels": 3, "channels": 4, "context": 2},
    "pyrfuse-t": {"levels": 3, "channels": 4, "context": 2},
}


@pytest.fixture
def networks() -> dict[str, dict[str, Any]]:
    """Options of a small network of every family."""
    return NETWORKS


@pytest.fixture(autouse=True)
def plain_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without Matplotlib and TensorBoard, which take longer than all steps together."""
    monkeypatch.setattr(loop, "draw_curves", lambda folder: None)
    monkeypatch.setattr(journal, "_tensorboard", lambda folder, first_step: None)


@pytest.fixture
def add_training(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Training], None]:
    """Registers a family that can be trained and nothing else, for one test."""

    def add(name: str, training: Training) -> None:
        wing = ModuleType(f"made_up_{name}")
        wing.training = SimpleNamespace(TRAINING=training)  # type: ignore[attr-defined]
        for module, found in ((wing.__name__, wing), (f"{wing.__name__}.training", wing.training)):
            monkeypatch.setitem(sys.modules, module, found)
        row = Family(name, wing.__name__, "Model", "made up", "made up", has=("training",))
        monkeypatch.setitem(FAMILIES, name, row)

    return add


def noise_pack(folder: Path, side: int) -> Path:
    """Write a pack of three square pairs, and the folders a and b that it is made of; returns its path."""
    pairs = []
    for index, picture in enumerate(np.random.default_rng(5).integers(0, 256, (3, 2, side, side), dtype=np.uint8)):
        paths = [folder / name / f"{index}.png" for name in "ab"]
        for path, plane in zip(paths, picture, strict=True):
            write_picture(path, plane)
        pairs.append(Pair(str(index), *paths))
    write_pack(folder / "x.pack", [PairSet("noise", "train", tuple(pairs))], luma_b="full")
    return folder / "x.pack"


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of three pairs."""
    return noise_pack(tmp_path_factory.mktemp("pack"), 24)


@pytest.fixture(scope="session")
def large_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with pictures that have a middle 16 pixels from every border."""
    return noise_pack(tmp_path_factory.mktemp("large"), 44)


@pytest.fixture
def write_recipe(tmp_path: Path, pack: Path) -> Callable[..., Path]:
    """Write a recipe of both FNet stages, a few steps each, with changes; returns its path."""

    def write(name: str = "recipe.json", /, steps: int = 6, **changes: Any) -> Path:
        recipe = {
            "name": "fnet.test",
            "family": "fnet",
            "model": TINY,
            "ema": 0.9,
            "data": {"train": str(pack), "val": str(pack), "luma": "full", "batch": 2, "crop": {"size": 16}},
            "stages": [
                {"kind": "reconstruction", "steps": steps},
                {"kind": "fusion", "steps": steps, "optimiser": {"schedule": "cosine", "warmup": 2, "clip": 1.0}},
            ],
            "rhythm": {"log_every": 2, "validate_every": 3, "validation_crop": 16, "draw_every": 100},
        }
        (tmp_path / name).write_text(json.dumps(recipe | changes), encoding="utf-8")
        return tmp_path / name

    return write
