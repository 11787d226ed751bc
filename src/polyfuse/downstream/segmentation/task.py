"""Segmentation as something that a network learns: its loss on crops, its prediction for a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from polyfuse.downstream.segmentation.classes import Classes
from polyfuse.downstream.segmentation.networks import NetworkName, build_network
from polyfuse.downstream.training.draws import Draw
from polyfuse.downstream.training.engine import Rgb, as_input, cut_array
from polyfuse.errors import InputError

Mask = NDArray[Any]
_UNCOUNTED = -1


@dataclass(frozen=True)
class SegmentationTask:
    """Cross-entropy over the pixels that count, rare classes weighted up.

    The weight of a class is the inverse square root of its share of the training pixels, scaled to a mean of 1 over the
    classes that occur: without it a short training never draws what is small. The same for every row. Source: ours.
    """

    classes: Classes
    """What the masks hold."""
    network: NetworkName
    """Which network."""
    weights: tuple[float, ...]
    """Of the classes, from `class_weights`."""

    def facts(self) -> dict[str, Any]:
        """What the outcome depends on."""
        weights = [round(weight, 6) for weight in self.weights]
        return {"kind": "segmentation", "network": self.network, "weights": weights, "ignore": self.classes.ignore}

    def build(self) -> nn.Module:
        """A new network."""
        return build_network(self.network, len(self.classes.names))

    def cut(self, truth: Mask, draw: Draw, height: int, width: int) -> Mask:
        """The mask of a crop."""
        return cut_array(truth, draw, height, width)

    def digest(self, truth: Mask) -> bytes:
        """The mask as bytes."""
        return truth.tobytes()

    def loss(self, network: nn.Module, pictures: Tensor, truths: Sequence[Mask]) -> Tensor:
        """Weighted mean over the pixels that count; 0 where none does."""
        logits: Tensor = network(pictures)
        truth = torch.from_numpy(np.stack(truths).astype(np.int64)).to(logits.device)
        if self.classes.ignore is not None:
            truth = torch.where(truth == self.classes.ignore, _UNCOUNTED, truth)
        weights = logits.new_tensor(self.weights)
        losses = functional.cross_entropy(logits, truth, weights, ignore_index=_UNCOUNTED, reduction="sum")
        total = torch.where(truth >= 0, weights[truth.clamp(min=0)], 0).sum()
        return losses / total.clamp(min=1e-6)


def class_weights(masks: Sequence[Mask], classes: Classes) -> tuple[float, ...]:
    """Weights of the classes in the loss, from the masks that are trained on.

    Args:
        masks: Class indices, checked.
        classes: What they are.

    Returns:
        One a class; 0 for classes that no mask has.

    Raises:
        InputError: If the masks have no pixel that counts.
    """
    counts = np.zeros(len(classes.names), np.int64)
    for mask in masks:
        counted = mask if classes.ignore is None else mask[mask != classes.ignore]
        counts += np.bincount(counted.reshape(-1), minlength=len(counts))
    if not counts.any():
        raise InputError("the masks to train on have no pixel that counts: check them and the index that is ignored")
    raw = np.where(counts > 0, 1 / np.sqrt(np.maximum(counts, 1) / counts.sum()), 0.0)
    return tuple(float(weight) for weight in raw / raw[counts > 0].mean())


@torch.inference_mode()
def predict(network: nn.Module, picture: Rgb, classes: Classes, device: torch.device) -> NDArray[np.int64]:
    """The likeliest class of every pixel of a whole picture, never the one that is ignored.

    Args:
        network: In evaluation mode.
        picture: (H, W, 3) RGB.
        classes: What it was trained for.
        device: Where it is.

    Returns:
        (H, W) class indices.
    """
    logits = network(as_input([picture], device))[0]
    if classes.ignore is not None and classes.ignore < len(logits):
        logits[classes.ignore] = -torch.inf
    predicted: NDArray[np.int64] = logits.argmax(dim=0).cpu().numpy()
    return predicted
