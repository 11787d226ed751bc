"""What is shown of an SMFNet, reduced to maps and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from polyfuse.drawing.findings import Findings
from polyfuse.drawing.maps import as_array, energy_map
from polyfuse.drawing.reconstructions import Reconstruction
from polyfuse.families.smfnet import SMFNet
from polyfuse.families.smfnet.detail import SOBEL
from polyfuse.families.spec import FusionModel
from polyfuse.ops.correlation import correlation
from polyfuse.ops.otsu import otsu_level

BRANCHES = ("base", "detail", "graph")
SMALLEST_REGION = 2
"""Pixels; fewer have no correlation."""
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

    def numbers(self) -> dict[str, float]:
        """Mean and range of the factor over the picture."""
        return {
            "geometric_mean": float(np.exp(np.log(self.centre).mean())),
            "lowest": float(self.centre.min()),
            "highest": float(self.centre.max()),
        }


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

    def numbers(self) -> dict[str, Any]:
        """Means over the picture; nothing for gates of no round at all."""
        return {
            "mean_exchange": self.exchange.mean(axis=(-2, -1)).tolist() if self.exchange.size else [],
            "mean_edges": self.edges.mean(axis=(-2, -1)).tolist() if self.edges.size else [],
            "renewed": self.renewed.tolist(),
            "gamma": self.gamma,
        }


@dataclass(frozen=True, eq=False)
class SMFNetFindings(Findings):
    """Branches, reconstructions, gates, scales, attention and learned gradients of one pair."""

    features: dict[str, FeatureMaps]
    """By branch and source, e.g. "base_a"."""
    correlations: dict[str, float]
    """Between the features of both sources, by branch."""
    without: dict[str, Array]
    """(H, W), the raw result without one branch, by that branch."""
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
        """The branches that the network has: all, or all but the graph."""
        return tuple(self.without)

    def numbers(self) -> dict[str, Any]:
        """The figures of everything that is drawn."""
        return {
            "correlations": self.correlations,
            "mean_absolute_change_without": {
                name: float(np.abs(self.fused_luma - raw).mean()) for name, raw in self.without.items()
            },
            "correlation_of_fused": self.regions,
            "reconstructions": {source: made.numbers() for source, made in self.reconstructions.items()},
            "graph": {source: gates.numbers() for source, gates in self.graph.items()},
            "scales": {name: maps.numbers() for name, maps in self.scales.items()},
            "attention": {
                place: {"temperatures": self.temperatures[place].tolist(), "entropy": _entropy(matrices)}
                for place, matrices in self.attention.items()
            },
            "gradients": {place: _change_numbers(kernels) for place, kernels in self.gradients.items()},
        }


def find(model: FusionModel, a: Tensor, b: Tensor) -> SMFNetFindings:
    """One plain pass over a pair, (1, 1, H, W) each."""
    tensors = model.explain(a, b)
    branches = [branch for branch in BRANCHES if f"without_{branch}" in tensors]
    features = [f"{branch}_{source}" for branch in branches for source in "ab"]
    return SMFNetFindings(
        fused_luma=as_array(tensors["fused"][0, 0]),
        features={name: _features(tensors[name][0]) for name in features},
        correlations={branch: float(tensors[f"correlation_{branch}"]) for branch in branches},
        without={branch: as_array(tensors[f"without_{branch}"][0, 0]) for branch in branches},
        regions=region_correlations(tensors["fused"], a, b),
        reconstructions={s: Reconstruction.of(x, tensors[f"reconstructed_{s}"]) for s, x in (("a", a), ("b", b))},
        graph={source: _gates(tensors, source) for source in "ab" if f"gamma_{source}" in tensors},
        per_neighbour=cast(SMFNet, model).config.messages == "per_neighbour",
        scales=_scales(tensors),
        attention={place: matrices[0] for place, matrices in _by_place(tensors, "attention").items()},
        temperatures=_by_place(tensors, "temperature"),
        gradients=_by_place(tensors, "gradient"),
    )


def _by_place(tensors: dict[str, Tensor], kind: str) -> dict[str, Array]:
    """What `SMFNet.explain` calls KIND.PLACE, by place."""
    start = f"{kind}."
    return {name.removeprefix(start): as_array(v) for name, v in tensors.items() if name.startswith(start)}


def _features(maps: Tensor) -> FeatureMaps:
    """Mean and energy over the channels of (d, H, W)."""
    return FeatureMaps(as_array(maps.mean(dim=0)), as_array(energy_map(maps)))


def _gates(tensors: dict[str, Tensor], source: str) -> GraphGates:
    """Gates of one source; those of no round at all are empty."""
    nothing = np.zeros(0, np.float32)
    gates = [tensors.get(f"{name}_{source}") for name in ("exchange", "edge", "update")]
    arrays = [nothing if gate is None else as_array(gate[0]) for gate in gates]
    return GraphGates(arrays[0], arrays[1], arrays[2], float(tensors[f"gamma_{source}"]))


def _scales(tensors: dict[str, Tensor]) -> dict[str, ScaleMaps]:
    """The encoder's scales, and those of both halves of each coupling."""
    scales = {source: _scale_maps(tensors[f"scale_{source}"][0]) for source in "ab"}
    for k, both in enumerate(tensors["scale_fused"][0], start=1):
        for half, values in zip(("first", "second"), both.chunk(2), strict=True):
            scales[f"{k}.{half}"] = _scale_maps(values)
    return scales


def _scale_maps(factors: Tensor) -> ScaleMaps:
    """Geometric mean and spread over the channels of (C, H, W)."""
    logarithms = factors.log()
    return ScaleMaps(as_array(logarithms.mean(dim=0).exp()), as_array(logarithms.std(dim=0, correction=0)))


def region_correlations(fused: Tensor, a: Tensor, b: Tensor) -> dict[str, dict[str, float]]:
    """Which source the result follows where a is bright, and which elsewhere (spec smfnet 11, item 9).

    Args:
        fused: (1, 1, H, W).
        a: Same shape, [0, 1]; bright is what Otsu's level parts from the rest.
        b: Same shape.

    Returns:
        "bright" and "rest", each with its "share" of the pixels and the correlation with "a" and with "b"; a region of
        less than two pixels is left out.
    """
    levels = (a[:, 0] * 255).round().clamp(0, 255).long()
    bright = (levels > otsu_level(levels)[:, None, None])[:, None]
    regions = {}
    for name, region in (("bright", bright), ("rest", ~bright)):
        if int(region.sum()) >= SMALLEST_REGION:
            inside = fused[region][None]
            with_sources = {s: float(correlation(inside, x[region][None])) for s, x in (("a", a), ("b", b))}
            regions[name] = {"share": float(region.double().mean()), **with_sources}
    return regions


def sobel() -> Array:
    """Sobel's kernels, from which the learned gradients began: (2, 3, 3), along x and along y."""
    along_x = np.asarray(SOBEL, np.float32)
    return np.stack([along_x, along_x.T])


def relative_change(kernels: Array) -> Array:
    """How far each kernel is from Sobel's, in lengths of Sobel's kernel: (2, d) of (2, d, 3, 3)."""
    began = sobel()[:, None]
    change: Array = np.linalg.norm((kernels - began).reshape(2, -1, 9), axis=-1) / np.linalg.norm(began[0, 0])
    return change


def _change_numbers(kernels: Array) -> dict[str, dict[str, float]]:
    """Mean and largest relative change along x and along y."""
    changes = relative_change(kernels)
    return {
        axis: {"mean_relative_change": float(change.mean()), "largest_relative_change": float(change.max())}
        for axis, change in zip("xy", changes, strict=True)
    }


def _entropy(matrices: Array) -> list[list[float]]:
    """Mean entropy of the rows of each matrix over that of uniform rows, (calls, heads).

    It is 1 where a head does not choose.
    """
    rows = -(matrices * np.log(np.maximum(matrices, 1e-30))).sum(axis=-1).mean(axis=-1)
    relative: list[list[float]] = (rows / np.log(max(matrices.shape[-1], 2))).tolist()
    return relative
