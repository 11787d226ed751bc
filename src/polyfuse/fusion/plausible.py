"""What looks wrong about a pair before it is fused: rules that are stated, each with one line for the user.

Nothing is changed by them. The limits were set on 468 pairs of ten road and scene sets and 546 medical ones: no scene
is told anything, and every medical pair is known. Whether a thermal picture is black-hot no such rule can say: of the
468, white-hot as far as known, 47 % correlate negatively with the visible picture, and 25 % are skewed to the dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.transforms import RangeRecord, luma, to_unit

SAMPLED_SIDE = 128
"""About how many pixels a side are looked at, evenly spaced: the rules need no more and take a millisecond."""
SMALLEST_SIDE = 32
"""Pictures with a shorter side say too little."""
BLACK = 0.02
"""Values up to this count as black, since JPEG does not keep exact black."""
BLACK_AROUND = 0.15
"""A medical pair is black in both pictures over at least this share. Measured: slices from 0.21, scenes up to 0.03."""
BLACK_SIDE = 0.6
"""A side of the picture counts as black if so much of its margin is. Letterboxes have two such sides, medical pairs
three; with PET or SPECT two are enough, since some slices fill the frame."""
NO_BACKGROUND = 0.1
"""Below this share of common black a pair is no slice of a head."""
STRONG = 0.25
"""Difference of the largest and the smallest channel from which a colour counts as strong."""
COLOURED = 0.005
"""Spread of chroma from which a picture has colour. Measured: thermal pictures stored as colour 0.001, visible ones
0.007 and more."""
PALETTE_SHARE = 0.3
"""Share of strong colours of a thermal palette. Measured: 0.31 to 0.98."""
PALETTE_SPREAD = 0.18
"""Spread of chroma of a thermal palette. Measured: 0.21 to 0.39; of visible pictures at most 0.155."""
FUNCTIONAL_SHARE = 0.3
"""Share of strong colours among what is not black in PET and SPECT. Measured: 0.34 to 0.94."""

COLD_SPOTS = "cold (dark) spots of the functional picture may come out bright: compare with the source before reading"
"""Stands with every result of a pair with PET or SPECT."""
FALSE_COLOUR = (
    "a looks false-coloured (a thermal palette), whose brightness is not warmth: export a grey one, "
    "or --swap if a is the visible picture"
)
SWAPPED = "a has colour and b has none: --swap exchanges them if a is the visible picture"
MEDICAL = "both pictures are black all around, as medical ones are, and {} was made for road scenes: --model {}"
NOT_MEDICAL = "no black background as around a head, and {} was made for slices of the brain: --model pyrfuse.road"


def doubts(a: NDArray[Any], b: NDArray[Any], ranges: tuple[RangeRecord, RangeRecord], model: str) -> list[str]:
    """What the user should be told about a pair, one line each; nothing about most pairs.

    Args:
        a: Pixels of the first source, (H, W) or (H, W, 3).
        b: Pixels of the second, of the same size.
        ranges: How the values of both become [0, 1].
        model: Name of the model; what it was made for stands behind the dot.
    """
    if min(a.shape[:2]) < SMALLEST_SIDE:
        return []
    step = max(1, round(max(a.shape[:2]) / SAMPLED_SIDE))
    samples = [pixels[::step, ::step] for pixels in (a, b)]
    if not all(np.isfinite(sample).all() for sample in samples):
        return []  # refused where it is converted, with the place
    return PairLook(*(to_unit(sample, record) for sample, record in zip(samples, ranges, strict=True))).notes(model)


@dataclass(frozen=True, eq=False)
class PairLook:
    """What a pair looks like, from samples of both in [0, 1]."""

    a: NDArray[np.float32]
    """(h, w) or (h, w, 3)."""
    b: NDArray[np.float32]
    """The same for the second source."""

    def notes(self, model: str) -> list[str]:
        """One line for each rule that holds."""
        notes = []
        if self.is_medical and _colourless(self.b) and _is_functional(self.a):
            notes.append(SWAPPED)
        elif not self.is_medical and _is_palette(self.a):
            notes.append(FALSE_COLOUR)
        elif not self.is_medical and not _colourless(self.a) and _colourless(self.b):
            notes.append(SWAPPED)
        domain = model.partition(".")[2].partition("-")[0]  # road of fnet.road and of fnet.road-paper
        if domain == "road" and self.is_medical:
            notes.append(MEDICAL.format(model, "pyrfuse.brain" if self.is_functional else "fnet.brain"))
        if domain == "brain" and self.has_no_background:
            notes.append(NOT_MEDICAL.format(model))
        if self.is_functional:
            notes.append(COLD_SPOTS)
        return notes

    @property
    def is_medical(self) -> bool:
        """Whether both are black together over much of the picture and along most of its sides, but not everywhere."""
        share, num_black = float(self._black.mean()), sum(side >= BLACK_SIDE for side in self._black_sides)
        return BLACK_AROUND <= share < 1 and num_black >= (2 if self._shows_activity else 3)

    @property
    def is_functional(self) -> bool:
        """Whether one of them is a PET or SPECT picture: a medical pair with strong colours on black."""
        return self.is_medical and self._shows_activity

    @property
    def has_no_background(self) -> bool:
        """Whether the pair cannot be a slice of a head."""
        return float(self._black.mean()) < NO_BACKGROUND and max(self._black_sides) < BLACK_SIDE

    @cached_property
    def _shows_activity(self) -> bool:
        """Whether one of them has the strong colours of PET and SPECT."""
        return _is_functional(self.a) or _is_functional(self.b)

    @cached_property
    def _black(self) -> NDArray[np.bool_]:
        """Where both are black."""
        both: NDArray[np.bool_] = (_brightest(self.a) <= BLACK) & (_brightest(self.b) <= BLACK)
        return both

    @cached_property
    def _black_sides(self) -> list[float]:
        """Share of common black along each of the four sides."""
        margin = max(1, min(self._black.shape) // 64)
        strips = self._black[:margin], self._black[-margin:], self._black[:, :margin], self._black[:, -margin:]
        return [float(strip.mean()) for strip in strips]


def _brightest(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest channel."""
    return picture if picture.ndim == 2 else np.asarray(picture.max(axis=2))


def _strong(picture: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where colours are strong."""
    return np.asarray(picture.max(axis=2) - picture.min(axis=2) > STRONG)


def _chroma_spread(picture: NDArray[np.float32]) -> float:
    """Standard deviation of blue and red less luma, both together."""
    grey = luma(picture)
    return float(np.sqrt(np.var(picture[..., 2] - grey) + np.var(picture[..., 0] - grey)))


def _colourless(picture: NDArray[np.float32]) -> bool:
    """Whether a picture is grey, or as good as grey."""
    return picture.ndim == 2 or _chroma_spread(picture) < COLOURED


def _is_palette(picture: NDArray[np.float32]) -> bool:
    """Whether colours are as strong and as many as a thermal palette's, and no camera's for visible light."""
    return (
        picture.ndim == 3
        and float(_strong(picture).mean()) >= PALETTE_SHARE
        and _chroma_spread(picture) >= PALETTE_SPREAD
    )


def _is_functional(picture: NDArray[np.float32]) -> bool:
    """Whether what is not black has strong colours."""
    if picture.ndim == 2:
        return False
    shown = _brightest(picture) > 0.1
    return bool(shown.any()) and float(_strong(picture)[shown].mean()) >= FUNCTIONAL_SHARE
