"""Range, colour and size of pictures, as NumPy arrays."""

from polyfuse.transforms.colour import (
    STUDIO_BLACK,
    STUDIO_WHITE,
    Gamut,
    LumaConvention,
    luma,
    merge,
    merge_official8,
    split,
    split_official8,
)
from polyfuse.transforms.ranges import (
    RangeRecord,
    RangeSpec,
    from_unit,
    measure_range,
    parse_range,
    quantise,
    to_unit,
)
from polyfuse.transforms.resize import resize
from polyfuse.transforms.statistics import check_finite

__all__ = [
    "STUDIO_BLACK",
    "STUDIO_WHITE",
    "Gamut",
    "LumaConvention",
    "RangeRecord",
    "RangeSpec",
    "check_finite",
    "from_unit",
    "luma",
    "measure_range",
    "merge",
    "merge_official8",
    "parse_range",
    "quantise",
    "resize",
    "split",
    "split_official8",
    "to_unit",
]
