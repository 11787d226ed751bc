"""The three thresholding functions of l0 and l1 sparse coding.

Source: FNet paper, sections II-A and III-C; constants from the official code (spec fnet 2).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

ThresholdKind = Literal["sigmoidal", "soft", "hard"]

STEEPNESS = 100.0  # gamma of the official code
SHRINK = 0.1  # alpha of the official code


def sigmoidal_threshold(
    code: Tensor, threshold: Tensor | float, *, steepness: float = STEEPNESS, shrink: float = SHRINK
) -> Tensor:
    """Smooth stand-in for the hard threshold of l0 coding.

    sign(code) * (|code| - shrink * threshold) * sigmoid(steepness * (|code| - threshold)).

    Odd to the bit; exactly zero at zero. Not monotone and not sign preserving below `shrink * threshold`: the network
    was trained with that, so nothing here "repairs" it.

    Args:
        code: Sparse code, (N, K, H, W), any real range.
        threshold: Not negative, same unit as `code`; scalar or broadcastable.
        steepness: Positive; larger is closer to the hard threshold.
        shrink: Share of the threshold taken off large entries, in [0, 1].

    Returns:
        Same shape as `code`.

    Source: FNet paper, section III-C. The sigmoid form cannot overflow, unlike 1 / (1 + exp(...)), whose backward
    pass is NaN in float32 once steepness * threshold > 88.7.
    """
    magnitude = code.abs()
    return code.sign() * (magnitude - shrink * threshold) * torch.sigmoid(steepness * (magnitude - threshold))


def sigmoidal_threshold_(
    code: Tensor,
    threshold: float,
    *,
    steepness: float = STEEPNESS,
    shrink: float = SHRINK,
    scratch: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """`sigmoidal_threshold` in place, without gradients, in as few passes over memory as PyTorch allows.

    `scratch`, two tensors of the shape and layout of `code`, saves fresh pages, which cost more than the arithmetic.
    """
    gate, sign = scratch or (torch.empty_like(code), torch.empty_like(code))
    torch.abs(code, out=gate).sub_(threshold).mul_(steepness).sigmoid_()
    code.add_(_sign(code, sign), alpha=-shrink * threshold)
    return code.mul_(gate)


def _sign(x: Tensor, out: Tensor | None = None) -> Tensor:
    """torch.sign, which PyTorch does not vectorise on a CPU: exact except for denormal numbers."""
    return torch.mul(x, torch.finfo(x.dtype).max, out=out).clamp_(-1, 1)


class _FastSigmoidalThreshold(torch.autograd.Function):
    """`sigmoidal_threshold` with its backward pass written out, in few passes over memory."""

    @staticmethod
    def forward(ctx: Any, code: Tensor, threshold: Tensor, steepness: float, shrink: float) -> Tensor:
        theta = on_hand(threshold)
        gate = code.abs().sub_(theta).mul_(steepness).sigmoid_()
        ctx.save_for_backward(code, gate, threshold)
        ctx.steepness, ctx.shrink = steepness, shrink
        return _sign(code).mul_(-shrink * theta).add_(code).mul_(gate)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """As in spec fnet 2, dS/dx = gate + slope, dS/dtheta = -sign(x) (shrink gate + slope), both zero at x = 0."""
        code, gate, threshold = ctx.saved_tensors
        distance = code.abs().sub_(ctx.shrink * on_hand(threshold))
        slope = torch.ops.aten.sigmoid_backward(distance.mul_(ctx.steepness), gate)  # distance gate (1 - gate)
        sign = _sign(code)
        signed = grad * sign
        grad_threshold = -(ctx.shrink * inner_product(signed, gate) + inner_product(signed, slope))
        grad_code = slope.add_(gate).mul_(signed).mul_(sign)
        return grad_code, grad_threshold.reshape(threshold.shape), None, None


def on_hand(scalar: Tensor) -> Tensor | float:
    """A scalar tensor as the number that CPU kernels take quickest; a GPU keeps it, since nobody should wait for it."""
    return float(scalar) if scalar.device.type == "cpu" else scalar


def inner_product(x: Tensor, y: Tensor) -> Tensor:
    """Sum of products; one pass where both are channels-last maps."""
    if x.ndim == 4:
        x, y = x.movedim(1, -1), y.movedim(1, -1)
    return torch.dot(x.reshape(-1), y.reshape(-1))


def fast_sigmoidal_threshold(
    code: Tensor, threshold: Tensor, *, steepness: float = STEEPNESS, shrink: float = SHRINK
) -> Tensor:
    """`sigmoidal_threshold` for training with a scalar threshold: same values and gradients, in fewer passes."""
    result: Tensor = _FastSigmoidalThreshold.apply(code, threshold, steepness, shrink)  # type: ignore[no-untyped-call]
    return result


def soft_threshold(code: Tensor, threshold: Tensor | float) -> Tensor:
    """Proximal operator of the l1 norm: sign(code) * max(|code| - threshold, 0)."""
    return code.sign() * (code.abs() - threshold).clamp_min(0)


def hard_threshold(code: Tensor, threshold: Tensor | float) -> Tensor:
    """Proximal operator of the l0 norm: code where |code| >= threshold, else 0."""
    return torch.where(code.abs() >= threshold, code, torch.zeros_like(code))


def apply_threshold(
    kind: ThresholdKind, code: Tensor, threshold: Tensor | float, *, steepness: float, shrink: float
) -> Tensor:
    """Apply the threshold named `kind`; `steepness` and `shrink` matter to "sigmoidal" alone."""
    if kind == "sigmoidal":
        return sigmoidal_threshold(code, threshold, steepness=steepness, shrink=shrink)
    return soft_threshold(code, threshold) if kind == "soft" else hard_threshold(code, threshold)
