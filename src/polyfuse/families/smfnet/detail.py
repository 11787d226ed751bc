"""Blocks of the detail branch and of the detail fusion layer: gradient dense block, bottleneck, affine coupling."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.families.spec import Observer
from polyfuse.ops.padding import reflect_pad

SOBEL = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))


class GradientDenseBlock(nn.Module):
    """Two dense convolutions beside the gradient magnitude of the first feature (spec smfnet 2.9).

    Args:
        channels: Width d.
        train_gradients: Whether the gradient convolutions learn.
    """

    def __init__(self, channels: int, train_gradients: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.grow1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.grow2 = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.squeeze = nn.Conv2d(3 * channels, channels, 1)
        self.sobel_x = self._gradient(channels, torch.tensor(SOBEL), train_gradients)
        self.sobel_y = self._gradient(channels, torch.tensor(SOBEL).T, train_gradients)
        self.lift = nn.Conv2d(channels, channels, 1)

    @staticmethod
    def _gradient(channels: int, kernel: Tensor, learns: bool) -> nn.Conv2d:
        """Depthwise 3x3 convolution that starts as `kernel`.  # paper: a fixed operator; official: it learns."""
        conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        conv.weight = nn.Parameter(kernel.expand(channels, 1, 3, 3).clone(), requires_grad=learns)
        return conv

    def forward(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to the same."""
        first = functional.leaky_relu(self.first(x), 0.2)
        dense = torch.cat([first, functional.leaky_relu(self.grow1(first), 0.2)], dim=1)
        dense = torch.cat([dense, functional.leaky_relu(self.grow2(dense), 0.2)], dim=1)
        edges = self.sobel_x(first).abs() + self.sobel_y(first).abs()
        return functional.leaky_relu(self.squeeze(dense) + self.lift(edges), 0.1)


class Bottleneck(nn.Module):
    """1x1 to twice the width, ReLU6, reflected depthwise 3x3, ReLU6, 1x1 back, no bias (BRB, spec smfnet 2.11).

    Args:
        channels: Width of one half, d / 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.expand = nn.Conv2d(channels, wide, 1, bias=False)
        self.mix = nn.Conv2d(wide, wide, 3, groups=wide, bias=False)
        self.reduce = nn.Conv2d(wide, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, d/2, H, W) to the same."""
        wide = functional.relu6(self.expand(x))
        # ours: the official program fails on sides of one pixel, which have nothing to reflect
        flat = min(x.shape[-2:]) == 1
        padded = reflect_pad(wide, 1) if flat else functional.pad(wide, (1, 1, 1, 1), mode="reflect")
        reduced: Tensor = self.reduce(functional.relu6(self.mix(padded)))
        return reduced


class InvertibleNode(nn.Module):
    """Shuffle and one affine coupling of the two halves of a feature (spec smfnet 2.12).

    [a; b] = shuffle(x);  b' = b + phi(a);  a' = a * exp(rho(b')) + eta(b').

    Args:
        channels: Width d.
        scale_limit: Largest |rho|; None for no limit.

    Source: official code; the paper updates both halves from the old values.
    """

    def __init__(self, channels: int, scale_limit: float | None) -> None:
        super().__init__()
        self.scale_limit = scale_limit
        self.shuffle = nn.Conv2d(channels, channels, 1)
        self.phi = Bottleneck(channels // 2)
        self.rho = Bottleneck(channels // 2)
        self.eta = Bottleneck(channels // 2)

    def forward(self, x: Tensor, observe: Observer | None = None) -> Tensor:
        """(N, d, H, W) to the same; `observe` gets "scale"."""
        first, second = self.shuffle(x).chunk(2, dim=1)
        second = second + self.phi(first)
        scale = self._scale(second)
        if observe is not None:
            observe("scale", scale)
        return torch.cat([first * scale + self.eta(second), second], dim=1)

    def _scale(self, second: Tensor) -> Tensor:
        """exp(rho(b'))."""
        exponent: Tensor = self.rho(second)
        if self.scale_limit is not None:  # ours
            exponent = exponent.clamp(-self.scale_limit, self.scale_limit)
        return exponent.exp()


class Coupling(nn.Module):
    """Shuffle and the inverse direction of a two-sided affine coupling (spec smfnet 2.15).

    [a; b] = shuffle(x);  b' = (b - shift_b(a)) / e(scale_b(a));  a' = (a - shift_a(b')) / e(scale_a(b')),
    with e(t) = exp(4 (sigmoid(t) - 1/2)).

    Args:
        channels: Width d.

    Source: official code, where the four are called y, r, f and p; the paper's equations 7 and 8 differ.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shuffle = nn.Conv2d(channels, channels, 1)
        self.scale_b = Bottleneck(channels // 2)
        self.shift_b = Bottleneck(channels // 2)
        self.shift_a = Bottleneck(channels // 2)
        self.scale_a = Bottleneck(channels // 2)

    def forward(self, x: Tensor, observe: Observer | None = None) -> Tensor:
        """(N, d, H, W) to the same; `observe` gets "scale", e(scale_a) beside e(scale_b)."""
        first, second = self.shuffle(x).chunk(2, dim=1)
        scale_b = bounded_scale(self.scale_b(first))
        second = (second - self.shift_b(first)) / scale_b
        scale_a = bounded_scale(self.scale_a(second))
        first = (first - self.shift_a(second)) / scale_a
        if observe is not None:
            observe("scale", torch.cat([scale_a, scale_b], dim=1))
        return torch.cat([first, second], dim=1)


def bounded_scale(exponent: Tensor) -> Tensor:
    """e(t) = exp(4 (sigmoid(t) - 1/2)), between exp(-2) and exp(2)."""
    return torch.exp(4 * (exponent.sigmoid() - 0.5))
