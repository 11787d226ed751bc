"""Networks that give every pixel a class, from scratch: our small U-Net, and SegFormer-B0 from its configuration."""

from __future__ import annotations

from typing import Any, Literal, get_args

from torch import Tensor, nn
from torch.nn import functional

from polyfuse.downstream.training.body import Body, padded
from polyfuse.errors import DependencyError

NetworkName = Literal["unet", "segformer-b0"]
NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)


class UNet(nn.Module):
    """Our small U-Net, 0.5 million parameters: classes at half size, enlarged to the picture's.

    Args:
        num_classes: Number of classes.
        width: Channels at half size.
    """

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.body = Body(width)
        self.head = nn.Conv2d(self.body.num_features, num_classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) of any size to logits (N, classes, H, W)."""
        return _enlarged(self.head(self.body(padded(pictures))), pictures, 2)


class SegFormer(nn.Module):
    """SegFormer-B0 (Xie et al. 2021) as `transformers` builds it from the configuration, without any weights.

    Args:
        num_classes: Number of classes.

    Raises:
        DependencyError: If transformers is missing.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        try:
            from transformers import SegformerConfig, SegformerForSemanticSegmentation
        except ImportError as error:
            raise DependencyError(
                'SegFormer needs transformers: pip install "polyfuse[downstream-transformers]", or take --network unet.'
            ) from error
        configured: Any = SegformerConfig  # its fields are made at run time, which type checkers do not see
        # The defaults of the configuration are B0's.
        self.network: Any = SegformerForSemanticSegmentation(configured(num_labels=num_classes))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) of any size to logits (N, classes, H, W)."""
        return _enlarged(self.network(pixel_values=padded(pictures, 32)).logits, pictures, 4)


def build_network(name: NetworkName, num_classes: int) -> nn.Module:
    """A new network with weights from torch's generator.

    Raises:
        DependencyError: If it needs a package that is missing.
    """
    return UNet(num_classes) if name == "unet" else SegFormer(num_classes)


def _enlarged(logits: Tensor, pictures: Tensor, factor: int) -> Tensor:
    """Logits at the size of the pictures, what was padded cut off."""
    height, width = pictures.shape[-2:]
    full = functional.interpolate(logits, scale_factor=float(factor), mode="bilinear", align_corners=False)
    return full[..., :height, :width]
