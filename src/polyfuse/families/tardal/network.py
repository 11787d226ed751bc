"""TarDAL and TarDAL++, written from the facts of spec peers 6.

Liu, Fan, Huang, Wu, Liu, Zhong, Luo, "Target-aware dual adversarial learning and a multi-scenario multi-modality
benchmark to fuse infrared and visible for object detection", CVPR 2022. One dense network sees both sources at once;
its three trainings (for the eye, + for detection, ++ for both) are three sets of weights.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel, ModelSpec, Windows, check_fields, check_pair
from polyfuse.families.tardal.statistics import Normalise, Pending, Survey, by_picture, by_stored
from polyfuse.layers.macs import convolution_macs

GROWTH = 32
RADIUS = 8
"""One of each of eight convolutions."""
NORMS = 6
"""Batch normalisations, each of which sees what those before it made."""


@dataclass(frozen=True)
class TarDALConfig:
    """Configuration of TarDAL."""

    statistics: Literal["picture", "stored"] = "picture"
    """What the batch normalisations scale by: mean and variance of the picture itself, as the published command for
    TarDAL leaves them, or the stored ones, as the commands for TarDAL+ and TarDAL++ ask."""

    def __post_init__(self) -> None:
        """Refuse unknown names."""
        check_fields(self)
        if self.statistics not in ("picture", "stored"):
            raise UsageError(f"unknown statistics {self.statistics!r}: use 'picture' or 'stored'.")

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return asdict(self)


class Step(nn.Module):
    """3x3 convolution with zeros around the picture, batch normalisation, rectifier.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor, normalise: Normalise) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return functional.relu(normalise(self.norm, self.conv(x)))


class TarDAL(FusionModel):
    """The network as published.

    Args:
        config: Configuration; default is the published command for TarDAL.
    """

    choices = {"statistics": ("picture", "stored")}  # noqa: RUF012 - a ClassVar in the base class

    def __init__(self, config: TarDALConfig | None = None) -> None:
        super().__init__()
        self.config = config or TarDALConfig()
        self.encoder = Step(2, GROWTH)
        self.dense = nn.ModuleList(Step(GROWTH * (index + 1), GROWTH) for index in range(3))
        self.mix = nn.Conv2d(4 * GROWTH, 128, 3, padding=1)
        self.narrow = nn.ModuleList([Step(128, 64), Step(64, 32)])
        self.read = nn.Conv2d(32, 1, 3, padding=1)
        self.survey: Survey | None = None

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> TarDAL:
        """A fresh network of a configuration as weights files hold it."""
        return cls(TarDALConfig(**values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration: statistics of the picture reach over all of it."""
        stored = self.config.statistics == "stored"
        return ModelSpec(
            family="tardal",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=convolution_macs(self),
            receptive_radius=RADIUS if stored else None,
            halo=RADIUS,
            surveys=0 if stored else NORMS,
            bytes_per_pixel=1700,  # measured on a CPU, 300 x 400 pixels: 1525
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1; pictures of a batch do not touch each other.

        Returns:
            (N, 1, H, W) in (-1, 1); what is negative is black.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        if self.config.statistics == "stored":
            return self._fuse(a, b, by_stored)
        return self._fuse(a, b, self.survey or by_picture)

    def _fuse(self, a: Tensor, b: Tensor, normalise: Normalise) -> Tensor:
        """The network with its batch normalisations as given."""
        x = self.encoder(torch.cat([a, b], dim=1), normalise)
        for step in self.dense:
            x = torch.cat([x, step(x, normalise)], dim=1)
        x = functional.relu(self.mix(x))
        for step in self.narrow:
            x = step(x, normalise)
        fused: Tensor = self.read(x)
        return fused.tanh()

    @torch.no_grad()
    def surveyed(self, windows: Windows) -> TarDAL:
        """A model of the same weights that has the statistics of the whole picture that `windows` goes over."""
        survey = Survey()
        for _ in range(self.spec.surveys):
            for a, b, inner in windows():
                survey.open_tile(inner)
                with suppress(Pending):
                    self._fuse(a, b, survey)
            survey.conclude(self.dtype)
        surveyed_model = copy(self)
        surveyed_model.survey = survey
        return surveyed_model
