"""Models whose answer is known without computing, and pictures on disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from polyfuse.families.fnet.network import FNet
from polyfuse.families.spec import FusionModel, ModelSpec, Provenance
from polyfuse.io import write_picture


class PlainModel(FusionModel):
    """Any function of two (N, 1, H, W) tensors with the face of a model."""

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], **spec: Any) -> None:
        super().__init__()
        self._function, self._spec = function, ModelSpec(family="plain", **spec)

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self._function(a, b)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., FusionModel]:
    """A model of one function; `luma` to `rounded_a` are what its weights would declare, the rest its spec."""

    def build(
        function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        luma: Any = "full",
        rendering: Any = "safe",
        rounded_a: bool = False,
        **spec: Any,
    ) -> FusionModel:
        model = PlainModel(function, **spec)
        model.provenance = Provenance("plain", luma, rendering, rounded_a=rounded_a)
        return model

    return build


@pytest.fixture(scope="session")
def give_b(make_model: Callable[..., FusionModel]) -> Callable[..., FusionModel]:
    """A model that returns b: every conversion on the way has to cancel."""
    return lambda luma="full", rendering="safe": make_model(lambda a, b: b, luma, rendering)


@pytest.fixture(scope="session")
def random_fnet() -> FNet:
    """FNet with reproducible random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = FNet().eval()
    model.provenance = replace(model.provenance, name="fnet.random")
    return model


@pytest.fixture
def on_disk(tmp_path: Path) -> Callable[[str, NDArray[Any]], Path]:
    """Write an array under a name in the test's folder and return its path."""
    return lambda name, array: write_picture(tmp_path / name, np.asarray(array))
