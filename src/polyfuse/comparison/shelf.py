"""Pictures of a served page, read when they are asked for: whole, as small copies, in tiles, and as maps."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.io.source import shown
from polyfuse.pages import Pair
from polyfuse.pages.maps import Maps, PairMaps
from polyfuse.pages.shown import Shown, check_same_size, grey_of, png_bytes, read_shown, thumbnail_bytes

TILE = 512
"""Side of a tile, pixels."""
WHOLE = 4_000_000
"""Pixels up to which a picture is sent whole."""
_KEPT = 1 << 29
"""Bytes of pixels that are kept at a time."""
_SMALL = 4096
"""Small copies and maps that are kept."""


@dataclass(frozen=True)
class Place:
    """One picture of a page."""

    pair: int
    """Number of the pair."""
    slot: str
    """"a", "b", "m0", ..."""


class Shelf:
    """Reads pictures and keeps the last ones; may be used from several threads.

    Args:
        pairs: The pairs of the page.
        methods: The methods; their numbers name the slots.
        max_pixels: Largest picture that is read.
    """

    def __init__(self, pairs: Sequence[Pair], methods: Sequence[str], *, max_pixels: int) -> None:
        self._pairs, self._methods, self._max_pixels = pairs, methods, max_pixels
        self._lock, self._making_maps = threading.Lock(), threading.Lock()
        self._shown: OrderedDict[Place, Shown] = OrderedDict()
        self._made: OrderedDict[tuple[str, Place], bytes] = OrderedDict()

    def path(self, place: Place) -> Path:
        """The file of a picture.

        Raises:
            KeyError: If the page has no such picture.
        """
        if not 0 <= place.pair < len(self._pairs):
            raise KeyError(place)
        pair = self._pairs[place.pair]
        if place.slot in ("a", "b"):
            return pair.a if place.slot == "a" else pair.b
        kind, number = place.slot[:1], place.slot[1:]
        if kind != "m" or not (number.isascii() and number.isdigit()) or int(number) >= len(self._methods):
            raise KeyError(place)
        return pair.fused[self._methods[int(number)]]

    def picture(self, place: Place) -> Shown:
        """A picture in 8 bits.

        Raises:
            KeyError: If the page has no such picture.
            InputError: If it cannot be read.
        """
        path = self.path(place)
        with self._lock:  # one reads at a time: several large pictures at once would not fit
            if place in self._shown:
                self._shown.move_to_end(place)
                return self._shown[place]
            read = self._shown[place] = read_shown(path, max_pixels=self._max_pixels)
            while len(self._shown) > 2 and sum(one.pixels.nbytes for one in self._shown.values()) > _KEPT:
                self._shown.popitem(last=False)
            return read

    def small(self, place: Place) -> bytes:
        """JPEG of a small copy."""
        return self._kept(("small", place), lambda: thumbnail_bytes(self.picture(place).pixels))

    def whole(self, place: Place) -> tuple[bytes, str]:
        """A picture of no more than `WHOLE` pixels as it is, a larger one halved until it is; and its media type."""
        picture = self.picture(place)
        level = level_of(*picture.size)
        if level == 0:
            return picture.content, picture.media_type
        return self._kept(("whole", place), lambda: quick_png(halved(picture.pixels, level))), "image/png"

    def tile(self, place: Place, level: int, column: int, row: int) -> bytes:
        """PNG of a tile of a picture that was halved `level` times.

        Raises:
            KeyError: If it lies outside of the picture.
        """
        pixels = self.picture(place).pixels
        side = TILE << level
        top, left = row * side, column * side
        if level < 0 or top < 0 or left < 0 or top >= pixels.shape[0] or left >= pixels.shape[1]:
            raise KeyError(place)
        return quick_png(halved(pixels[top : top + side, left : left + side], level))

    def maps(self, place: Place, kind: str) -> bytes:
        """PNG of the LOST ("lost") or contribution map ("share") of a fused picture.

        Raises:
            KeyError: If the page has no such map.
            InputError: If a picture cannot be read, or has another size.
        """
        if place.slot in ("a", "b") or kind not in ("lost", "share"):
            raise KeyError(place)
        with self._making_maps:  # a page asks for both at once, and one computation gives both
            with self._lock:
                made = self._made.get((kind, place))
            if made is None:
                both = self._maps(place)
                self._keep(("lost", place), both.lost)
                self._keep(("share", place), both.share)
                made = both.lost if kind == "lost" else both.share
        return made

    def _maps(self, place: Place) -> Maps:
        a, b, fused = (self.picture(Place(place.pair, slot)) for slot in ("a", "b", place.slot))
        for slot, one in (("b", b), (place.slot, fused)):
            check_same_size(self._pairs[place.pair].name, a, self.path(Place(place.pair, slot)), one)
        made = PairMaps(grey_of(a.pixels), grey_of(b.pixels))(grey_of(fused.pixels))
        if made is None:
            raise InputError(f"{shown(self.path(place))} is too small for maps: they need 11 pixels a side.")
        return made

    def _kept(self, key: tuple[str, Place], make: Callable[[], bytes]) -> bytes:
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        content = make()
        self._keep(key, content)
        return content

    def _keep(self, key: tuple[str, Place], content: bytes) -> None:
        with self._lock:
            self._made[key] = content
            while len(self._made) > _SMALL:
                self._made.popitem(last=False)


def quick_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file that is made fast rather than small: it goes no further than this machine."""
    return png_bytes(pixels, compress_level=1)


def level_of(width: int, height: int) -> int:
    """How often a picture is halved until it has no more than `WHOLE` pixels."""
    level = 0
    while (width >> level) * (height >> level) > WHOLE:
        level += 1
    return level


def halved(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """A picture at 1 / 2**times of its size, means of blocks; what is left over at the end is a smaller block."""
    if times == 0:
        return np.ascontiguousarray(pixels)
    reduced: NDArray[np.uint8] = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).reduce(2**times))
    return reduced
