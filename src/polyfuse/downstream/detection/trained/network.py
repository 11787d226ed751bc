"""A small detector without anchors: where the middle of an object is, and how far its sides are from there.

Ours, after the ideas of CenterNet (Zhou et al. 2019: middles as peaks of a map for each class) and FCOS (Tian et al.
2019: distances to four sides). About half a million parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.downstream.training.body import Body, padded

STRIDE = 4
"""Pixels of a cell of the maps."""
MOST = 100
"""Boxes that are kept of a picture, the best ones."""
LEAST_SCORE = 0.05
"""Peaks below it are no boxes."""
SAME = 0.6
"""Of two boxes of one class that overlap by more, the worse is dropped."""
_PRIOR = 0.02
"""What the maps of middles begin with, so that the many empty cells do not rule the first steps."""
_LOG_SIDES = (-2.0, 6.0)
"""Bounds of the logarithm of a side in cells: half a pixel to 1600."""


@dataclass(frozen=True, eq=False)
class Maps:
    """What the network says of a batch of pictures, a cell for each 4x4 pixels."""

    middles: Tensor
    """(N, K, h, w) logits: how likely the middle of an object of each class lies there."""
    sides: Tensor
    """(N, 4, h, w) distances in pixels from the middle of the cell to left, top, right and bottom."""


class Detector(nn.Module):
    """Maps of middles and sides for a picture.

    Args:
        num_classes: Number of classes.
        width: Of `Body`.
    """

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.body = Body(width, STRIDE)
        features = self.body.num_features
        self.middles = _head(features, num_classes)
        self.sides = _head(features, 4)
        nn.init.constant_(self.middles[-1].bias, -math.log((1 - _PRIOR) / _PRIOR))  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> Maps:
        """(N, 3, H, W) of any size; maps cover it, and up to 15 pixels more at the right and the bottom."""
        features = self.body(padded(pictures))
        return Maps(self.middles(features), self.sides(features).clamp(*_LOG_SIDES).exp() * STRIDE)


def _head(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution that looks around, and one that answers."""
    return nn.Sequential(
        nn.Conv2d(inputs, 64, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(64, outputs, 1)
    )  # fmt: skip


def cell_middles(height: int, width: int, like: Tensor) -> Tensor:
    """(2, h, w): x and y in pixels of the middle of each cell of a map."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack((x, y)).to(like) + 0.5) * STRIDE


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in one picture, best first."""

    edges: NDArray[np.float64]
    """(N, 4): x0, y0, x1, y1 in pixels."""
    scores: NDArray[np.float64]
    """(N,) in [0, 1]."""
    classes: NDArray[np.int64]
    """(N,) indices."""


@torch.inference_mode()
def decode(maps: Maps, size: tuple[int, int]) -> Boxes:
    """Read the boxes of one picture off its maps.

    A cell is a peak where no cell around it is likelier for that class.

    Args:
        maps: Of a batch of one.
        size: Height and width of the picture; boxes are cut to it.
    """
    likely = maps.middles.sigmoid()
    peaks = likely * (functional.max_pool2d(likely, 3, 1, 1) == likely)
    height, width = peaks.shape[2:]
    scores, places = peaks.reshape(-1).topk(min(4 * MOST, peaks.numel()))
    keep = scores >= LEAST_SCORE
    scores, places = scores[keep], places[keep]
    cells = places % (height * width)
    middles = cell_middles(height, width, likely).reshape(2, -1)[:, cells]
    left, top, right, bottom = maps.sides[0].reshape(4, -1)[:, cells]
    edges = torch.stack((middles[0] - left, middles[1] - top, middles[0] + right, middles[1] + bottom), dim=1)
    limits = torch.tensor([size[1], size[0], size[1], size[0]]).to(edges)
    boxes = Boxes(
        torch.minimum(edges.clamp(min=0), limits).double().cpu().numpy(),
        scores.double().cpu().numpy(),
        (places // (height * width)).cpu().numpy(),
    )
    return _without_doubles(boxes)


def _without_doubles(boxes: Boxes) -> Boxes:
    """The best boxes, none of which is another one's double, none without area."""
    sides = boxes.edges[:, 2:] - boxes.edges[:, :2]
    areas = sides.prod(axis=1)
    kept: list[int] = []
    for index in np.flatnonzero((sides > 0).all(axis=1)):
        same = [other for other in kept if boxes.classes[other] == boxes.classes[index]]
        if not same or overlap(boxes.edges[same], boxes.edges[index], areas[same], areas[index]).max() <= SAME:
            kept.append(int(index))
        if len(kept) == MOST:
            break
    return Boxes(boxes.edges[kept], boxes.scores[kept], boxes.classes[kept])


def overlap(
    some: NDArray[np.float64], one: NDArray[np.float64], areas: NDArray[np.float64], area: float
) -> NDArray[np.float64]:
    """Shared area of each of some boxes with one box, over that of both together."""
    low, high = np.maximum(some[:, :2], one[:2]), np.minimum(some[:, 2:], one[2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    result: NDArray[np.float64] = shared / (areas + area - shared)
    return result
