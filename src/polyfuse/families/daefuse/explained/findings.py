"""What is shown of a DAE-Fuse, reduced to maps and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array
from polyfuse.drawing.reconstructions import Reconstruction
from polyfuse.families.daefuse import DAEFuse
from polyfuse.families.spec import FusionModel

Array = NDArray[np.float32]
# What `DAEFuse.explain` calls its results, less "_a" or "_b" at the end.
DECODINGS = ("detail", "base", "remainder")
BANDS = ("band_high", "band_low")
ATTENTION = ("received", "entropy")


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
    """(H, W), "received_a", "received_b", "entropy_a" and "entropy_b"; empty without cross attention."""
    shares: dict[str, float]
    """"contribution_a" and "contribution_b": length of what a source gets of the other over that of its own embedding;
    empty without cross attention."""
    shifts: dict[str, Array]
    """(H, W), "cross" and "merge": how far each moves the embedding from the mean of both."""
    blocks: dict[str, Array]
    """(rows, columns), "weight_a", "weight_b" and "share_a" of every block of 16x16 pixels."""

    def numbers(self) -> dict[str, Any]:
        """The figures of everything that is drawn."""
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


def find(model: FusionModel, a: Tensor, b: Tensor) -> DAEFuseFindings:
    """A plain pass over a pair, (1, 1, H, W) each, and up to 32 passes that leave out blocks."""
    network = cast(DAEFuse, model)
    tensors = network.explain(a, b)
    return DAEFuseFindings(
        fused_luma=as_array(tensors["fused"][0, 0]),
        reconstructions={s: Reconstruction.of(x, tensors[f"reconstructed_{s}"]) for s, x in (("a", a), ("b", b))},
        decodings=_maps(tensors, DECODINGS),
        bands={
            f"{name}_{s}": float(tensors[f"{name}_{s}"]) for name in BANDS for s in "ab" if f"{name}_{s}" in tensors
        },
        attention=_maps(tensors, ATTENTION),
        shares={
            name: float(v) for name, v in network.attention_statistics(a, b).items() if name.startswith("contribution_")
        },
        shifts={name: as_array(tensors[f"shift_{name}"][0, 0]) for name in ("cross", "merge")},
        blocks={name: as_array(values[0, 0]) for name, values in network.block_contributions(a, b).items()},
    )


def _maps(tensors: dict[str, Tensor], names: tuple[str, ...]) -> dict[str, Array]:
    """The maps of these names for either source, as far as the network has them, by name and source."""
    both = [f"{name}_{source}" for source in "ab" for name in names]
    return {name: as_array(tensors[name][0, 0]) for name in both if name in tensors}


def _rms(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(values).mean()))
