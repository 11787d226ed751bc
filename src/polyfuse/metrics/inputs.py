"""From tensors to the planes that a protocol scores; all checks of the tensors are made here."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.errors import InputError
from polyfuse.metrics.grey import to_grey
from polyfuse.metrics.protocols import Protocol
from polyfuse.metrics.statistics import Plane, Statistics
from polyfuse.ops.readable import why_unreadable

PEAK = 255.0
SNAP = 1e-4
"""Values nearer than this to a whole level are that level: k / 255 in float32 comes back exactly."""
_TYPE_RANGES = {
    torch.uint8: 255.0,
    torch.uint16: 65535.0,
    **dict.fromkeys((torch.bool, torch.float16, torch.bfloat16, torch.float32, torch.float64), 1.0),
}
"""White of each type; float32 holds every value of the two shorter floats."""


def prepare(
    fused: Tensor, a: Tensor | None, b: Tensor | None, protocol: Protocol, *, data_range: float | None, clip: bool
) -> Statistics:
    """Check the pictures and bring them to what `protocol` scores.

    Args:
        fused: (N, 1 or 3, H, W), see `to_scale`.
        a: First source, same N, H and W; None for metrics that look at `fused` alone.
        b: Second source.
        protocol: Decides on grey or channels and on rounding.
        data_range: See `to_scale`.
        clip: See `to_scale`.

    Returns:
        Statistics of N pictures, or 3 N where colour is scored per channel.

    Raises:
        InputError: For anything that is no picture, or pictures that do not fit together.
    """
    given = {"fused": fused, "a": fused if a is None else a, "b": fused if b is None else b}
    scaled = {name: to_scale(x, name, data_range=data_range, clip=clip) for name, x in given.items()}
    size = _size(scaled["fused"])
    for name, x in scaled.items():
        if x.device != scaled["fused"].device:
            raise InputError(f"{name} is on {x.device} but fused on {scaled['fused'].device}: move them to one device.")
        if _size(x) != size:
            raise InputError(f"{name} is {_size(x)} but fused is {size}: resize or align them first.")
    if protocol.whole_levels:
        scaled = {name: x.round() for name, x in scaled.items()}
    channels = max(x.shape[1] for x in scaled.values()) if protocol.per_channel else 1
    planes = {name: _plane(x, protocol, channels) for name, x in scaled.items()}
    return Statistics.of(planes["fused"], planes["a"], planes["b"])


def _size(x: Tensor) -> str:
    """Count and size in words."""
    return f"{x.shape[0]} x {x.shape[3]}x{x.shape[2]}"


def _plane(x: Tensor, protocol: Protocol, channels: int) -> Plane:
    """Grey, or all channels as pictures of their own."""
    if protocol.per_channel:
        return Plane(x.expand(-1, channels, -1, -1).flatten(0, 1), channels)
    if x.shape[1] == 1:
        return Plane(x[:, 0])
    return Plane(to_grey(x, protocol.grey, whole_levels=_is_whole(x))[:, 0], colour=x)


def _is_whole(x: Tensor) -> bool:
    return bool((x == x.round()).all())


def to_scale(x: Tensor, name: str, *, data_range: float | None, clip: bool) -> Tensor:
    """Bring a tensor to float64 on the scale 0..255.

    Args:
        x: (N, 1 or 3, H, W), uint8, uint16, bool or floats of 16 to 64 bits. No gradients go through.
        name: What error messages call it.
        data_range: White; None means the full range of an integer type, 1 for floats.
        clip: Cut values outside [0, data_range] instead of refusing them.

    Returns:
        (N, C, H, W) float64, white at 255; values within 1e-4 of a whole level are that level.

    Raises:
        InputError: For another shape or type, no pixels, NaN or infinity, or values out of range.
    """
    if not isinstance(x, Tensor):
        raise InputError(f"{name} is a {type(x).__name__}: give a tensor (N, C, H, W), or call polyfuse.evaluate.")
    if problem := why_unreadable(x):
        raise InputError(f"{name} {problem}.")
    if x.ndim != 4 or x.shape[1] not in (1, 3) or x.numel() == 0:
        raise InputError(f"{name} has shape {tuple(x.shape)}: give (N, 1, H, W) or, for colour, (N, 3, H, W).")
    if x.dtype not in _TYPE_RANGES:
        raise InputError(f"{name} holds {x.dtype} values: convert to uint8, uint16, float32 or float64.")
    white = _TYPE_RANGES[x.dtype] if data_range is None else float(data_range)
    if not 0 < white < float("inf"):
        raise InputError(f"data_range is {data_range}: give the value of white, for example 1 or 255.")
    values = x.detach().double()
    if x.dtype == torch.uint8 and white == PEAK:
        return values
    finite = values.isfinite().flatten(1).all(dim=1)
    if not finite.all():
        where = int(finite.logical_not().nonzero()[0])
        raise InputError(f"{name} holds NaN or infinity in picture {where}: find out where it comes from.")
    values = values * PEAK / white
    whole = values.round()
    values = torch.where((values - whole).abs() < SNAP, whole, values)
    if clip:
        return values.clamp(0, PEAK)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > PEAK:
        span = f"{low * white / PEAK:.6g} to {high * white / PEAK:.6g}"
        raise InputError(f"{name} goes from {span}, outside 0 to {white:g}: pass data_range, or clip=True to cut.")
    return values
