"""`polyfuse train`: run a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from polyfuse.cli.options import PATH, speaker, talk_options


@click.command("train")
@click.argument("recipe")
@click.option("-o", "--out", type=PATH, default=Path("run"), show_default=True, metavar="DIR", help="The run folder.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe, dotted.")
@click.option("--resume", is_flag=True, help="Go on from the newest good checkpoint of the run folder.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores.")
@talk_options
def command(
    recipe: str, out: Path, settings: tuple[str, ...], resume: bool, device: str, threads: int | None, quiet: bool
) -> None:
    """Train a network by RECIPE: a TOML file, a recipe.json, or fnet-paper, fnet-cpu.

    Weights files go to stdout, progress to stderr. Ctrl-C leaves a checkpoint.
    """
    import torch

    from polyfuse.train import load_recipe, train

    loaded = load_recipe(recipe, settings)
    if threads is not None:
        torch.set_num_threads(threads)
    for path in train(loaded, out, resume=resume, device=device, say=speaker(quiet)):
        click.echo(path)
