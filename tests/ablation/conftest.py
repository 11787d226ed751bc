"""A tiny pack, tiny pictures and a tiny recipe, so that a whole study takes seconds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.data.layouts import PairSet
from polyfuse.data.pack import write_pack
from polyfuse.io import Pair, write_picture
from polyfuse.train import Recipe, journal, load_recipe, loop

TINY = {"coder": {"channels": 3, "kernel_size": 3}}


@pytest.fixture(autouse=True)
def plain_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without Matplotlib and TensorBoard, which take longer than all steps together."""
    monkeypatch.setattr(loop, "draw_curves", lambda folder: None)
    monkeypatch.setattr(journal, "_tensorboard", lambda folder, first_step: None)


def write_pairs(folder: Path, count: int, seed: int) -> list[Pair]:
    """Pairs of 112x96 pixels in the folders a and b: blocks, so that every metric has something to find."""
    pairs = []
    for index, blocks in enumerate(np.random.default_rng(seed).integers(0, 256, (count, 2, 6, 7), dtype=np.uint8)):
        paths = [folder / name / f"{index}.png" for name in "ab"]
        for path, plane in zip(paths, blocks, strict=True):
            write_picture(path, np.kron(plane, np.ones((16, 16), dtype=np.uint8)))
        pairs.append(Pair(str(index), *paths))
    return pairs


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of three pairs to train on."""
    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder / "x.pack", [PairSet("blocks", "train", tuple(write_pairs(folder, 3, 5)))], luma_b="full")
    return folder / "x.pack"


@pytest.fixture
def other_pack(tmp_path: Path) -> Path:
    """A pack of other pictures."""
    pairs = tuple(write_pairs(tmp_path / "others", 3, 7))
    write_pack(tmp_path / "other.pack", [PairSet("blocks", "train", pairs)], luma_b="full")
    return tmp_path / "other.pack"


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of two pairs to score on, below one named after a published data set."""
    write_pairs(tmp_path / "tno", 2, 6)
    return tmp_path / "tno/a", tmp_path / "tno/b"


@pytest.fixture
def write_recipe(tmp_path: Path, pack: Path) -> Callable[..., Path]:
    """Write a recipe of both FNet stages, two steps each, with changes; returns its path."""

    def write(**changes: Any) -> Path:
        recipe = {
            "name": "fnet.test",
            "family": "fnet",
            "model": TINY,
            "data": {"train": str(pack), "luma": "full", "batch": 1, "crop": {"size": 16}},
            "stages": [{"kind": "reconstruction", "steps": 2}, {"kind": "fusion", "steps": 2}],
            "rhythm": {"log_every": 1},
        }
        (tmp_path / "tiny.json").write_text(json.dumps(recipe | changes), encoding="utf-8")
        return tmp_path / "tiny.json"

    return write


@pytest.fixture
def base(write_recipe: Callable[..., Path]) -> Recipe:
    """The recipe of the unchanged model."""
    return load_recipe(write_recipe())
