"""What a family measures of a pair, and what its paper claims of it: the words in which a wing says both.

A wing's `explained` may have two names more than `find` and `draw`:

- `measure(model, a, b)`, from a model and a pair, (1, 1, H, W) each, to `Measured`;
- `CLAIMS`, the claims, a tuple of `Claim`.

Whether a claim holds is the engine's affair (`polyfuse.explain.claims`), which averages over many pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Measured = Mapping[str, Mapping[str, float]]
"""Numbers of one pair by place (a layer, a branch) and quantity, e.g. {"base": {"correlation": 0.9}}."""


@dataclass(frozen=True)
class Claim:
    """One statement about a model, as a margin that is positive where it is true."""

    text: str
    """The statement, as a reader of the paper would put it."""
    source: str
    """Who says so: the paper, its loss, or, where the number is ours, that too."""
    formula: str
    """The margin in words."""
    margin: Callable[[Measured], float]
    """From what was measured of one pair to the margin; positive where the statement is true of it."""
    places: tuple[str, ...]
    """Places that `margin` looks at; of a network that lacks one, the claim is not asked."""
