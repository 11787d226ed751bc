"""The files of a sequence of frames: of one size, depth and number of channels, with one range for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from polyfuse.errors import InputError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.thermal import Sources
from polyfuse.io import Pair, Picture, peek_size, read_picture
from polyfuse.io.source import shown
from polyfuse.transforms import RangeRecord, measure_range, parse_range
from polyfuse.video.fusing import RANGE_FRAMES, step_of


class FrameFiles:
    """Reads the frames of two folders, one at a time.

    Args:
        pairs: The files in the order of time.
        options: How they are read, and how their ranges are measured.

    Raises:
        InputError: If a file cannot be read, or sizes change along the sequence.
    """

    def __init__(self, pairs: Sequence[Pair], options: FuseOptions) -> None:
        self._pairs, self._options = pairs, options
        self.options = options
        """Options for all frames."""
        self._a = _Side([pair.a for pair in pairs], options.range, options)
        self._b = _Side([pair.b for pair in pairs], options.range_b, options)

    @property
    def ranges(self) -> tuple[RangeRecord, RangeRecord]:
        """The range of each source."""
        return self._a.range, self._b.range

    def pair(self, number: int) -> Sources:
        """The frames of a pair, which are counted from 0.

        Raises:
            InputError: If one cannot be read, or has another depth than the sequence.
        """
        return Sources(self._a.read(number), self._b.read(number), self.options)


class _Side:
    """The frames of one source."""

    def __init__(self, paths: Sequence[Path], spec: str, options: FuseOptions) -> None:
        self._paths, self._options = paths, options
        self._check_sizes()
        sample = paths[:: step_of(len(paths), RANGE_FRAMES)]
        # A sequence may begin in black, which is grey.
        self._has_colour = any(not self._picture(path).is_grey for path in sample)
        arrays = (self._picture(path).array for path in sample)
        self.range = measure_range(arrays, parse_range(spec), name=shown(paths[0].parent))

    def read(self, number: int) -> Picture:
        """A frame by its number, grey ones made colour if others of the sequence have colour."""
        path = self._paths[number]
        picture = self._picture(path)
        if picture.array.dtype.name != self.range.dtype:
            raise InputError(
                f"{shown(path)} has {picture.array.dtype} pixels and the sequence {self.range.dtype}: convert it"
            )
        if self._has_colour and picture.is_grey:
            return replace(picture, array=np.repeat(picture.array[..., None], 3, axis=2))
        return picture

    def _picture(self, path: Path) -> Picture:
        """A frame as its file holds it."""
        options = self._options
        return read_picture(path, page=options.page, max_pixels=options.max_pixels, strict=options.strict)

    def _check_sizes(self) -> None:
        """Refuse frames of another size than the first, by their headers."""
        sizes = (
            (path, peek_size(path, page=self._options.page, max_pixels=self._options.max_pixels))
            for path in self._paths
        )
        first, (width, height) = next(sizes)
        for path, size in sizes:
            if size != (width, height):
                raise InputError(
                    f"{shown(path)} is {size[0]}x{size[1]} but {first.name} is {width}x{height}: the frames of a "
                    "sequence have one size, drop --temporal to fuse them one by one"
                )
