"""When a monitor of DAE-Fuse warns and when it fails (spec daefuse 7; all thresholds are ours).

A rule takes the readings of a stage, the newest last, and gives "ok", "warn" or "fail".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from polyfuse.train.stage import Readings

OK, WARN, FAIL = "ok", "warn", "fail"
LASTING = 200
"""Steps that a state of the discriminators must last to count as a failure."""


def bias_rule(values: Sequence[float]) -> str:
    """Detail of one source alone: |bias| above 0.5 warns, above 0.8 in five readings fails."""
    if len(values) >= 5 and min(map(abs, values[-5:])) > 0.8:
        return FAIL
    return WARN if abs(values[-1]) > 0.5 else OK


def intensity_rule(values: Sequence[float]) -> str:
    """Brightness of one source alone: outside of 0.15 to 0.85 warns, of 0.05 to 0.95 fails."""
    return _band(values[-1], (0.15, 0.85), (0.05, 0.95))


def range_rule(values: Sequence[float]) -> str:
    """Range of grey levels that is used: below 0.6 warns, below 0.3 fails."""
    return _band(values[-1], (0.6, math.inf), (0.3, math.inf))


def black_rule(values: Sequence[float], share: float) -> str:
    """Level of black in 1/255: above 1 warns, above 4 at the end of the stage fails."""
    return FAIL if values[-1] > 4 and share >= 1 else WARN if values[-1] > 1 else OK


def norm_rule(values: Sequence[float]) -> str:
    """Gradient norm: more than a hundred times the median of the readings before warns, not finite fails."""
    if not math.isfinite(values[-1]):
        return FAIL
    return WARN if len(values) > 1 and values[-1] > 100 * median(values[:-1]) else OK


def strong_rule(readings: Readings, accuracy: str, adversarial_share: str) -> str:
    """Discriminator too strong: 90 % right warns; lastingly over 98 %, its gradient under 1 % of the other, fails."""
    if _lasts(readings, lambda at: readings[accuracy][at] > 0.98 and readings[adversarial_share][at] < 0.01):
        return FAIL
    return WARN if readings[accuracy][-1] >= 0.90 else OK


def dead_rule(readings: Readings, accuracy: str, gap: str) -> str:
    """Discriminator dead: lastingly right in half of the cases, with equal mean logits, fails."""
    dead = _lasts(readings, lambda at: abs(readings[accuracy][at] - 0.5) <= 0.02 and abs(readings[gap][at]) < 0.05)
    return FAIL if dead else OK


def entropy_rule(one: Sequence[float], other: Sequence[float], share: float) -> str:
    """Attention: ten readings uniform in both directions, or on single keys in one, fail in the stage's second half."""
    newest = list(zip(one, other, strict=True))[-10:]
    if len(newest) == 10 and share > 0.5 and (all(min(e) > 0.99 for e in newest) or all(min(e) < 0.1 for e in newest)):
        return FAIL
    return WARN if min(newest[-1]) < 0.30 or max(newest[-1]) > 0.97 else OK


def contribution_rule(one: Sequence[float], other: Sequence[float], share: float) -> str:
    """Cross attention over the embedding, norms: below 0.02 warns, below 0.005 after a fifth of the stage fails."""
    least = min(one[-1], other[-1])
    return FAIL if least < 0.005 and share > 0.2 else WARN if least <= 0.02 else OK


def _band(value: float, fine: tuple[float, float], bearable: tuple[float, float]) -> str:
    """OK in the range `fine`, WARN in `bearable`, else FAIL; bounds belong to their range."""
    if fine[0] <= value <= fine[1]:
        return OK
    return WARN if bearable[0] <= value <= bearable[1] else FAIL


def _lasts(readings: Readings, holds: Callable[[int], bool]) -> bool:
    """Whether something holds in the newest readings over `LASTING` steps; a reading covers the steps before it."""
    steps = readings["step"]
    first = len(steps)
    while first > 0 and holds(first - 1):
        first -= 1
    return first < len(steps) and steps[-1] - steps[max(0, first - 1)] >= LASTING
