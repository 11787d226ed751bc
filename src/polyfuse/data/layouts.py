"""Finding the pairs of a data set in the folder layouts that exist: by split and modality, in any order, or flat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyfuse.errors import InputError
from polyfuse.io import Pair, find_pairs

FOLDERS_A = ("ir", "infrared", "inf", "cropinfrared", "thermal", "nir", "mri")
"""Lower-case names of folders that hold a: MSRS ir, LLVIP infrared, M3FD Ir, RoadScene cropinfrared, Harvard MRI."""
FOLDERS_B = ("vi", "vis", "visible", "crop_lr_visible", "rgb", "ct", "pet", "spect")
"""The same for b. RoadScene's crop_LR_visible has the size of cropinfrared."""
WITHOUT_SPLIT = "all"


@dataclass(frozen=True)
class PairSet:
    """The pairs of one split of a data set."""

    name: str
    """Name of the set, that of its folder."""
    split: str
    """"train", "val", "test", or "all" where the folders know no splits."""
    pairs: tuple[Pair, ...]
    """Its pairs in natural order."""


def find_set(folder: Path, split: str) -> PairSet:
    """Find the pairs of one split of a data set.

    Known are SPLIT/ir + SPLIT/vi (MSRS and this project's data), infrared/SPLIT + visible/SPLIT (LLVIP) and, without
    splits, Ir + Vis (M3FD), cropinfrared + crop_LR_visible (RoadScene) or MRI + CT, PET or SPECT (Harvard).

    Args:
        folder: The set.
        split: Which split; a folder without splits is taken as a whole.

    Returns:
        At least one pair.

    Raises:
        InputError: If the folder is missing or of no known layout, the split is empty, or pictures lack a partner.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give the folder of a data set.")
    for base, below, split_name in ((folder / split, "", split), (folder, split, split), (folder, "", WITHOUT_SPLIT)):
        a, b = _one_of(base, FOLDERS_A, below), _one_of(base, FOLDERS_B, below)
        if a is not None and b is not None:
            return PairSet(folder.resolve().name, split_name, tuple(find_pairs(a, b)))
    raise InputError(
        f"{folder} has no split {split!r} with folders such as ir and vi: check the split, or name two folders with "
        "--pair A B."
    )


def _one_of(base: Path, names: tuple[str, ...], below: str) -> Path | None:
    """The first of `names`, in any case, that is a folder in `base` and has the folder `below`."""
    entries = {path.name.lower(): path / below for path in sorted(base.iterdir())} if base.is_dir() else {}
    return next((entries[name] for name in names if name in entries and entries[name].is_dir()), None)
