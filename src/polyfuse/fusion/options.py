"""What a user may ask of one fusion, checked before any work."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

from polyfuse.alignment import Warp, read_warp
from polyfuse.alignment.files import geometry
from polyfuse.errors import UsageError
from polyfuse.fusion.stretch import parse_stretch
from polyfuse.io import DEFAULT_MAX_PIXELS
from polyfuse.radiometric.temperature import parse_degrees
from polyfuse.transforms import parse_range


@dataclass(frozen=True)
class FuseOptions:
    """Options of `fuse` and of every command that fuses."""

    range: str = "auto"
    """Window of a that becomes [0, 1]: "full", "minmax", "percentile", "percentile:LO,HI" or "LO,HI" in file units;
    "auto" is "percentile" for grey with 16 bits, which a thermal camera uses a small part of, else "full"."""
    range_b: str = "full"
    """The same for b; "full" since cameras for visible light spread their levels over the type's range."""
    polarity: Literal["white-hot", "black-hot"] = "white-hot"
    """Whether warm is bright or dark in a; "black-hot" turns a round before the model sees it."""
    swap: bool = False
    """The sources come the other way round: the first is b, the second a. Other options mean them as they are then."""
    stretch: str = "auto"
    """How the fused luma is stretched before colour: "auto" as the model was published, "none", "minmax", "percentile"
    or "percentile:LO,HI"; one stretch for all frames of a clip."""
    grey: bool = False
    """Give a grey result although a source has colour."""
    luma: Literal["auto", "full", "studio"] = "auto"
    """BT.601 range of the luma that stands for b; "auto" follows the model's weights."""
    gamut: Literal["auto", "safe", "clip", "official"] = "auto"
    """How colour is put back: "safe" keeps the fused luma and pulls chroma in, "clip" clips each channel, "official"
    repeats the published FNet program in 8 bits; "auto" follows the model's weights."""
    colour_from: Literal["auto", "a", "b"] = "auto"
    """Source whose colour the result gets; "auto" is b if it has colour, else a."""
    bit_depth: Literal["auto", "same", "8", "16"] = "auto"
    """Depth of the result: "same" is the deeper source's; "auto" too, except that colour keeps its source's depth."""
    resize: Literal["a", "b"] | None = None
    """Source to resample to the other one's size where sizes differ."""
    resize_anyway: bool = False
    """Resample even to another aspect ratio, which distorts the picture."""
    radiometric: bool = False
    """Take the raw plane of a's file, as temperatures if it says how, not the picture that its camera rendered; `range`
    may then be in degrees, "10C,40C". Without b, its visible picture is b."""
    warp: Warp | str | os.PathLike[str] | None = None
    """How a lies on b where they come from two cameras: a `Warp` or its file, which is read at once."""
    frame: Literal["a", "b"] = "b"
    """With a warp: the source whose size and pixels the result has; the other one is resampled."""
    flow: bool = False
    """Of single pairs: look for small smooth shifts that are left between a and b, such as parallax, and take them away
    within the one resampling. At most 16 pixels of a picture 640 wide; kept where it helps."""
    tile: int | None = None
    """Side of the tiles in pixels; None chooses from `memory`."""
    memory: int | None = None
    """Bytes the process may use; None is half of what is free, at most 4 GiB."""
    page: int = 0
    """Page of multi-page TIFFs, from 0."""
    max_pixels: int = DEFAULT_MAX_PIXELS
    """Largest width times height that is read."""
    strict: bool = False
    """Refuse JPEGs whose scans are damaged; else parts of them are filled in, with a note."""

    def __post_init__(self) -> None:
        """Read the warp, and refuse values that no run could honour."""
        if self.warp is not None and not isinstance(self.warp, Warp):
            object.__setattr__(self, "warp", read_warp(self.warp))
        if parse_degrees(self.range) is None:
            parse_range(self.range)
        elif not self.radiometric:
            raise UsageError(
                f"range {self.range} is in degrees, which the raw plane of a radiometric file alone has: fuse one with "
                "`polyfuse fuse`, or give numbers."
            )
        parse_range(self.range_b)
        if self.stretch != "auto":
            parse_stretch(self.stretch)
        for name, allowed in _choices().items():
            value = getattr(self, name)
            if value not in allowed and not (name == "resize" and value is None):
                raise UsageError(f"{name} cannot be {value!r}: use one of {', '.join(map(repr, allowed))}.")
        if self.warp is not None and self.resize is not None:
            raise UsageError("a warp brings both sources to one size: drop --resize, or --warp.")
        if self.warp is None and self.frame != "b" and not self.radiometric:
            raise UsageError("frame says whose pixels a warped pair gets: pass --warp as well, or drop --frame.")
        if self.flow and self.resize is not None:
            raise UsageError("flow lays sources of one size, or under a warp, over one another: drop --resize.")
        if self.flow and self.warp is not None and self.aligning.flow is not None:
            raise UsageError("the warp has a flow of its own: drop --flow, or make the warp without it.")
        if self.tile is not None and self.tile < 16:
            raise UsageError(f"tile {self.tile} is too small: use at least 16 pixels.")
        if self.page < 0 or self.max_pixels < 1:
            raise UsageError("page must not be negative and max_pixels at least 1: check both.")

    def changed(self, changes: dict[str, Any]) -> FuseOptions:
        """Return a copy with `changes`.

        Raises:
            UsageError: If an option does not exist, naming the nearest.
        """
        names = [field.name for field in fields(self)]
        for name in changes:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                advice = f"did you mean {near[0]!r}?" if near else f"use {', '.join(names)}."
                raise UsageError(f"fuse has no option {name!r}: {advice}")
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for the sidecar; what belongs to a warp or a radiometric file is left out without one."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("radiometric", "flow"):
            if not values[name]:
                del values[name]
        if self.warp is not None:
            return {**values, "warp": geometry(self.aligning)}
        return {
            name: value for name, value in values.items() if name != "warp" and (self.radiometric or name != "frame")
        }

    @property
    def aligning(self) -> Warp:
        """The warp, where there is one."""
        if not isinstance(self.warp, Warp):
            raise UsageError("no warp is given: pass --warp.")
        return self.warp


@cache
def _choices() -> dict[str, tuple[str, ...]]:
    """The values of each option that has a fixed set of them. Cached: reading type hints takes a millisecond."""
    hints, choices_of = get_type_hints(FuseOptions), {}
    for name in ("polarity", "luma", "gamut", "colour_from", "bit_depth", "resize", "frame"):
        choices = [choice for hint in (hints[name], *get_args(hints[name])) for choice in get_args(hint)]
        texts = (choice for choice in (choices or get_args(hints[name])) if isinstance(choice, str))
        choices_of[name] = tuple(dict.fromkeys(texts))
    return choices_of
