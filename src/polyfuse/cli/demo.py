"""`polyfuse demo`: a tour of one minute without any input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polyfuse.cli.options import ModelArguments, model_options, talk_options
from polyfuse.cli.output import speaker
from polyfuse.cli.values import PATH


@click.command("demo")
@click.option(
    "-o", "--out", type=PATH, default=Path("polyfuse-demo"), show_default=True, metavar="DIR", help="Where to write."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Which scene.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@model_options
@talk_options
def command(out: Path, seed: int, overwrite: bool, quiet: bool, **values: Any) -> None:
    """Draw a street at dusk as two cameras see it, fuse it, and write sources, result and a sheet of all three."""
    from polyfuse.demo import run_tour

    model = ModelArguments.taken_from(values).load(speaker(quiet))
    for path in run_tour(out, model, seed=seed, overwrite=overwrite):
        click.echo(path)
