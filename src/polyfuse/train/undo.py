"""Taking back a step that failed: its earlier turns, and buffers that a forward pass has changed."""

from __future__ import annotations

from copy import deepcopy

from polyfuse.train.state import RunState


class Undo:
    """Copies of all that a step changes before its last turn can fail; a turn that fails leaves its own weights alone.

    Args:
        state: The run, before the step.
    """

    def __init__(self, state: RunState) -> None:
        earlier = state.stage.turns[:-1]
        trained = {name for turn in earlier for name in turn.parts}
        self._values = [
            (value, value.clone())
            for name, part in state.parts.items()
            for value in (part.state_dict().values() if name in trained else part.buffers())
        ]
        optimisers = [state.optimisers[turn.name] for turn in earlier]
        self._optimisers = [(optimiser, deepcopy(optimiser.state_dict())) for optimiser in optimisers]

    def put_back(self) -> None:
        """Make the state what it was."""
        for value, kept in self._values:
            value.copy_(kept)
        for optimiser, kept in self._optimisers:
            optimiser.load_state_dict(kept)
