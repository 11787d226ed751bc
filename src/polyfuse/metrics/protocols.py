"""Protocols: whose conventions a number follows. What each does to a metric stands with the metric."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from polyfuse.errors import UsageError

Grey = Literal["float64", "opencv", "matlab", "pillow"]


@dataclass(frozen=True)
class Protocol:
    """How a toolbox turns files into the planes it scores."""

    name: str
    """Name, as the argument `protocol` takes it."""
    summary: str
    """Whose toolbox it is, in one line."""
    grey: Grey
    """How colour becomes grey, see `polyfuse.metrics.grey`."""
    per_channel: bool = False
    """Whether each channel of a colour picture is scored by itself and averaged, instead of turning it grey."""
    whole_levels: bool = True
    """Whether deeper pictures are rounded to 256 levels, as a toolbox for 8-bit files sees them."""


_ALL = (
    Protocol("canonical", "our own choice: no hidden constants, every case defined", "float64", whole_levels=False),
    Protocol("cddfuse", "the evaluator of CDDFuse, the scale of the tables of FNet, SMFNet and DAE-Fuse", "opencv"),
    Protocol("fnet", "the six columns of FNet's Table I", "opencv"),
    Protocol("smfnet", "the evaluator of SMFNet where it differs from CDDFuse's", "opencv"),
    Protocol("vifb", "the VIFB benchmark: colour per channel, averaged", "float64", per_channel=True),
    Protocol("vifb_gray", "VIFB's CE, Qcb and Qcv on grey pictures", "opencv"),
    Protocol("ce_eps", "canonical CE on grey pictures as CDDFuse's evaluator reads them", "opencv"),
    Protocol("linfeng", "the MATLAB set Evaluation-for-Image-Fusion, as its code runs today", "matlab"),
    Protocol("linfeng_workbook", "the spreadsheet published with that set, by an older version", "matlab"),
    Protocol("survey", "the Python set of the 2024-25 survey (IVIF_ZOO)", "pillow"),
    Protocol("liu2012", "the MATLAB set of Liu et al., TPAMI 2012", "opencv"),
)  # fmt: skip
PROTOCOLS = {protocol.name: protocol for protocol in _ALL}
"""Every protocol by name."""


def find_protocol(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        UsageError: If there is none; the nearest names are given.
    """
    if name not in PROTOCOLS:
        near = difflib.get_close_matches(name, PROTOCOLS, n=2, cutoff=0.5) or list(PROTOCOLS)
        raise UsageError(f"there is no protocol {name!r}: use {', '.join(near)}.")
    return PROTOCOLS[name]
