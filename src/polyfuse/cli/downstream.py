"""`polyfuse downstream`: what fused pictures are good for."""

from __future__ import annotations

import click

from polyfuse.cli.downstream_detect import detect


@click.group("downstream")
def command() -> None:
    """Measure what fused pictures are good for, beside each source alone, their average and their maximum."""


command.add_command(detect)
