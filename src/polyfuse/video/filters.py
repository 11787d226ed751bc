"""The filters along time: one of the low frequencies, one along the motion of the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from polyfuse.video.flow import Flow, is_dark, levels
from polyfuse.video.temporal import DEFAULT_SHARES, Plane, State, TemporalFilter, parse_temporal

if TYPE_CHECKING:
    from torch import Tensor

CELL = 8
"""Side of the cells that stand for the low frequencies, pixels."""
MOTION = 0.04
"""Change of a source's low frequencies at which the old frame's weight falls to 1/e, in [0, 1]."""
TRUST = 0.05
"""Difference of the moved frame from the new one at which its weight falls to 1/e. Source: spec daefuse 8.2."""


class ExponentialFilter(TemporalFilter):
    """Exponential filter of the low frequencies, out_t = fused_t + (1 - share) * still * (low(out_t-1) - low(fused_t)).

    `low` are means of cells, the correction is interpolated between them: detail is never filtered, so edges leave no
    ghosts. `still` = exp(-change / MOTION), where change is that of the sources' low frequencies, the larger of the
    two: what the cameras saw change is not held back.
    # ours: spec daefuse 8.2 filters low frequencies everywhere; a body that moves by its own width then leaves a shade
    # behind.

    Args:
        share: Of the new frame, in (0, 1]; 1 changes nothing.
    """

    def __init__(self, share: float = DEFAULT_SHARES["exponential"]) -> None:
        super().__init__(share)

    def _step(self, fused: Plane, a: Plane, b: Plane, before: State) -> tuple[Plane, State]:
        """The frame, its low frequencies mixed with those of the frame before where nothing moves."""
        import torch  # clips without this filter can be fused where there is no PyTorch
        from torch.nn import functional

        low, low_a, low_b = cells(fused), cells(a), cells(b)
        result = fused
        if before:
            old, old_a, old_b = (torch.from_numpy(before[name]) for name in ("low", "low_a", "low_b"))
            change = torch.maximum((low_a - old_a).abs(), (low_b - old_b).abs())
            held = (1 - self.share) * torch.exp(-change / MOTION) * (old - low)
            low = low + held
            size = (fused.shape[0], fused.shape[1])
            smooth = functional.interpolate(held, size, mode="bilinear", align_corners=False)
            result = cast("Plane", fused + smooth[0, 0].numpy())
        return result, {"low": low.numpy(), "low_a": low_a.numpy(), "low_b": low_b.numpy()}


def cells(plane: Plane) -> Tensor:
    """Means of the cells of a plane, (1, 1, h, w); cells at the far borders may be cut."""
    import torch
    from torch.nn import functional

    tensor = torch.from_numpy(np.ascontiguousarray(plane))[None, None]
    return functional.avg_pool2d(tensor, CELL, ceil_mode=True, count_include_pad=False)


class FlowFilter(TemporalFilter):
    """Filter along optical flow, out_t = fused_t + (1 - share) * trust * (moved(out_t-1) - fused_t).

    `moved` samples the frame before where the flow of a source says that each pixel was; `trust` = exp(-|moved(
    fused_t-1) - fused_t| / TRUST) where flow is valid, else 0. Flow comes from the visible source, from the infrared
    one while the visible is dark.

    Args:
        share: Of the new frame, in (0, 1]; 1 changes nothing.

    Raises:
        DependencyError: If OpenCV is missing.
    """

    def __init__(self, share: float = DEFAULT_SHARES["flow"]) -> None:
        super().__init__(share)
        self._flow = Flow("--temporal flow")

    def _step(self, fused: Plane, a: Plane, b: Plane, before: State) -> tuple[Plane, State]:
        """The frame, mixed with the one before it where motion is known."""
        seen = {"a": levels(a), "b": levels(b)}
        result = fused
        if before:
            source = "a" if is_dark(b) else "b"
            motion = self._flow.motion(before[source], seen[source])
            change = np.abs(self._flow.moved(before["fused"], motion.backward) - fused)
            trust = motion.valid * np.exp(-change / np.float32(TRUST))
            moved = self._flow.moved(before["result"], motion.backward)
            result = cast("Plane", fused + np.float32(1 - self.share) * trust * (moved - fused))
        return result, {**seen, "result": result}


_FILTERS: dict[str, type[ExponentialFilter] | type[FlowFilter]] = {"exponential": ExponentialFilter, "flow": FlowFilter}


def make_filter(text: str) -> TemporalFilter | None:
    """A fresh filter for the value of `--temporal`; None for "none".

    Raises:
        UsageError: If the value is unknown.
        DependencyError: If what the filter needs is missing.
    """
    wanted = parse_temporal(text)
    return None if wanted is None else _FILTERS[wanted.kind](wanted.share)
