"""Normalisation over channels equals the framework's layer norm with the channels last."""

import torch
from torch.nn.functional import layer_norm

from polyfuse.layers.channel_norm import ChannelNorm


def test_channel_norm_is_layer_norm_over_channels() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64, generator=generator)
    norm = ChannelNorm(5).double()
    norm.weight.data, norm.bias.data = torch.rand(2, 5, dtype=torch.float64, generator=generator)
    expected = layer_norm(x.movedim(1, -1), (5,), norm.weight, norm.bias, 1e-5).movedim(-1, 1)
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-13)


def test_constant_pixel_becomes_the_bias() -> None:
    norm = ChannelNorm(3)
    norm.bias.data = torch.tensor([1.0, 2.0, 3.0])
    found = norm(torch.full((1, 3, 1, 1), 7.0))
    assert found.flatten().tolist() == [1.0, 2.0, 3.0]
