"""In what two recipes differ, as far as it decides over the weights."""

from __future__ import annotations

from typing import Any

from polyfuse.train.recipe import Recipe

_FREE = ("rhythm", "data.train", "data.val", "teacher")
"""How often things are done, and where data and a teacher lie."""


def first_difference(old: Recipe, new: Recipe, *, compare_steps: bool = False) -> str | None:
    """The first key whose values differ, as text; None if the recipes are as good as the same.

    Args:
        old: Recipe of a run that was begun.
        new: Recipe that is to go on with it.
        compare_steps: Whether the length of a stage counts; a run may be made longer (its schedule is stretched).
    """
    return _difference(old.to_json(), new.to_json(), "", compare_steps)


def _difference(old: Any, new: Any, key: str, compare_steps: bool) -> str | None:
    if key in _FREE or (key.endswith(".steps") and not compare_steps):
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new})
        found = (_difference(old.get(n), new.get(n), f"{key}.{n}".lstrip("."), compare_steps) for n in names)
        return next((text for text in found if text is not None), None)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        found = (_difference(o, n, f"{key}.{i}", compare_steps) for i, (o, n) in pairs)
        return next((text for text in found if text is not None), None)
    return None if old == new else f"{key} was {old!r} and is {new!r}"
