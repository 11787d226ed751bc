"""The pictures of one pair for a page: sources, fused pictures and maps, read one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyfuse.pages.contents import Pair
from polyfuse.pages.disagreement import Disagreement
from polyfuse.pages.maps import Maps, PairMaps
from polyfuse.pages.shown import Shown, check_same_size, grey_of, read_shown, thumbnail_bytes


@dataclass(frozen=True, eq=False)
class Pictured:
    """A file of a page."""

    slot: str
    """"a", "b", "m0" for the first method, "m0-lost" and "m0-share" for its maps."""
    content: bytes
    """A file that a browser reads."""
    media_type: str
    """Of `content`."""
    thumbnail: bytes | None = None
    """JPEG file of a small copy; maps have none."""


class PairPictures:
    """Reads the pictures of a pair and makes what a page needs of them; holds two sources and one other at a time.

    Args:
        pair: The pair.
        methods: All methods of the page; their numbers name the slots.
        maps: Whether LOST and contribution maps are computed.
        max_pixels: Largest picture that is read.
    """

    def __init__(self, pair: Pair, methods: Sequence[str], *, maps: bool, max_pixels: int) -> None:
        self._pair, self._methods = pair, methods
        self._maps, self._max_pixels = maps, max_pixels

    def facts(self, add: Callable[[Pictured], None]) -> dict[str, Any]:
        """Hand over the pictures one by one; returns what the page's data says of them.

        Raises:
            InputError: If a picture cannot be read or has another size.
        """
        pair = self._pair
        a = self._read(pair.a)
        b = self._read(pair.b)
        check_same_size(pair.name, a, pair.b, b)
        notes = {slot: one.note for slot, one in (("a", a), ("b", b)) if one.note}
        for slot, one in (("a", a), ("b", b)):
            add(Pictured(slot, one.content, one.media_type, thumbnail_bytes(one.pixels)))
        maps = PairMaps(grey_of(a.pixels), grey_of(b.pixels)) if self._maps and pair.fused else None
        apart = Disagreement()
        slots: dict[str, list[str]] = {"fused": [], "lost": [], "share": []}
        for method, path in sorted(pair.fused.items(), key=lambda one: self._methods.index(one[0])):
            slot = f"m{self._methods.index(method)}"
            fused = self._read(path)
            check_same_size(pair.name, a, path, fused)
            notes |= {slot: fused.note} if fused.note else {}
            grey = grey_of(fused.pixels)
            apart.add(grey)
            add(Pictured(slot, fused.content, fused.media_type, thumbnail_bytes(fused.pixels)))
            slots["fused"].append(slot)
            self._add_maps(slot, method, maps(grey) if maps is not None else None, a, slots, add)
        width, height = a.size
        return {"width": width, "height": height, "notes": notes, "apart": apart.levels, **slots}

    def _add_maps(
        self,
        slot: str,
        method: str,
        maps: Maps | None,
        a: Shown,
        slots: dict[str, list[str]],
        add: Callable[[Pictured], None],
    ) -> None:
        """Hand over the maps of a fused picture; a contribution map that the pair brings stands before ours."""
        given = self._pair.contribution.get(method)
        share: tuple[bytes, str] | None = None if maps is None else (maps.share, "image/png")
        if given is not None:
            picture = self._read(given)
            check_same_size(self._pair.name, a, given, picture)
            share = picture.content, picture.media_type
        if maps is not None:
            add(Pictured(f"{slot}-lost", maps.lost, "image/png"))
            slots["lost"].append(slot)
        if share is not None:
            add(Pictured(f"{slot}-share", *share))
            slots["share"].append(slot)

    def _read(self, path: Path) -> Shown:
        return read_shown(path, max_pixels=self._max_pixels)
