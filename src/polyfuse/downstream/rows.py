"""The contestants of a downstream comparison: each source alone, average, maximum, folders of results, models.

The four trivial rows are always there. A method that does not beat the better one of the two sources has shown nothing,
and a table without them cannot tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse import registry
from polyfuse.errors import InputError, UsageError
from polyfuse.fusion.batch import Outcome, Writing, fuse_pairs
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.pair import fuse_pictures
from polyfuse.fusion.sources import as_picture
from polyfuse.io import Pair, Picture, peek_size, read_picture
from polyfuse.io.pairs import list_pictures, listed
from polyfuse.io.source import shown
from polyfuse.transforms import measure_range, parse_range, quantise, to_unit
from polyfuse.transforms.ranges import RangeSpec

if TYPE_CHECKING:
    from polyfuse.ops.precision import Precision

SOURCES = ("infrared", "visible")
"""Rows that are one source alone; the better of them is what a method has to beat."""
BASELINES = ("average", "maximum")
"""Rows that need no method: the classic models of these names, made anew each time, as that takes milliseconds."""
TRIVIAL = (*SOURCES, *BASELINES)
"""The rows that every table has, in its order."""
FUSED = "fused"
"""Folder, in that of a run, with what models fused: fused/MODEL/NAME.png, each with its sidecar."""

_FULL = parse_range("full")
Kind = Literal["source", "baseline", "folder", "model"]
Pixels8 = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One contestant."""

    name: str
    """As tables print it: "infrared", a name given with a folder, or a model's name."""
    kind: Kind
    """One source alone, a baseline, a folder of results made elsewhere, or a model that fuses here."""
    files: Mapping[str, Path] = field(default_factory=dict, compare=False, repr=False)
    """Its picture by the name of the pair, for kinds "folder" and "model"."""


@dataclass(frozen=True)
class Contestants:
    """All rows of a comparison, and the picture of each for every pair.

    Only the picture that is asked for is in memory.
    """

    pairs: tuple[Pair, ...]
    """What is compared on, in order."""
    rows: tuple[Row, ...]
    """The four trivial rows, then folders, then models."""
    options: FuseOptions
    """How pictures are read and fused."""

    def picture(self, row: Row, pair: Pair) -> Pixels8:
        """What a row shows of a pair.

        Of a picture with more than 8 bits the window is shown that `options.range` (`range_b` for the visible one)
        chooses; grey comes as three equal channels.

        Args:
            row: One of `rows`. What a model fuses has to be there, see `fuse`.
            pair: One of `pairs`.

        Returns:
            (H, W, 3) RGB, uint8; H and W are those of the pair.

        Raises:
            InputError: If a file is missing, damaged or of another size than its pair.
        """
        if row.kind in ("folder", "model"):
            fused = read_picture(row.files[pair.name], max_pixels=self.options.max_pixels)
            _check_size((fused.width, fused.height), self.size(pair), row.files[pair.name], pair)
            return _shown8(fused, _FULL)
        if row.name == "infrared":
            return _shown8(as_picture(pair.a, self.options, "a"), parse_range(self.options.range))
        if row.name == "visible":
            return _shown8(as_picture(pair.b, self.options, "b"), parse_range(self.options.range_b))
        a, b = as_picture(pair.a, self.options, "a"), as_picture(pair.b, self.options, "b")
        result = fuse_pictures(a, b, registry.load(row.name), self.options)
        return _shown8(Picture(result.image), _FULL)

    def size(self, pair: Pair) -> tuple[int, int]:
        """Width and height of a pair, from the header of its infrared picture."""
        return peek_size(pair.a, max_pixels=self.options.max_pixels)

    def fuse(self, *, device: str = "cpu", precision: Precision | Literal["auto"] = "float32") -> Iterator[Outcome]:
        """Fuse what the models among the rows have not fused yet, yielding what became of each pair.

        Pictures of an earlier run are kept where sources, model and options are the same, so that a run that was killed
        goes on. A model is loaded when its turn comes and let go after it.

        Args:
            device: Where models run.
            precision: Their arithmetic, as of `polyfuse fuse`.

        Raises:
            PolyfuseError: The first failure: a table with a picture less in one row would compare nothing.
        """
        for row in self.rows:
            if row.kind != "model":
                continue
            model = registry.load(row.name, device=device, precision=precision)
            jobs = [(pair, row.files[pair.name]) for pair in self.pairs]
            for outcome in fuse_pairs(jobs, model, self.options, writing=Writing(resume=True)):
                if outcome.error is not None:
                    raise type(outcome.error)(f"{row.name}, {outcome.pair.name}: {outcome.error}") from outcome.error
                yield outcome


def find_contestants(
    pairs: Sequence[Pair],
    folder: Path,
    *,
    fused: Mapping[str, Path] | None = None,
    models: Sequence[str] = (),
    options: FuseOptions | None = None,
) -> Contestants:
    """Put the rows together and check all that can be checked before any work.

    Args:
        pairs: What is compared on.
        folder: Of the run; models fuse into `folder/fused`.
        fused: Folders of results by the name of their row; pictures match the names of pairs by stem, others are left
            alone.
        models: Names of models that fuse on the way.
        options: How pictures are read and fused; results have 8 bits whatever it says.

    Raises:
        UsageError: If two rows have one name, or a model is unknown.
        InputError: If there are no pairs, or a folder lacks pictures or holds some of another size.
    """
    if not pairs:
        raise InputError("there are no pairs to compare on: check the folders")
    how = replace(options or FuseOptions(), bit_depth="8")
    rows = [Row(name, "source") for name in SOURCES] + [Row(name, "baseline") for name in BASELINES]
    for name, place in (fused or {}).items():
        rows.append(_folder_row(name, place, pairs, how))
    for name in models:
        known = registry.load(name).provenance.name  # refuses a model that is unknown, before any work
        files = {pair.name: folder / FUSED / known / f"{pair.name}.png" for pair in pairs}
        rows.append(Row(known, "model", files))
    names = [row.name for row in rows]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        advice = "it is always there" if doubled in TRIVIAL else "choose another name, or drop one of them"
        raise UsageError(f"two rows are called {doubled}: {advice}")
    return Contestants(tuple(pairs), tuple(rows), how)


def _folder_row(name: str, folder: Path, pairs: Sequence[Pair], options: FuseOptions) -> Row:
    """The row of a folder of results."""
    if not folder.is_dir():
        raise InputError(f"{shown(folder)} is no folder: give one with the results of {shown(name)}")
    nested = any("/" in pair.name for pair in pairs)
    by_name: dict[str, Path] = {}
    for path in list_pictures(folder, recursive=nested):
        by_name.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    missing = [pair.name for pair in pairs if pair.name not in by_name]
    if missing:
        raise InputError(f"{shown(folder)} lacks {len(missing)} of {len(pairs)} pictures ({listed(missing)}): add them")
    files = {pair.name: by_name[pair.name] for pair in pairs}
    for pair in pairs:
        size = peek_size(files[pair.name], max_pixels=options.max_pixels)
        _check_size(size, peek_size(pair.a, max_pixels=options.max_pixels), files[pair.name], pair)
    return Row(name, "folder", files)


def _check_size(size: tuple[int, int], wanted: tuple[int, int], path: Path, pair: Pair) -> None:
    """Refuse a result whose pixels are not those of its pair, as boxes and masks would not fit it."""
    if size != wanted:
        raise InputError(
            f"{shown(path)} is {size[0]}x{size[1]} and its pair {shown(pair.name)} {wanted[0]}x{wanted[1]}: "
            "give results of the pair's size"
        )


def _shown8(picture: Picture, window: RangeSpec) -> Pixels8:
    """A picture as RGB of 8 bits."""
    pixels: NDArray[Any] = picture.array
    record = measure_range([pixels], window, name=str(picture.path or "the picture"))
    if pixels.dtype != np.uint8 or record.mode != "full":
        pixels = quantise(to_unit(pixels, record), 8)
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2))
