"""Losses and gradients of a turn as one CUDA graph.

A step of these networks is thousands of small kernels, which a GPU computes faster than a processor can start them.
They are recorded once and then started together. What is recorded must not read a tensor's value: a turn that does
needs `--no-graphs`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polyfuse.train.stage import Batch, Parts, Turn
from polyfuse.train.turns import losses_and_gradients, turn_parameters

WARM_UP = 3
"""Passes before the recording, in which libraries choose their kernels. Source: PyTorch's advice."""


class CapturedTurn:
    """`losses_and_gradients` for batches of one shape, without a change of the results.

    Args:
        parts: All networks of the family, on a GPU; their tensors must stay where they are.
        turn: The turn to record.
        batch: A batch of the shape of all that follow.
    """

    def __init__(self, parts: Parts, turn: Turn, batch: Batch) -> None:
        self._batch = Batch(batch.a.clone(), batch.b.clone(), batch.mean)
        buffers = [buffer for part in parts.values() for buffer in part.buffers()]
        before = [buffer.clone() for buffer in buffers]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                losses_and_gradients(parts, turn, self._batch)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        trained = [value for group in turn_parameters(parts, turn).values() for value in group]
        for value in trained:
            value.grad = None
        with torch.cuda.graph(self._graph):
            self._results = losses_and_gradients(parts, turn, self._batch)
        self._gradients = [(value, value.grad) for value in trained]
        for buffer, kept in zip(buffers, before, strict=True):
            buffer.copy_(kept)

    def __call__(self, parts: Parts, turn: Turn, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """`losses_and_gradients` of `batch`; the gradients are in the `grad` of the parameters."""
        self._batch.a.copy_(batch.a)
        self._batch.b.copy_(batch.b)
        self._graph.replay()
        for value, gradient in self._gradients:
            value.grad = gradient
        return self._results
