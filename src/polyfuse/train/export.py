"""Averaged weights as a polyfuse weights file that says how it was made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn

from polyfuse.data.pack import Pack
from polyfuse.errors import InputError
from polyfuse.io.source import counted
from polyfuse.train.recipe import Recipe
from polyfuse.weights.store import WeightsInfo, load_weights, save_weights


def export(
    path: Path,
    network: nn.Module,
    config: dict[str, Any],
    recipe: Recipe,
    packs: list[Pack],
    steps: int,
    origins: Iterable[str] = (),
) -> None:
    """Write the weights of `network`, trained for `steps` steps of `recipe` on `packs`, with what else made them."""
    sets = sorted({f"{item.set}/{item.split}" for pack in packs for item in pack.items})
    pairs = counted(sum(len(pack.items) for pack in packs), "pair")
    start = Path(recipe.start).name if recipe.start is not None else "random weights"
    data = recipe.data
    info = WeightsInfo(
        name=recipe.name,
        family=recipe.family,
        config=config,
        luma=data.luma,
        source=f"trained by polyfuse from {start}, seed {recipe.seed}, {counted(steps, 'step')} of "
        f"{counted(data.batch, 'crop')} of {data.crop.size}x{data.crop.size} out of {pairs} of {', '.join(sets)}"
        + "".join(f", {origin}" for origin in dict.fromkeys(origins) if origin),
    )
    save_weights(path, network.state_dict(), info, overwrite=True)


def start_from(path: Path, network: nn.Module, recipe: Recipe) -> None:
    """Fill `network` with the weights in `path`.

    Raises:
        InputError: If they are of another family or do not fit.
    """
    tensors, info, _ = load_weights(path)
    if info.family != recipe.family:
        raise InputError(f"{path} holds weights of {info.family}, the recipe trains {recipe.family}: name others.")
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise InputError(
            f"{path} does not fit the recipe's network: give the configuration it was made with."
        ) from error
