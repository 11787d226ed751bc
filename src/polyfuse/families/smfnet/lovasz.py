"""The Lovasz-softmax loss of two classes and the labels it is given here: a surrogate of the Jaccard index."""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.ops.otsu import otsu_level

WHITE = 255
TEMPERATURE = 0.1
"""Width of the soft threshold, in units of the picture (ours)."""


def lovasz_loss(foreground: Tensor, labels: Tensor) -> Tensor:
    """Lovasz extension of the Jaccard loss, mean over the classes that occur.

    With the errors e = |f - p| of a class sorted downwards and f along, the loss is sum_i e_i (J_i - J_(i-1)) with
    J_i = 1 - (n - F_i) / (n + i - F_i), n the size of the class and F the running sum of f.

    Args:
        foreground: Probability of class 1, (N, P) in [0, 1]; class 0 has the rest.
        labels: (N, P), 0 or 1.

    Returns:
        (N,), in [0, 1], 0 for a perfect prediction.

    Source: Berman, Triki, Blaschko 2018.
    """
    # both classes make the same errors, |f - p|
    errors, order = (foreground - labels).abs().sort(dim=1, descending=True)
    member = torch.stack([1 - labels, labels]).to(errors.dtype)
    member = member.gather(2, order.expand_as(member))
    size = member.sum(dim=2, keepdim=True)
    seen = member.cumsum(dim=2)
    place = torch.arange(1, errors.shape[1] + 1, dtype=errors.dtype, device=errors.device)
    jaccard = 1 - (size - seen) / (size + place - seen)
    gain = torch.cat([jaccard[..., :1], jaccard.diff(dim=2)], dim=2)
    present = size[..., 0] > 0
    loss: Tensor = ((errors * gain).sum(dim=2) * present).sum(dim=0) / present.sum(dim=0)
    return loss


def otsu_lovasz_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """How badly a picture keeps apart what is bright and what is dark in the target; 0 is best.

    The classes are the target's pixels above and up to its Otsu level t; the prediction's probability of being bright
    is sigmoid((predicted - (t + 0.5) / 255) / 0.1).

    Args:
        predicted: (N, 1, H, W).
        target: Same shape, in [0, 1].

    Returns:
        A scalar, mean over the batch.

    Source: ours (spec smfnet 12 (S3)); the paper names no labels and the official code's have no gradient.
    """
    levels = (target.detach() * WHITE).round().clamp(0, WHITE).long()[:, 0]
    threshold = otsu_level(levels)[:, None]
    labels = (levels.flatten(1) > threshold).to(predicted.dtype)
    bright = ((predicted.flatten(1) - (threshold + 0.5) / WHITE) / TEMPERATURE).sigmoid()
    return lovasz_loss(bright, labels).mean()
