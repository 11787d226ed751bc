"""`polyfuse downstream`: what fused pictures are good for."""

from __future__ import annotations

import click

from polyfuse.cli import downstream_detect_trained, downstream_segment, downstream_targets


@click.group("downstream")
def command() -> None:
    """Compare inputs by what other programs make of them."""


command.add_command(downstream_detect_trained.command)
command.add_command(downstream_segment.command)
command.add_command(downstream_targets.command)
