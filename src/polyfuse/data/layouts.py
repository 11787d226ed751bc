"""Finding the pairs of a data set in the folder layouts that exist: by split and modality, in any order, or flat."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from polyfuse.errors import InputError
from polyfuse.io import SUFFIXES, Pair, find_pairs, natural_key

FOLDERS_A = ("ir", "infrared", "inf", "cropinfrared", "thermal", "lwir", "nir", "mri")
"""Lower-case names of folders that hold a: MSRS ir, LLVIP infrared, M3FD Ir, RoadScene cropinfrared, Harvard MRI."""
FOLDERS_B = ("vi", "vis", "visible", "crop_lr_visible", "rgb", "ct", "pet", "spect")
"""The same for b. RoadScene's crop_LR_visible has the size of cropinfrared."""
ENDS = (("_nir", "_rgb"), ("_ir", "_vi"), ("_ir", "_vis"))
"""Ends of stems, lower case, by which pairs lie in one folder: RGB-NIR Scene 0001_nir.tiff and 0001_rgb.tiff."""
WITHOUT_SPLIT = "all"
KAIST_TRAIN, KAIST_TEST = range(6), range(6, 12)
"""Numbers of KAIST's sets, which are its splits."""


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

    Known are SPLIT/ir + SPLIT/vi (MSRS and this project's data), infrared/SPLIT + visible/SPLIT (LLVIP),
    setNN/VNNN/lwir + setNN/VNNN/visible (KAIST, sets 00 to 05 are train and 06 to 11 test) and, without splits,
    Ir + Vis (M3FD), cropinfrared + crop_LR_visible (RoadScene), MRI + CT, PET or SPECT (Harvard), or NAME_nir +
    NAME_rgb in one folder or in folders of it (RGB-NIR Scene).

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
    kaist = _kaist_pairs(folder, split)
    if kaist:
        return PairSet(folder.resolve().name, split, kaist)
    for base, split_name in ((folder / split, split), (folder, WITHOUT_SPLIT)):
        pairs = _pairs_by_end(base)
        if pairs:
            return PairSet(folder.resolve().name, split_name, pairs)
    raise InputError(
        f"{folder} has no split {split!r} with folders such as ir and vi: check the split, or name two folders with "
        "--pair A B."
    )


def _one_of(base: Path, names: tuple[str, ...], below: str) -> Path | None:
    """The first of `names`, in any case, that is a folder in `base` and has the folder `below`."""
    entries = {path.name.lower(): path / below for path in sorted(base.iterdir())} if base.is_dir() else {}
    return next((entries[name] for name in names if name in entries and entries[name].is_dir()), None)


def _kaist_pairs(folder: Path, split: str) -> tuple[Pair, ...]:
    """Pairs of the sets of KAIST that are this split, named as setNN_VNNN_STEM; none where it is another layout."""
    numbers = {"train": KAIST_TRAIN, "test": KAIST_TEST}.get(split, range(0))
    pairs: list[Pair] = []
    for clip in sorted((*folder.glob("set[0-9][0-9]/V[0-9]*"), *folder.glob("images/set[0-9][0-9]/V[0-9]*"))):
        a, b = _one_of(clip, FOLDERS_A, ""), _one_of(clip, FOLDERS_B, "")
        if a is not None and b is not None and int(clip.parent.name[3:]) in numbers:
            pairs += [replace(pair, name=f"{clip.parent.name}_{clip.name}_{pair.name}") for pair in find_pairs(a, b)]
    return tuple(pairs)


def _pairs_by_end(folder: Path) -> tuple[Pair, ...]:
    """Pairs in a folder, or in the folders in it, whose stems differ in their ends; none where there are none.

    Raises:
        InputError: If pictures lack a partner.
    """
    below = [path for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []
    pairs = [pair for base in (folder, *below) for ends in ENDS for pair in _pairs_with(base, *ends)]
    return tuple(
        replace(pair, name=pair.name if pair.a.parent == folder else f"{pair.a.parent.name}_{pair.name}")
        for pair in pairs
    )


def _pairs_with(folder: Path, end_a: str, end_b: str) -> list[Pair]:
    """Pairs in one folder whose stems end so."""
    found: dict[str, dict[str, Path]] = {end_a: {}, end_b: {}}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = re.fullmatch(f"(.+)({end_a}|{end_b})", path.stem, re.IGNORECASE)
        if match and path.suffix.lower() in SUFFIXES and path.is_file():
            found[match[2].lower()][match[1]] = path
    a, b = found[end_a], found[end_b]
    alone = sorted(a.keys() ^ b.keys())
    if alone and a and b:
        raise InputError(f"{folder} has {alone[0]}{end_a if alone[0] in a else end_b} without its partner: add it.")
    return [Pair(name, a[name], b[name]) for name in sorted(a.keys() & b.keys(), key=natural_key)]
