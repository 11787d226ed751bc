"""One optimiser step: losses, mean gradients over all processes, a check that all are finite, clipping."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from polyfuse.errors import TrainingError
from polyfuse.train.optimiser import gradient_norm
from polyfuse.train.stage import Batch, Parts, Turn

Compute = Callable[[Parts, Turn, Batch], tuple[dict[str, Tensor], Tensor]]
NOTE = "note."
"""Prefix, in the log, of values that are not minimised."""


def take_turn(
    parts: Parts,
    turn: Turn,
    optimiser: torch.optim.Optimizer,
    rate: float,
    batch: Batch,
    average: Callable[[Tensor], Tensor],
    compute: Compute | None = None,
) -> dict[str, float]:
    """Train the parts of `turn` on `batch`.

    Args:
        parts: All networks of the family.
        turn: What to do.
        optimiser: Optimiser of the parts that it trains.
        rate: Learning rate of this step.
        batch: This process's share of the batch.
        average: Mean of a tensor over all processes.
        compute: Used instead of `losses_and_gradients`, e.g. a `CapturedTurn`.

    Returns:
        Losses and, as "note.NAME", notes over all processes, "total" of the losses, and "norm.PART", the gradient norm
        of each part before clipping.

    Raises:
        TrainingError: If a loss or a gradient is not finite; no weight has been changed by this turn then.
    """
    losses, total = (compute or losses_and_gradients)(parts, turn, batch)
    groups = turn_parameters(parts, turn)
    _average_gradients([value for group in groups.values() for value in group], average)
    means = average(torch.stack([*(loss.detach() for loss in losses.values()), total.detach()])).tolist()
    names = [NOTE + name if name in turn.noted else name for name in losses]
    values = dict(zip([*names, "total"], means, strict=True))
    norms = torch.stack([gradient_norm(group) for group in groups.values()]).tolist()
    values |= {f"norm.{name}": norm for name, norm in zip(groups, norms, strict=True)}
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrainingError(f"{name} of turn {turn.name} is {value}")
    if turn.optimiser.clip is not None:
        total_norm = math.hypot(*norms)
        for group, norm in zip(groups.values(), norms, strict=True):
            clipped = torch.tensor(norm if turn.children else total_norm)
            torch.nn.utils.clip_grads_with_norm_(group, turn.optimiser.clip, clipped, foreach=True)
    for name, settings in zip(groups, optimiser.param_groups, strict=True):
        settings["lr"] = rate * turn.rates.get(name, 1.0)
    optimiser.step()
    return values


def losses_and_gradients(parts: Parts, turn: Turn, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
    """Losses and notes of `turn`, and the sum of the losses; the gradients are left in what it trains."""
    for name, part in parts.items():
        part.requires_grad_(name in turn.parts)
    for path in turn.frozen:
        owner, _, inner = path.partition(".")
        module, _, name = inner.rpartition(".")
        getattr(parts[owner].get_submodule(module), name).requires_grad_(False)
    for group in turn_parameters(parts, turn).values():
        for value in group:
            value.grad = None
    losses = turn.step(parts, batch)
    total = torch.stack([loss for name, loss in losses.items() if name not in turn.noted]).sum()
    total.backward()
    return losses, total


def turn_parameters(parts: Parts, turn: Turn) -> dict[str, list[nn.Parameter]]:
    """Parameters that `turn` trains, by part, or by child of its only part."""
    if not turn.children:
        return {name: list(parts[name].parameters()) for name in turn.parts}
    (part,) = turn.parts
    return {name: list(parts[part].get_submodule(name).parameters()) for name in turn.children}


def _average_gradients(trained: list[nn.Parameter], average: Callable[[Tensor], Tensor]) -> None:
    """Replace gradients by their means over all processes, in one exchange.

    Not DistributedDataParallel: a stage may call any part any number of times, in any turn, and the networks here are
    small enough for one message.
    """
    gradients = [value.grad for value in trained if value.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    averaged = average(flat)
    if averaged is not flat:
        for gradient, values in zip(gradients, averaged.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(values.view_as(gradient))
