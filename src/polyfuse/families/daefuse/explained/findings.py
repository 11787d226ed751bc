"""What is shown of a DAE-Fuse, reduced to maps and figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array
from polyfuse.drawing.reconstructions import Reconstruction, reconstruction_sheet
from polyfuse.families.daefuse import DAEFuse
from polyfuse.families.spec import FusionModel

if TYPE_CHECKING:
    from polyfuse.drawing.canvas import Canvas
    from polyfuse.explain.report import Explanation

Array = NDArray[np.float32]
DECODINGS = ("detail", "base", "remainder")
BANDS = ("band_high", "band_low")
SIDES = ("received", "entropy")


@dataclass(frozen=True, eq=False)
class DAEFuseFindings(Findings):
    """Reconstructions, decodings, bands, attention, shifts and contributions of one pair."""

    reconstructions: dict[str, Reconstruction]
    """By source."""
    decodings: dict[str, Array]
    """(H, W), signed, by name and source, e.g. "detail_a"; empty where one branch is missing."""
    bands: dict[str, float]
    """Share of energy above 1/16 cycle per pixel by branch and source, e.g. "band_high_a"."""
    attention: dict[str, Array]
    """(H, W), "received_s" and "entropy_s" of either source; empty without cross attention."""
    shares: dict[str, float]
    """"contribution_s", length of what s gets of the other over that of its embedding; empty likewise."""
    shifts: dict[str, Array]
    """(H, W), "cross" and "merge": how far each moves the embedding from the mean of both."""
    blocks: dict[str, Array]
    """(rows, columns), "weight_a", "weight_b" and "share_a" of every block of 16x16 pixels."""

    def numbers(self) -> dict[str, Any]:
        """Figures of everything drawn."""
        a, b = self.blocks["weight_a"], self.blocks["weight_b"]
        return {
            "reconstructions": {source: made.numbers() for source, made in self.reconstructions.items()},
            "rms_of_decodings": {name: _rms(values) for name, values in self.decodings.items()},
            "energy_above_a_sixteenth_cycle": self.bands,
            "mean_entropy": {
                name.removeprefix("entropy_"): float(values.mean())
                for name, values in self.attention.items()
                if name.startswith("entropy_")
            },
            "cross_attention_share": {name.removeprefix("contribution_"): v for name, v in self.shares.items()},
            "mean_shift": {name: float(values.mean()) for name, values in self.shifts.items()},
            "block_contributions": {
                "block": 16,
                "mean_weight_a": float(a.mean()),
                "mean_weight_b": float(b.mean()),
                "share_a": float(a.sum() / max(float(a.sum() + b.sum()), 1e-12)),
            },
        }

    def drawings(self, explanation: Explanation) -> Iterator[tuple[str, Canvas]]:
        """Overview with blocks and shifts, reconstructions, decodings, attention."""
        from polyfuse.families.daefuse.explained.sheets import attention_sheet, decoding_sheet, overview

        yield "overview", overview(explanation, self)
        yield "reconstructions", reconstruction_sheet(explanation, self.reconstructions)
        if self.decodings:
            yield "decodings", decoding_sheet(explanation, self)
        if self.attention:
            yield "attention", attention_sheet(explanation, self)


def find(model: FusionModel, a: Tensor, b: Tensor) -> DAEFuseFindings:
    """A plain pass over a pair, (1, 1, H, W) each, and up to 32 passes that leave out blocks."""
    network = cast(DAEFuse, model)
    found = network.explain(a, b)
    return DAEFuseFindings(
        as_array(found["fused"][0, 0]),
        {s: Reconstruction.of(x, found[f"reconstructed_{s}"]) for s, x in (("a", a), ("b", b))},
        _maps(found, DECODINGS),
        {f"{name}_{s}": float(found[f"{name}_{s}"]) for name in BANDS for s in "ab" if f"{name}_{s}" in found},
        _maps(found, SIDES),
        {k: float(v) for k, v in network.attention_statistics(a, b).items() if k.startswith("contribution_")},
        {name: as_array(found[f"shift_{name}"][0, 0]) for name in ("cross", "merge")},
        {name: as_array(values[0, 0]) for name, values in network.block_contributions(a, b).items()},
    )


def _maps(found: dict[str, Tensor], names: tuple[str, ...]) -> dict[str, Array]:
    """Those of the maps that the network has, by name and source."""
    both = [f"{name}_{source}" for source in "ab" for name in names]
    return {name: as_array(found[name][0, 0]) for name in both if name in found}


def _rms(values: Array) -> float:
    return float(np.sqrt(np.square(values).mean()))
