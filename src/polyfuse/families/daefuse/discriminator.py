"""A discriminative block: tells pictures of one modality from those that the network made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as normalised

from polyfuse.errors import InputError, UsageError

SpectralNorm = Literal["none", "conv", "all"]
LEAK = 0.2


class Discriminator(nn.Module):
    """Convolutions of stride 2, the mean over the picture, and a linear layer to one logit.

    Args:
        channels: Widths of its convolutions, `DAEFuseConfig.disc_channels`.
        spectral_norm: Layers held to a spectral norm of one: "none", its convolutions ("conv") or "all".

    Raises:
        UsageError: If there is no such choice.

    Source: paper, convolutions and a fully connected layer.  # ours: sizes, pooling (any size of picture), no norm
    """

    def __init__(self, channels: Sequence[int], spectral_norm: SpectralNorm = "none") -> None:
        super().__init__()
        if spectral_norm not in get_args(SpectralNorm):
            allowed = ", ".join(get_args(SpectralNorm))
            raise UsageError(f"spectral_norm cannot be {spectral_norm!r}: use one of {allowed}.")
        self.minimum = 2 ** len(channels)
        convs: list[nn.Module] = [nn.Conv2d(*pair, 4, stride=2, padding=1) for pair in pairwise((1, *channels))]
        judge: nn.Module = nn.Linear(channels[-1], 1)
        if spectral_norm != "none":
            convs = [normalised(conv) for conv in convs]
        if spectral_norm == "all":
            judge = normalised(judge)
        self.layers = nn.Sequential(*(layer for conv in convs for layer in (conv, nn.LeakyReLU(LEAK))))
        self.judge = judge

    def forward(self, picture: Tensor) -> Tensor:
        """Logits (N,) of (N, 1, H, W) pictures, high where they look real.

        Raises:
            InputError: If the picture is too small to be halved by every convolution.
        """
        if min(picture.shape[-2:]) < self.minimum:
            size = "x".join(map(str, picture.shape[-2:]))
            raise InputError(f"a discriminator got {size}: use crops of {self.minimum} pixels or more.")
        logit: Tensor = self.judge(self.layers(picture).mean(dim=(-2, -1)))
        return logit[:, 0]
