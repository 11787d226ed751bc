"""The families that have an ablation study."""

from __future__ import annotations

from polyfuse.errors import UsageError
from polyfuse.families.daefuse.study import DAE_FUSE
from polyfuse.families.fnet.study import FNET
from polyfuse.families.smfnet.study import SMFNET
from polyfuse.train.variants import Study

STUDIES: dict[str, Study] = {study.family: study for study in (FNET, SMFNET, DAE_FUSE)}


def find_study(family: str) -> Study:
    """The study of that family.

    Raises:
        UsageError: If there is none.
    """
    if family.lower() not in STUDIES:
        raise UsageError(f"there is no ablation study of {family!r}: use {', '.join(STUDIES)}.")
    return STUDIES[family.lower()]
