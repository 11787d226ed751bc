"""What is shown of an SMFNet, reduced to maps and figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array, energy_map
from polyfuse.drawing.reconstructions import Reconstruction, reconstruction_sheet
from polyfuse.families.smfnet import SMFNet
from polyfuse.families.smfnet.explained.regions import region_correlations
from polyfuse.families.spec import FusionModel

if TYPE_CHECKING:
    from polyfuse.drawing.canvas import Canvas
    from polyfuse.explain.report import Explanation

BRANCHES = ("base", "detail", "graph")
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The feature of one branch for one source."""

    mean: Array
    """(H, W), mean over the channels, signed."""
    energy: Array
    """(H, W), root mean square over the channels."""


@dataclass(frozen=True, eq=False)
class ScaleMaps:
    """Factors by which an invertible layer scales its channels."""

    centre: Array
    """(H, W), geometric mean over the channels."""
    spread: Array
    """(H, W), standard deviation of the factor's logarithm over the channels."""


@dataclass(frozen=True, eq=False)
class GraphGates:
    """Gates of one source's graph, all between 0 and 1."""

    exchange: Array
    """(rounds, 3, H, W), how much each node lets in from the other source."""
    edges: Array
    """(iterations, 3, 2, H, W), weights of the messages to each node."""
    renewed: Array
    """(iterations, 3), mean share of a node that is renewed."""
    gamma: float
    """Weight with which the renewed node is added."""


@dataclass(frozen=True, eq=False)
class SMFNetFindings(Findings):
    """Branches, reconstructions, gates, scales, attention and learned gradients of one pair."""

    features: dict[str, FeatureMaps]
    """By branch and source, e.g. "base_a"."""
    correlations: dict[str, float]
    """Of the features of both sources, by branch."""
    without: dict[str, Array]
    """(H, W), the raw result lacking a branch, by branch."""
    regions: dict[str, dict[str, float]]
    """Correlation of the raw result with each source, where a is bright and elsewhere."""
    reconstructions: dict[str, Reconstruction]
    """By source."""
    graph: dict[str, GraphGates]
    """By source; empty without the graph."""
    per_neighbour: bool
    """Whether an edge weighs one neighbour or, as in the published program, every other channel of both."""
    scales: dict[str, ScaleMaps]
    """"a" and "b" of the encoder; "1.first", "1.second", "2.first", "2.second" of the fusion's couplings."""
    attention: dict[str, Array]
    """(calls, heads, c, c), matrices by place."""
    temperatures: dict[str, Array]
    """(heads,), by place."""
    gradients: dict[str, Array]
    """(2, d, 3, 3), kernels along x and y, by place."""

    @property
    def branches(self) -> tuple[str, ...]:
        """Those the network has."""
        return tuple(self.without)

    def numbers(self) -> dict[str, Any]:
        """Figures of everything drawn."""
        from polyfuse.families.smfnet.explained.numbers import numbers

        return numbers(self)

    def drawings(self, explanation: Explanation) -> Iterator[tuple[str, Canvas]]:
        """Overview, features, reconstructions, gates, scales, attention, gradients."""
        from polyfuse.families.smfnet.explained.charts import attention_chart, gradient_chart
        from polyfuse.families.smfnet.explained.gates import exchange_sheet, message_sheet
        from polyfuse.families.smfnet.explained.sheets import feature_sheet, overview, scale_sheet

        yield "overview", overview(explanation, self)
        yield "features", feature_sheet(explanation, self)
        yield "reconstructions", reconstruction_sheet(explanation, self.reconstructions)
        if self.graph and self.graph["a"].exchange.size:
            yield "exchange", exchange_sheet(explanation, self)
        if self.graph and self.graph["a"].edges.size:
            yield "messages", message_sheet(explanation, self)
        yield "scales", scale_sheet(explanation, self)
        yield "attention", attention_chart(self)
        yield "gradients", gradient_chart(self)


def find(model: FusionModel, a: Tensor, b: Tensor) -> SMFNetFindings:
    """One plain pass over a pair, (1, 1, H, W) each."""
    found = model.explain(a, b)
    has = [branch for branch in BRANCHES if f"without_{branch}" in found]
    pairs = [f"{branch}_{source}" for branch in has for source in "ab"]
    return SMFNetFindings(
        as_array(found["fused"][0, 0]),
        {name: _features(found[name][0]) for name in pairs},
        {branch: float(found[f"correlation_{branch}"]) for branch in has},
        {branch: as_array(found[f"without_{branch}"][0, 0]) for branch in has},
        region_correlations(found["fused"], a, b),
        {s: Reconstruction.of(x, found[f"reconstructed_{s}"]) for s, x in (("a", a), ("b", b))},
        {source: _gates(found, source) for source in "ab" if f"gamma_{source}" in found},
        cast(SMFNet, model).config.messages == "per_neighbour",
        _scales(found),
        {place: matrices[0] for place, matrices in _by_place(found, "attention").items()},
        _by_place(found, "temperature"),
        _by_place(found, "gradient"),
    )


def _by_place(found: dict[str, Tensor], kind: str) -> dict[str, Array]:
    """Entries called KIND.PLACE."""
    return {name.removeprefix(f"{kind}."): as_array(v) for name, v in found.items() if name.startswith(f"{kind}.")}


def _features(maps: Tensor) -> FeatureMaps:
    """(d, H, W) to two maps."""
    return FeatureMaps(as_array(maps.mean(dim=0)), as_array(energy_map(maps)))


def _gates(found: dict[str, Tensor], source: str) -> GraphGates:
    """Gates of one source; those of no round at all are empty."""
    nothing = np.zeros(0, np.float32)
    gates = [found.get(f"{name}_{source}") for name in ("exchange", "edge", "update")]
    arrays = [nothing if gate is None else as_array(gate[0]) for gate in gates]
    return GraphGates(arrays[0], arrays[1], arrays[2], float(found[f"gamma_{source}"]))


def _scales(found: dict[str, Tensor]) -> dict[str, ScaleMaps]:
    """The encoder's scales, and those of both halves of each coupling."""
    scales = {source: _reduced(found[f"scale_{source}"][0]) for source in "ab"}
    for k, both in enumerate(found["scale_fused"][0], start=1):
        for half, values in zip(("first", "second"), both.chunk(2), strict=True):
            scales[f"{k}.{half}"] = _reduced(values)
    return scales


def _reduced(factors: Tensor) -> ScaleMaps:
    """(C, H, W) to two maps."""
    logarithms = factors.log()
    return ScaleMaps(as_array(logarithms.mean(dim=0).exp()), as_array(logarithms.std(dim=0, correction=0)))
