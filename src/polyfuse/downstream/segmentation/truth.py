"""Pairs with a mask of class indices, found in the layouts that exist; whatever is missing is told before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from polyfuse.downstream.lists import read_names
from polyfuse.downstream.segmentation.classes import FMB, MFNET, Classes, classes_from_file
from polyfuse.errors import InputError
from polyfuse.io import Pair, find_pairs, peek_size, write_picture
from polyfuse.io.indices import read_four_channels, read_indices
from polyfuse.io.pairs import list_pictures, listed
from polyfuse.io.source import shown

_MASK_FOLDERS = ("segmentation_labels", "segmentation-labels", "label", "labels", "classes", "masks")
"""Names, lower case, of folders with masks: MSRS Segmentation_labels, FMB Label, drawn scenes classes."""
_A, _B = ("ir", "infrared", "thermal"), ("vi", "vis", "visible", "rgb")
_FMB_FOLDER = "label"


@dataclass(frozen=True)
class LabelledPair:
    """Two sources of one scene and the class of every pixel."""

    pair: Pair
    """The sources; one file for both where it holds four channels."""
    mask_path: Path
    """Mask of class indices, of the size of the sources."""

    @property
    def name(self) -> str:
        """Of the pair."""
        return self.pair.name

    @property
    def in_one_file(self) -> bool:
        """Whether both sources are channels of one file, as in MFNet."""
        return self.pair.a == self.pair.b

    def mask(self, classes: Classes) -> NDArray[Any]:
        """(H, W) class indices.

        Raises:
            InputError: If the mask cannot be read, has another size than the sources, or holds what is no class.
        """
        mask, size = read_indices(self.mask_path), peek_size(self.pair.a)
        if mask.shape[::-1] != size:
            raise InputError(
                f"{shown(self.mask_path)} is {mask.shape[1]}x{mask.shape[0]} and the picture of its name {size[0]}x"
                f"{size[1]}: give masks of the size of the pictures"
            )
        classes.check(mask, self.mask_path)
        return mask


@dataclass(frozen=True)
class LabelledSet:
    """Pairs with truth, and what the truth means."""

    classes: Classes
    """What the indices are."""
    pairs: tuple[LabelledPair, ...]
    """At least one, in natural order."""


def find_labelled(folder: Path, split: str, *, classes: Path | None = None, ignore: int | None = None) -> LabelledSet:
    """Find the pairs of a data set that has a mask for each.

    Known are, told by their folders:

    - drawn scenes (`polyfuse data synthetic`): ir, vi, classes and truth.json, without splits;
    - MFNet: images (PNG of four channels, the last is infrared), labels and SPLIT.txt with a name a line;
    - MSRS: SPLIT/ir, SPLIT/vi, SPLIT/Segmentation_labels;
    - FMB: SPLIT/Infrared, SPLIT/Visible, SPLIT/Label, of which 0 is ignored;
    - any other with folders such as ir, vi and masks, with or without splits, where `classes` names what they hold.

    Args:
        folder: The set.
        split: Which split; a folder without splits is taken as a whole.
        classes: File with the names of the classes, where the layout does not say, or says otherwise.
        ignore: Index that is not counted; None leaves it to the layout.

    Raises:
        InputError: If the folder is of no known layout, a partner is missing, or nobody says which classes there are.
    """
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give the folder of a data set with masks")
    images, labels = _below(folder, ("images",)), _below(folder, ("labels",))
    if images is not None and labels is not None and _below(folder, _A) is None:
        pairs = _mfnet_pairs(folder, images, labels, split)
        return LabelledSet(_chosen(MFNET, classes, ignore, folder), pairs)
    for base in (folder / split, folder):
        places = [_below(base, names) for names in (_A, _B, _MASK_FOLDERS)]
        a, b, masks = places
        if a is not None and b is not None and masks is not None:
            known = _known_classes(base, masks)
            return LabelledSet(_chosen(known, classes, ignore, folder), with_masks(find_pairs(a, b), masks))
    raise InputError(
        f"{shown(folder)} has no split {split!r} with folders such as ir, vi and classes: check the split and the "
        "names of its folders"
    )


def unpacked(labelled: LabelledSet, folder: Path) -> LabelledSet:
    """The same set with two files a pair: sources that lie in one file are written apart.

    Args:
        labelled: As `find_labelled` gives it.
        folder: Where ir/NAME.png and vi/NAME.png are written; what is there from the same file is kept.

    Raises:
        InputError: If a file does not hold four channels.
        OutputError: If one cannot be written.
    """
    return replace(labelled, pairs=tuple(_apart(item, folder) if item.in_one_file else item for item in labelled.pairs))


def _apart(item: LabelledPair, folder: Path) -> LabelledPair:
    """One pair with a file for each source."""
    a, b = folder / "ir" / f"{item.name}.png", folder / "vi" / f"{item.name}.png"
    written = item.pair.a.stat().st_mtime_ns
    if not all(path.exists() and path.stat().st_mtime_ns >= written for path in (a, b)):
        for path, picture in zip((a, b), read_four_channels(item.pair.a), strict=True):
            write_picture(path, picture.array, overwrite=True)
    return replace(item, pair=Pair(item.name, a, b))


def with_masks(pairs: list[Pair], masks: Path) -> tuple[LabelledPair, ...]:
    """Give each pair the mask of its name.

    Args:
        pairs: The pairs.
        masks: Folder with a mask of each name.

    Raises:
        InputError: If a pair has no mask, or a mask no pair.
    """
    by_name: dict[str, Path] = {}
    for path in list_pictures(masks):
        if by_name.setdefault(path.stem, path) != path:
            raise InputError(f"{shown(masks)} has more than one mask for {shown(path.stem)}: keep one of them")
    alone = [pair.name for pair in pairs if pair.name not in by_name]
    if alone:
        has = "pair has" if len(alone) == 1 else "pairs have"
        raise InputError(f"{len(alone)} {has} no mask in {shown(masks)} ({listed(alone)}): add them")
    left = sorted(by_name.keys() - {pair.name for pair in pairs})
    if left:
        has = "mask" if len(left) == 1 else "masks"
        raise InputError(f"{len(left)} {has} in {shown(masks)} without a pair ({listed(left)}): add the pictures")
    return tuple(LabelledPair(pair, by_name[pair.name]) for pair in pairs)


def _chosen(known: Classes | None, path: Path | None, ignore: int | None, folder: Path) -> Classes:
    """The classes of a layout, changed by what the user says of them."""
    if path is not None:
        known = classes_from_file(path, 255 if known is None else known.ignore)
    if known is None:
        raise InputError(f"nothing says which classes the masks of {shown(folder)} hold: name them with --classes FILE")
    return known if ignore is None else Classes(known.names, ignore)


def _known_classes(base: Path, masks: Path) -> Classes | None:
    """What a layout says of its classes."""
    if (base / "truth.json").exists():
        return classes_from_file(base / "truth.json", None)
    name = masks.name.lower().replace("-", "_")
    if name == "segmentation_labels":
        return MFNET
    return FMB if name == _FMB_FOLDER and _below(base, ("infrared",)) is not None else None


def _below(base: Path, names: tuple[str, ...]) -> Path | None:
    """The first of `names`, in any case, that is a folder in `base`."""
    entries = {path.name.lower(): path for path in sorted(base.iterdir())} if base.is_dir() else {}
    return next((entries[name] for name in names if name in entries and entries[name].is_dir()), None)


def _mfnet_pairs(folder: Path, images: Path, labels: Path, split: str) -> tuple[LabelledPair, ...]:
    """Pairs that the list of a split names, both sources in one file each."""
    by_name = {path.stem: path for path in list_pictures(images)}
    masks = {path.stem: path for path in list_pictures(labels)}
    list_path = folder / f"{split}.txt"
    names = read_names(list_path)
    missing = [name for name in names if name not in by_name or name not in masks]
    if missing:
        raise InputError(
            f"{shown(list_path)} names pictures without image or label ({listed(missing)}): add them, or correct it"
        )
    return tuple(LabelledPair(Pair(name, by_name[name], by_name[name]), masks[name]) for name in names)
