"""Contrast pyramid (Toet, van Ruyven and Valeton 1989): the details of `ratio` on the mean of the coarsest pictures."""

from __future__ import annotations

from torch import Tensor

from polyfuse.families.classic.ratio import Ratio


class Contrast(Ratio):
    """Local contrasts of larger magnitude on the mean base."""

    family = "contrast"

    def base(self, a: Tensor, b: Tensor) -> Tensor:
        """The coarsest picture of the result."""
        return (a + b) * 0.5
