"""Which values of a volume become black and white: one window for all of it, never one for a slice."""

from __future__ import annotations

from polyfuse.errors import UsageError
from polyfuse.transforms import RangeRecord, measure_range, parse_range
from polyfuse.transforms.ranges import BY_PERCENTILE
from polyfuse.volumes.volume import Volume

PRESETS = {"brain": (40.0, 80.0), "bone": (400.0, 1800.0), "lung": (-600.0, 1500.0), "soft": (50.0, 400.0)}
"""Centre and width in HU, as viewers offer them."""
WINDOWS = ("auto", "percentile", *PRESETS)
"""Values of `--window`."""
WHOLE_COLOUR = RangeRecord("full", 0.0, 255.0, "uint8")
"""Of colour volumes, which are taken as they are."""
WHOLE_UNIT = RangeRecord("full", 0.0, 1.0, "float32")
"""Of slices that a window has brought to [0, 1]."""


def window_of(volume: Volume, wanted: str = "auto", given: str | None = None) -> RangeRecord:
    """Choose the window of a volume.

    auto: in HU what the file proposes to show, else "soft"; of anything else the percentiles 0.5 and 99.5.

    Args:
        volume: Read slice by slice where it has to be measured.
        wanted: A name of `WINDOWS`; presets are for volumes in HU, others take percentiles.
        given: "minmax", "percentile:LO,HI" or "LO,HI" in the volume's unit, which goes before `wanted`.

    Raises:
        UsageError: If a name or range is unknown.
        InputError: If a value is NaN or infinite.
    """
    if wanted not in WINDOWS:
        raise UsageError(f"window {wanted!r} is unknown: use {', '.join(WINDOWS)}, or --range LO,HI.")
    if volume.is_colour:
        return WHOLE_COLOUR
    if given is not None:
        spec = parse_range(given)
        if spec.mode == "window":
            return RangeRecord(str(spec), spec.low, spec.high, "float32")
    elif volume.unit == "HU" and wanted != "percentile":
        if wanted == "auto" and volume.window is not None:
            return RangeRecord("file", *volume.window, "float32")
        name = "soft" if wanted == "auto" else wanted
        centre, width = PRESETS[name]
        return RangeRecord(name, centre - width / 2, centre + width / 2, "float32")
    else:
        spec = BY_PERCENTILE
    return measure_range((volume.block(window) for window in volume.slice_windows(2)), spec, name=volume.name)


def check_preset(wanted: str, a: Volume, b: Volume) -> None:
    """Refuse a preset of HU where no volume is in HU.

    Raises:
        UsageError: Saying so.
    """
    if wanted in PRESETS and "HU" not in (a.unit, b.unit):
        raise UsageError(
            f"--window {wanted} is in HU and neither volume is ({a.unit} and {b.unit}): pass --range LO,HI for a, or "
            "--range-b for b."
        )
