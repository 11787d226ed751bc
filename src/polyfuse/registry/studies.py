"""The families that have an ablation study."""

from __future__ import annotations

from polyfuse.errors import UsageError
from polyfuse.registry.catalogue import FAMILIES, names_with
from polyfuse.train.variants import Study


def find_study(family: str) -> Study:
    """The study of that family.

    Raises:
        UsageError: If there is none.
    """
    known = names_with("study")
    if family.lower() not in known:
        raise UsageError(f"there is no ablation study of {family!r}: use {', '.join(known)}.")
    study: Study = FAMILIES[family.lower()].module("study").STUDY
    return study
