"""Nabf: artefacts, edges of the fused picture that neither source has; with it the whole budget of edges.

Every edge of the sources is kept, lost, or covered by something new. Labf, Qabf_petrovic and Nabf_petrovic are the
other parts of the budget and take them from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from polyfuse.metrics.metric import Joint, Metric
from polyfuse.metrics.statistics import Match, Plane, Statistics
from polyfuse.ops.gradients import sobel_responses
from polyfuse.ops.padding import Border

STRENGTH_GAIN, STRENGTH_SLOPE, STRENGTH_CENTRE = 0.9999, 19.0, 0.5
ANGLE_GAIN, ANGLE_SLOPE, ANGLE_CENTRE = 0.9995, 22.0, 0.5
FAINT = 2.0
"""Edges weaker than this get a constant weight."""
FAINT_WEIGHT = 0.001


@dataclass(frozen=True)
class Edges:
    """How one toolbox measures edges and weighs them."""

    border: Border = "reflect"
    divisor: float = 8.0
    """Divisor of the Sobel responses."""
    whole_turn: bool = False
    """Whether angles lie in (-pi, pi] instead of [-pi/2, pi/2]."""
    faint_weight: float = FAINT_WEIGHT
    """Weight of edges weaker than 2."""
    weight_scale: float = 1.0
    """Factor on the weights of all other edges."""

    def measure(self, plane: Plane) -> tuple[Tensor, Tensor]:
        """Strength and angle, two of (N, H, W); the angle of a flat spot is zero."""

        def make() -> tuple[Tensor, Tensor]:
            across, down = sobel_responses(plane.values, self.border)
            strength = (across.square() + down.square()).sqrt_().div_(self.divisor)
            angle = across.atan2(down) if self.whole_turn else (across / down).atan_()
            return strength, angle.masked_fill_(strength == 0, 0)

        return plane.once(("petrovic edges", self.border, self.divisor, self.whole_turn), make)

    def weights(self, plane: Plane) -> Tensor:
        """How much each edge of a source counts, (N, H, W)."""

        def make() -> Tensor:
            strength = self.measure(plane)[0]
            return torch.where(strength >= FAINT, strength * strength.sqrt() * self.weight_scale, self.faint_weight)

        return plane.once(("petrovic weights", self), make)

    def preservation(self, match: Match) -> Tensor:
        """How well strength and angle of each source edge are kept, (N, H, W) in [0, 1)."""
        return match.once(("petrovic preservation", self), partial(self._preservation, match))

    def _preservation(self, match: Match) -> Tensor:
        (strength, angle), (fused_strength, fused_angle) = self.measure(match.source), self.measure(match.fused)
        smaller = torch.minimum(strength, fused_strength)
        ratio = (smaller / torch.maximum(strength, fused_strength)).masked_fill_(smaller == 0, 0)
        turn = (angle - fused_angle).abs_().sub_(math.pi / 2).abs_().mul_(2 / math.pi)
        kept = ratio.sub_(STRENGTH_CENTRE).mul_(STRENGTH_SLOPE).sigmoid_()
        kept *= turn.sub_(ANGLE_CENTRE).mul_(ANGLE_SLOPE).sigmoid_()
        return kept.mul_(STRENGTH_GAIN * ANGLE_GAIN).sqrt_()

    def loss(self, match: Match) -> Tensor:
        """Weight of each source edge times what is not kept of it, (N, H, W)."""
        return match.once(
            ("petrovic loss", self), lambda: (1 - self.preservation(match)).mul_(self.weights(match.source))
        )

    def is_new(self, match: Match) -> Tensor:
        """Where the fused picture is steeper than the source, (N, H, W)."""
        return self.measure(match.fused)[0] > self.measure(match.source)[0]

    def share(self, part: Tensor, pictures: Statistics) -> Tensor:
        """Sum of a map over the sum of all weights of both sources, (N,)."""
        total = self.weights(pictures.a).sum(dim=(1, 2)) + self.weights(pictures.b).sum(dim=(1, 2))
        return part.sum(dim=(1, 2)) / total


STANDARD = Edges()
_WITHOUT_FAINT = Edges(faint_weight=0.0)
_WHOLE_TURN = Edges(border="symmetric", divisor=1.0, whole_turn=True, weight_scale=FAINT_WEIGHT)


def new_edges(pictures: Statistics, edges: Edges) -> Tensor:
    """Where the fused picture is steeper than both sources, (N, H, W)."""
    return edges.is_new(pictures.match_a) & edges.is_new(pictures.match_b)


def total_loss(pictures: Statistics, edges: Edges) -> Tensor:
    """Loss over both sources, (N, H, W)."""
    return edges.loss(pictures.match_a) + edges.loss(pictures.match_b)


def _artefacts(pictures: Statistics, *, edges: Edges) -> Tensor:
    return edges.share(total_loss(pictures, edges) * new_edges(pictures, edges), pictures)


def _steeper_than_first(pictures: Statistics) -> Tensor:
    """Artefacts counted wherever the fused picture is steeper than the first source, whatever the second shows."""
    return _WHOLE_TURN.share(total_loss(pictures, _WHOLE_TURN) * _WHOLE_TURN.is_new(pictures.match_a), pictures)


def _shifted(pictures: Statistics, *, compute: Callable[[Statistics], Tensor]) -> Tensor:
    """Score `a` as if it were fused from `b` and the fused picture."""
    return compute(Statistics.of(pictures.a, pictures.b, pictures.fused))


_canonical = partial(_artefacts, edges=STANDARD)

nabf = Metric(
    name="Nabf",
    title="fusion artefacts",
    direction="down",
    bounds=(0.0, 1.0),
    cost="b",
    formula="Nabf = sum over pixels where g_F > g_A and g_F > g_B of [(1 - Q_A) w_A + (1 - Q_B) w_B] / sum(w_A + w_B), "
    "g the Sobel strength over 8, Q_X how well strength and angle of a source edge are kept, w = g^1.5, or 0.001 "
    "where g < 2",
    source="Petrovic, Xydeas 2005; in the form of Kumar 2013",
    rewards="No edges that are steeper than in both sources.",
    fooled="A copy of one source and the average have no artefacts and score 0, at any contrast. Look at Labf beside "
    "it.",
    quirks="Linfeng's code passes the pictures in the wrong order and judges the first source as if it were fused: "
    "0.011 instead of 0.079 on one picture, and sources cannot be exchanged. Nor can they under smfnet.",
    variants={
        "canonical": Joint(note="pictures in the right order", compute=_canonical),
        "linfeng": Joint(note="pictures in the wrong order: a is judged as fused from b and the fused picture; terms "
                         "of one source are 0", compute=partial(_shifted, compute=_canonical), symmetric=False),
        "survey": Joint(note="edges weaker than 2 do not count; no value where there are no others",
                        compute=partial(_artefacts, edges=_WITHOUT_FAINT)),
        "smfnet": Joint(note="Sobel not divided by 8, angles of a whole turn, artefacts against the first source only",
                        compute=_steeper_than_first, symmetric=False),
    },
)  # fmt: skip
