"""`polyfuse downstream`: what fused pictures are good for."""

from __future__ import annotations

import click

from polyfuse.cli import downstream_detect_trained, downstream_segment, downstream_targets
from polyfuse.cli.downstream_detect import detect


@click.group("downstream")
def command() -> None:
    """Measure what fused pictures are good for, beside each source alone, their average and their maximum."""


for part in (detect, downstream_detect_trained.command, downstream_segment.command, downstream_targets.command):
    command.add_command(part)
