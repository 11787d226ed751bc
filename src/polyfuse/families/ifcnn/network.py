"""IFCNN with the maximum, written from the facts of spec peers 2.

Zhang, Liu, Sun, Yan, Zhao, Zhang, "IFCNN: a general image fusion framework based on convolutional neural network",
Information Fusion 54 (2020), 99-118. One extractor sees each source; of each feature the larger one is kept. The
network has three planes in and out; a grey source is tripled, and the luma of the three planes is the result.
Exchanging the sources changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.errors import UsageError
from polyfuse.families.spec import FusionModel, ModelSpec, check_fields, check_pair
from polyfuse.layers.bordered import BorderedConv
from polyfuse.layers.macs import convolution_macs

CHANNELS = 64
RADIUS = 5
"""Three of the extractor, one each of two convolutions."""
LUMA = (0.299, 0.587, 0.114)
"""Of red, green and blue, BT.601; what OpenCV makes grey of."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of the pictures that the extractor's first layer was trained on."""


@dataclass(frozen=True)
class IFCNNConfig:
    """Configuration of IFCNN."""

    normalisation: Literal["none", "imagenet"] = "none"
    """What the planes are scaled by before the network, and back after it: nothing, as the published program has it for
    infrared and visible pictures, or ImageNet's mean and deviation, which the authors' own results are made with."""

    def __post_init__(self) -> None:
        """Refuse unknown names."""
        check_fields(self)
        if self.normalisation not in ("none", "imagenet"):
            raise UsageError(f"unknown normalisation {self.normalisation!r}: use 'none' or 'imagenet'.")

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return asdict(self)


class _Normed(nn.Module):
    """3x3 convolution, batch normalisation with stored statistics, rectifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = BorderedConv(CHANNELS, CHANNELS, 3, "replicate", bias=False)
        self.norm = nn.BatchNorm2d(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, H, W) to the same."""
        return functional.relu(self.norm(self.conv(x)))


class IFCNN(FusionModel):
    """The network as published.

    Args:
        config: Configuration; default is the published program.
    """

    choices = {"normalisation": ("none", "imagenet")}  # noqa: RUF012 - a ClassVar in the base class

    def __init__(self, config: IFCNNConfig | None = None) -> None:
        super().__init__()
        self.config = config or IFCNNConfig()
        self.extract = BorderedConv(3, CHANNELS, 7, "replicate", bias=False)
        self.refine, self.rebuild = _Normed(), _Normed()
        self.read = nn.Conv2d(CHANNELS, 3, 1)

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> IFCNN:
        """A fresh network of a configuration as weights files hold it."""
        return cls(IFCNNConfig(**values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        each, once = (self.extract, self.refine), (self.rebuild, self.read)
        return ModelSpec(
            family="ifcnn",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=sum(map(convolution_macs, once)) + 2 * sum(map(convolution_macs, each)),
            receptive_radius=RADIUS,
            halo=RADIUS,
            bytes_per_pixel=2000,  # measured on a CPU, 300 x 400 pixels: 1791
        )

    def planes(self, a: Tensor, b: Tensor) -> Tensor:
        """The three planes that the network makes of a and b, each (N, 1, H, W): (N, 3, H, W), not clamped."""
        check_pair(a, b)
        mean, deviation = (a.new_tensor(values)[:, None, None] for values in IMAGENET)
        if self.config.normalisation == "none":
            return self._network(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1))
        return self._network((a - mean) / deviation, (b - mean) / deviation) * deviation + mean

    def _network(self, a: Tensor, b: Tensor) -> Tensor:
        """Three planes of each source, (N, 3, H, W), to three fused ones."""
        features = torch.maximum(self.refine(self.extract(a)), self.refine(self.extract(b)))
        fused: Tensor = self.read(self.rebuild(features))
        return fused

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        Returns:
            (N, 1, H, W) in [0, 1]: the luma of the three planes, each clamped as the program does.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        planes = self.planes(a, b).clamp(0, 1)
        return (planes * planes.new_tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
