"""The colours of functional volumes: the palettes that DICOM defines, by its own names.

Their values come with pydicom; they are those of DICOM PS3.6, annex B. Entry 0 of each is black, so that what has no
activity has no colour.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import UsageError
from polyfuse.volumes.dicom_files import pydicom, quietly

PALETTES = {
    "hot-iron": "HOT_IRON",
    "pet": "PET",
    "hot-metal-blue": "HOT_METAL_BLUE",
    "pet-20-step": "PET_20_STEP",
}
"""Names on the command line, and DICOM's."""
FUNCTIONAL = ("PT", "NM")
"""Modalities that get a palette unless the user says otherwise."""
ANATOMICAL = ("CT", "MR")
"""Modalities that show the body, and so give the grid."""
DEFAULT = "hot-iron"
COLOUR_MAPS = ("auto", "none", *PALETTES)
"""Values of `--colour-map`."""


def chosen_map(wanted: str, modality: str, *, is_colour: bool) -> str | None:
    """The palette that b gets; None if it keeps its own colour, or stays grey.

    Args:
        wanted: A name of `COLOUR_MAPS`.
        modality: Of b.
        is_colour: Whether b has colours of its own.

    Raises:
        UsageError: If the name is unknown, or b has colours already.
    """
    if wanted not in COLOUR_MAPS:
        raise UsageError(f"colour map {wanted!r} is unknown: use {', '.join(COLOUR_MAPS)}.")
    if wanted == "auto":
        return DEFAULT if modality in FUNCTIONAL and not is_colour else None
    if wanted == "none":
        return None
    if is_colour:
        raise UsageError(f"b has colours of its own: drop --colour-map {wanted}.")
    return wanted


@cache
def palette(name: str) -> NDArray[np.uint8]:
    """The 256 colours of a palette, (256, 3) RGB.

    Args:
        name: A key of `PALETTES`.

    Raises:
        DependencyError: If pydicom is missing, which brings them.
    """
    pydicom()
    from pydicom.pixels.processing import apply_color_lut

    with quietly():
        colours: NDArray[np.uint8] = apply_color_lut(np.arange(256, dtype=np.uint8), palette=PALETTES[name])
    return colours


def coloured(unit: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """Values in [0, 1] as colours of a palette: (..., 3) RGB of 8 bits."""
    return palette(name)[np.rint(unit * 255).astype(np.uint8)]
