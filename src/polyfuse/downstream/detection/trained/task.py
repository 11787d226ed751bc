"""Detection as something that a network learns: true boxes of a crop, the maps they ask for, and the loss.

- **Middles**: at each box a bell over the cells, 1 in the cell of its middle, with a sixth of the box's sides as its
  width, at least 0.6 cells. Loss: CenterNet's focal loss, powers 2 and 4, over the number of boxes. Cells in boxes that
  are ignored have no say.
- **Sides**: in cells where a bell is above 0.6, those of the smaller box where two compete. Loss: 1 - GIoU
  (Rezatofighi et al. 2019), mean over these cells weighted by the bell.
- The loss is the sum of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.downstream.detection.trained.network import STRIDE, Detector, Maps, cell_middles
from polyfuse.downstream.detection.truth import TrueBox
from polyfuse.downstream.training.draws import Draw

FOCAL_POWER, SOFT_POWER = 2.0, 4.0
LEAST_WIDTH = 0.6
"""Of a bell, in cells."""
SURE = 0.6
"""Where a bell is above it, the cell learns the sides."""
LEAST_LEFT = 0.3
"""A box of which a crop holds a smaller share is ignored there: what is left of it looks like nothing."""


@dataclass(frozen=True, eq=False)
class Marked:
    """The true boxes of a picture or a crop."""

    edges: NDArray[np.float32]
    """(M, 4): x0, y0, x1, y1 in pixels."""
    classes: NDArray[np.int64]
    """(M,) indices."""
    ignored: NDArray[np.bool_]
    """(M,): whether a box has no say."""


def marked(boxes: Sequence[TrueBox], labels: Sequence[str]) -> Marked:
    """True boxes as arrays, classes as places in `labels`."""
    edges = np.array([box.edges for box in boxes], np.float32).reshape(-1, 4)
    classes = np.array([labels.index(box.label) for box in boxes], np.int64)
    return Marked(edges, classes, np.array([box.ignored for box in boxes], bool))


@dataclass(frozen=True)
class DetectionTask:
    """Middles and sides of the boxes of some classes."""

    labels: tuple[str, ...]
    """The classes."""

    def facts(self) -> dict[str, Any]:
        """What the outcome depends on."""
        return {"kind": "detection", "labels": list(self.labels)}

    def build(self) -> nn.Module:
        """A new network."""
        return Detector(len(self.labels))

    def digest(self, truth: Marked) -> bytes:
        """The boxes as bytes."""
        return truth.edges.tobytes() + truth.classes.tobytes() + truth.ignored.tobytes()

    def cut(self, truth: Marked, draw: Draw, height: int, width: int) -> Marked:
        """The boxes of a crop: shifted, mirrored and cut off; those outside are gone."""
        edges = truth.edges - np.array([draw.left, draw.top, draw.left, draw.top], np.float32)
        if draw.mirrored:
            edges = np.stack((width - edges[:, 2], edges[:, 1], width - edges[:, 0], edges[:, 3]), axis=1)
        inside = np.clip(edges, 0, np.array([width, height, width, height], np.float32))
        left = (inside[:, 2:] - inside[:, :2]).prod(axis=1)
        share = left / (edges[:, 2:] - edges[:, :2]).prod(axis=1)
        seen = left > 0
        return Marked(inside[seen], truth.classes[seen], (truth.ignored | (share < LEAST_LEFT))[seen])

    def loss(self, network: nn.Module, pictures: Tensor, truths: Sequence[Marked]) -> Tensor:
        """Sum of the losses of middles and sides."""
        maps: Maps = network(pictures)
        wanted = [wanted_maps(truth, len(self.labels), maps.middles.shape[-2:]) for truth in truths]
        whole = {name: torch.stack([one[name] for one in wanted]).to(pictures.device) for name in wanted[0]}
        return _focal(maps.middles, whole["bells"], whole["counts"]) + _sides(maps.sides, whole)


def wanted_maps(truth: Marked, num_classes: int, size: Sequence[int]) -> dict[str, Tensor]:
    """What the boxes of one crop ask of its maps.

    Args:
        truth: The boxes.
        num_classes: K.
        size: Height and width of the maps in cells.

    Returns:
        "bells" (K, h, w) in [0, 1]; "counts" (K, h, w), 0 where a cell has no say in its class; "edges" (4, h, w) of
        the box whose sides a cell learns; "weights" (h, w), 0 in cells that learn none.
    """
    height, width = size
    middles = cell_middles(height, width, torch.zeros(0))
    bells, counts = torch.zeros(num_classes, height, width), torch.ones(num_classes, height, width)
    edges, weights = torch.zeros(4, height, width), torch.zeros(height, width)
    areas = (truth.edges[:, 2:] - truth.edges[:, :2]).prod(axis=1)
    for index in np.argsort(-areas, kind="stable"):  # the smallest last, so that it wins
        box, label = torch.from_numpy(truth.edges[index]), int(truth.classes[index])
        if truth.ignored[index]:
            inside = ((middles >= box[:2, None, None]) & (middles <= box[2:, None, None])).all(dim=0)
            counts[label][inside] = 0
            continue
        bell = _bell(box, middles)
        bells[label] = torch.maximum(bells[label], bell)
        sure = bell > SURE
        edges[:, sure] = box[:, None]
        weights[sure] = bell[sure]
    counts[bells == 1] = 1
    return {"bells": bells, "counts": counts, "edges": edges, "weights": weights}


def _bell(box: Tensor, middles: Tensor) -> Tensor:
    """(h, w): 1 in the cell of the middle of a box, falling off around it."""
    last = torch.tensor([middles.shape[2] - 1, middles.shape[1] - 1])
    cell = torch.minimum(((box[:2] + box[2:]) / 2 / STRIDE).floor().long(), last)
    peak = (cell + 0.5) * STRIDE
    spread = ((box[2:] - box[:2]) / 6).clamp(min=LEAST_WIDTH * STRIDE)
    distance = (((middles - peak[:, None, None]) / spread[:, None, None]) ** 2).sum(dim=0)
    return torch.exp(-distance / 2)


def _focal(logits: Tensor, bells: Tensor, counts: Tensor) -> Tensor:
    """CenterNet's focal loss of the middles over the number of boxes, at least 1."""
    likely = logits.sigmoid()
    is_middle = bells == 1
    found = -((1 - likely) ** FOCAL_POWER) * functional.logsigmoid(logits)
    empty = -((1 - bells) ** SOFT_POWER) * likely**FOCAL_POWER * functional.logsigmoid(-logits)
    total = (torch.where(is_middle, found, empty) * counts).sum()
    return total / is_middle.sum().clamp(min=1)


def _sides(sides: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
    """Weighted mean of 1 - GIoU over the cells that learn sides; 0 where none does."""
    weights = wanted["weights"]
    chosen = weights > 0
    if not bool(chosen.any()):
        return sides.sum() * 0
    middles = cell_middles(sides.shape[2], sides.shape[3], sides).expand(len(sides), -1, -1, -1)
    found = torch.cat((middles - sides[:, :2], middles + sides[:, 2:]), dim=1).movedim(1, -1)[chosen]
    true = wanted["edges"].movedim(1, -1)[chosen]
    losses = 1 - generalised_overlap(found, true)
    return (losses * weights[chosen]).sum() / weights[chosen].sum()


def generalised_overlap(one: Tensor, other: Tensor) -> Tensor:
    """GIoU of boxes (N, 4), in (-1, 1]: the overlap less the share of the common frame that neither covers.

    >>> generalised_overlap(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]])).round(decimals=4)
    tensor([0.3333])
    """
    shared = (torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2])).clamp(min=0).prod(1)
    both = (one[:, 2:] - one[:, :2]).prod(1) + (other[:, 2:] - other[:, :2]).prod(1) - shared
    frame = (torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])).prod(1)
    return shared / both.clamp(min=1e-6) - (frame - both) / frame.clamp(min=1e-6)
