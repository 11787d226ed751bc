"""A filter along the motion of the scene: the frame before it, moved to where things are now, is mixed in."""

from __future__ import annotations

from typing import cast

import numpy as np

from polyfuse.video.flow import Flow, is_dark, levels
from polyfuse.video.temporal import DEFAULT_SHARES, Plane, State, TemporalFilter

TRUST = 0.05
"""Difference of the moved frame from the new one at which its weight falls to 1/e. Source: spec, section 8.2."""


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
