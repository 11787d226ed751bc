"""SMFNet in evaluation mode without gradients: strips that stay in the cache, float32 or bfloat16, and tiles.

Only the attention matrices depend on the whole picture, all else on a neighbourhood. For a picture in tiles they come
from a `Survey`: it goes over all tiles several times, and each round settles the next matrices, exactly those of the
whole picture. With them, tiles with `halo` pixels of context give the same values as the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from polyfuse.families.smfnet.config import SMFNetConfig
from polyfuse.families.smfnet.graph_pass import reason
from polyfuse.families.smfnet.network import SMFNetNetwork
from polyfuse.families.smfnet.passes import (
    Window,
    base_feature,
    convolved,
    decoded,
    detail_feature,
    fuse_detail,
    transformed,
)
from polyfuse.families.smfnet.statistics import Matrices, Pending
from polyfuse.layers.maps import Pool

Result = TypeVar("Result")


def survey_rounds(config: SMFNetConfig) -> int:
    """Number of attentions that need the one before: shallow, base, base fusion, decoder.

    That is how often a survey goes over all tiles. The cross attention is measured along with the base branch.
    """
    return 2 * config.base_blocks * config.depth + 3


def halo(config: SMFNetConfig) -> int:
    """Pixels over which an input reaches an output once all matrices are known, 27 in the published network."""
    shallow, fuse_base, decoder = 1 + 2, 2, 2 + 3
    pairs, refine, dense, coupling = 3 * config.depth, 2 * config.base_residual, 3, 2
    base = 1 + config.base_blocks * (pairs + refine)
    detail = dense + config.cross_attention + 2
    fuse_detail = dense + 2 * coupling
    if config.swap_fusion:
        fuse_base, fuse_detail = fuse_detail, fuse_base
    graph = max(config.dilations) + 1 if config.graph else 0
    return shallow + max(base + fuse_base, detail + fuse_detail, graph) + decoder


def fuse_window(model: SMFNetNetwork, a: Tensor, b: Tensor, dtype: torch.dtype, matrices: Matrices) -> Tensor:
    """Fuse one pair of planes.

    Args:
        model: In evaluation mode.
        a: (H, W) in [0, 1].
        b: Same shape.
        dtype: Type of the maps; statistics are of the weights' type.
        matrices: Known attention matrices; what is missing is measured here.

    Returns:
        (H, W) in (0, 1), of the type of `a`; `keep_black` and stretch are still to come.

    Raises:
        Pending: In a survey, if matrices are needed that are not known yet.
    """
    window = Window(matrices, Pool())
    shallow_a, shallow_b = _run_independent(
        lambda: _shallow(model, a.to(dtype), "a", window), lambda: _shallow(model, b.to(dtype), "b", window)
    )
    base, detail = _run_independent(
        lambda: _bases(model, shallow_a, shallow_b, window), lambda: _details(model, shallow_a, shallow_b, window)
    )
    if model.config.swap_fusion:
        base, detail = detail, base
    total = transformed(base, model.fuse_base, "fuse_base", window)
    window.pool.give(base)
    fuse_detail(detail, model.fuse_detail, window, total)
    if model.graph is not None:
        reason(shallow_a, shallow_b, model.graph, total)
    raw = decoded(transformed(total, model.decoder.transform, "decoder", window), model.decoder.read)
    return raw[..., 0].to(a.dtype).sigmoid()


def _run_independent(*parts: Callable[[], Result]) -> list[Result]:
    """Results of parts that do not need each other; in a survey, a part that must wait does not stop the others.

    Raises:
        Pending: If any part raised it, after all have run.
    """
    results, pending = [], False
    for part in parts:
        try:
            results.append(part())
        except Pending:
            pending = True  # not the exception itself: its traceback would keep the maps of the part alive
    if pending:
        raise Pending
    return results


def _shallow(model: SMFNetNetwork, picture: Tensor, source: str, window: Window) -> Tensor:
    """S of one source, (H, W, d), from its plane (H, W)."""
    embed = model.encoder.embed
    embedded = convolved(picture[..., None], embed, picture.new_empty(*picture.shape, embed.out_channels))
    shallow = transformed(embedded, model.encoder.shallow, f"shallow.{source}", window)
    window.pool.give(embedded)
    return shallow


def _bases(model: SMFNetNetwork, shallow_a: Tensor, shallow_b: Tensor, window: Window) -> Tensor:
    """Sum of B of a and B of b, (H, W, d)."""
    branch = model.encoder.base
    base_a, base_b = _run_independent(
        lambda: base_feature(shallow_a, branch, "base.a", window),
        lambda: base_feature(shallow_b, branch, "base.b", window),
    )
    window.pool.give(base_b)
    return base_a.add_(base_b)


def _details(model: SMFNetNetwork, shallow_a: Tensor, shallow_b: Tensor, window: Window) -> Tensor:
    """Sum of D of a and D of b, (H, W, d)."""
    branch, total = model.encoder.detail, window.pool.take(shallow_a).zero_()
    _run_independent(
        lambda: detail_feature(shallow_a, branch, "detail.a", window, total),
        lambda: detail_feature(shallow_b, branch, "detail.b", window, total),
    )
    return total
