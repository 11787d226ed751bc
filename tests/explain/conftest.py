"""A network with random weights, a pair in two folders, and its explanation."""

from pathlib import Path

import numpy as np
import pytest
import torch

from polyfuse.explain import Explanation, explain
from polyfuse.io import write_picture
from polyfuse.models.fnet import FNet


@pytest.fixture(scope="session")
def network() -> FNet:
    """The published layout with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return FNet().eval()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A grey and a colour picture of 26x18 pixels, both called scene.png."""
    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(8)
    grey = rng.integers(0, 256, (18, 26), np.uint8)
    colour = rng.integers(0, 256, (18, 26, 3), np.uint8)
    return write_picture(folder / "ir" / "scene.png", grey), write_picture(folder / "vi" / "scene.png", colour)


@pytest.fixture(scope="session")
def explanation(network: FNet, pair: tuple[Path, Path]) -> Explanation:
    """What `explain` finds in the pair."""
    return explain(*pair, model=network)
