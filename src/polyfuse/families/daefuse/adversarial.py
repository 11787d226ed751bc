"""Adversarial training: losses of both sides, what discriminators see, and the weight of the adversarial loss.

The paper has two discriminators that tell sources from reconstructions, then sources from the fused picture by
"structural differences". The forms, views and weights here are ours (spec daefuse 3 and 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.ops.blur import gaussian_blur

AdversarialForm = Literal["bce", "lsgan", "hinge"]
View = Literal["image", "detail", "structure"]
REAL_LABEL = 0.9
"""Label of a source for its discriminator: less than 1 keeps it from growing too sure."""
VIEW_SIGMA = 2.0
"""Blur that parts structure from detail, pixels."""
DETAIL_GAIN = 2.0
"""Details are shown this many times larger."""
GRADIENT_FLOOR = 1e-8
"""Keeps the balance finite where the adversarial loss has no gradient."""
LEAST_SHARE, LARGEST_SHARE = 0.5, 2.0
"""Limits of `equalising_weights`."""


def discriminator_loss(real: Tensor, fake: Tensor, form: AdversarialForm = "bce") -> Tensor:
    """What a discriminator minimises: half its loss on sources and half on what the network made.

    bce: -log sigma(d) against labels 0.9 and 0; lsgan: squares from 0.9 and 0; hinge: relu(1 - real), relu(1 + fake).

    Args:
        real: Logits of sources, any shape.
        fake: Logits of what the network made, detached from it by the caller.
        form: One of these losses.
    """
    if form == "bce":
        losses = _cross_entropy(real, REAL_LABEL), _cross_entropy(fake, 0.0)
    elif form == "lsgan":
        losses = (real - REAL_LABEL).square().mean(), fake.square().mean()
    else:
        losses = functional.relu(1 - real).mean(), functional.relu(1 + fake).mean()
    return (losses[0] + losses[1]) / 2


def generator_loss(fake: Tensor, form: AdversarialForm = "bce") -> Tensor:
    """What the network minimises against one discriminator, in the form that does not saturate.

    bce: -log sigma(fake); lsgan: squares from 1; hinge: -fake.

    Args:
        fake: Logits of what the network made.
        form: One of these losses.
    """
    if form == "bce":
        return _cross_entropy(fake, 1.0)
    return (fake - 1).square().mean() if form == "lsgan" else -fake.mean()


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Binary cross entropy against one label."""
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def shown(picture: Tensor, source: str, view: View, detail_source: str = "b") -> Tensor:
    """What the discriminator of `source` sees of a picture, be it real or made.

    "image" is the picture; "detail" 2 (x - blur(x)); "structure" the detail for the discriminator of `detail_source`
    and the blurred picture for others, so that each judges what should come from its own modality.

    Args:
        picture: (N, 1, H, W).
        source: Modality of the discriminator, "a" or "b".
        view: One of these three.
        detail_source: Modality that details should come from: "b" for infrared and visible pictures, "a" for MRI with
            functional pictures.
    """
    if view == "image":
        return picture
    blurred = gaussian_blur(picture, VIEW_SIGMA)
    if view == "structure" and source != detail_source:
        return blurred
    return DETAIL_GAIN * (picture - blurred)


def balanced_weight(
    content: Tensor, adversarial: Tensor, outputs: Tensor | Sequence[Tensor], share: float = 0.1, largest: float = 1.0
) -> Tensor:
    """Weight that makes the adversarial gradient `share` times as large as that of the content loss.

    min(largest, share |d content / d outputs| / (|d adversarial / d outputs| + 1e-8)), norms over all outputs together.

    Args:
        content: Scalar loss; its graph is kept.
        adversarial: Scalar loss; its graph is kept.
        outputs: What the network made, one tensor or several, on which both losses were computed.
        share: Wanted ratio of the adversarial gradient to the content gradient.
        largest: Largest weight; taken where the adversarial loss has no gradient but the content loss has.

    Returns:
        A scalar without gradient.
    """
    made = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return balance(gradient_norm(content, made), gradient_norm(adversarial, made), share, largest)


def balance(content_norm: Tensor, adversarial_norm: Tensor, share: float = 0.1, largest: float = 1.0) -> Tensor:
    """The weight of `balanced_weight` from the norms of both gradients, scalars."""
    return (share * content_norm / (adversarial_norm + GRADIENT_FLOOR)).clamp(max=largest)


def gradient_norm(loss: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """Norm of the gradient of `loss` with respect to all outputs together; the graph is kept."""
    gradients = torch.autograd.grad(loss, outputs, retain_graph=True, allow_unused=True, materialize_grads=True)
    norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    norm: Tensor = torch.linalg.vector_norm(norms)
    return norm


def equalising_weights(losses: Tensor) -> Tensor:
    """Weights of the modalities, larger where the network fools less: loss over mean loss, within [1/2, 2].

    Args:
        losses: `generator_loss` against each discriminator, (M,), positive.

    Returns:
        (M,), without gradient.
    """
    values = losses.detach()
    return (values / values.mean()).clamp(LEAST_SHARE, LARGEST_SHARE)
