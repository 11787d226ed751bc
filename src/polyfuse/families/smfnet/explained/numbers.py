"""The figures of an SMFNet's findings, as plain JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polyfuse.families.smfnet.explained.kernels import relative_change

if TYPE_CHECKING:
    from polyfuse.families.smfnet.explained.findings import Array, GraphGates, ScaleMaps, SMFNetFindings


def numbers(found: SMFNetFindings) -> dict[str, Any]:
    """Everything of `found` that is a number."""
    return {
        "correlations": found.correlations,
        "mean_absolute_change_without": {
            name: float(np.abs(found.fused_luma - raw).mean()) for name, raw in found.without.items()
        },
        "correlation_of_fused": found.regions,
        "reconstructions": {source: made.numbers() for source, made in found.reconstructions.items()},
        "graph": {source: _gates(gates) for source, gates in found.graph.items()},
        "scales": {name: _scale(maps) for name, maps in found.scales.items()},
        "attention": {
            place: {"temperatures": found.temperatures[place].tolist(), "entropy": _entropy(matrices)}
            for place, matrices in found.attention.items()
        },
        "gradients": {place: _change(kernels) for place, kernels in found.gradients.items()},
    }


def _gates(gates: GraphGates) -> dict[str, Any]:
    """Means over the picture."""
    return {
        "mean_exchange": gates.exchange.mean(axis=(-2, -1)).tolist() if gates.exchange.size else [],
        "mean_edges": gates.edges.mean(axis=(-2, -1)).tolist() if gates.edges.size else [],
        "renewed": gates.renewed.tolist(),
        "gamma": gates.gamma,
    }


def _scale(maps: ScaleMaps) -> dict[str, float]:
    return {
        "geometric_mean": float(np.exp(np.log(maps.centre).mean())),
        "lowest": float(maps.centre.min()),
        "highest": float(maps.centre.max()),
    }


def _entropy(matrices: Array) -> list[list[float]]:
    """Of the rows of each matrix, (calls, heads), over that of uniform rows: 1 where a head does not choose."""
    rows = -(matrices * np.log(np.maximum(matrices, 1e-30))).sum(axis=-1).mean(axis=-1)
    found: list[list[float]] = (rows / np.log(max(matrices.shape[-1], 2))).tolist()
    return found


def _change(kernels: Array) -> dict[str, dict[str, float]]:
    """How far from Sobel's, in lengths of Sobel's kernel."""
    changes = relative_change(kernels)
    return {
        axis: {"mean_relative_change": float(change.mean()), "largest_relative_change": float(change.max())}
        for axis, change in zip("xy", changes, strict=True)
    }
