"""`polyfuse metrics`: list the metrics with their facts, or explain one."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.completion import complete_metrics
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import print_json

if TYPE_CHECKING:
    from polyfuse.metrics import Metric


@click.command("metrics")
@click.argument("name", required=False, shell_complete=complete_metrics)
@click.option("--protocol", metavar="NAME", help="List only what this protocol has.")
@click.option("--protocols", is_flag=True, help="List the protocols instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(name: str | None, protocol: str | None, protocols: bool, as_json: bool, quiet: bool) -> None:
    """List the metrics, or explain the metric NAME.

    An explanation says what the metric rewards, how it is fooled, where toolboxes differ, and scores trivial candidates
    on a drawn scene under every protocol.
    """
    from polyfuse.metrics import METRICS, PROTOCOLS, find_metric, metrics_of

    if protocols:
        facts = [{"name": entry.name, "summary": entry.summary} for entry in PROTOCOLS.values()]
        _print_list(facts, [f"{entry['name']:<18}{entry['summary']}" for entry in facts], "protocols", as_json)
    elif name is not None:
        _explain(find_metric(name), as_json)
    else:
        metrics = list(METRICS.values()) if protocol is None else metrics_of(protocol)
        _print_list([_facts(metric) for metric in metrics], _lines(metrics), "metrics", as_json)


def _print_list(facts: list[dict[str, Any]], lines: list[str], kind: str, as_json: bool) -> None:
    """Print a list for people or for programs."""
    if as_json:
        print_json({kind: facts})
    else:
        click.echo("\n".join(lines))


def _lines(metrics: list[Metric]) -> list[str]:
    """The table for people: a header, a line for each metric, and what the signs mean."""
    from polyfuse.metrics import ARROWS

    head = f"{'metric':<15}{'':<4}{'cost':<6}{'what':<55}protocols"
    rows = [
        f"{metric.name:<15}{ARROWS[metric.direction]:<4}{metric.cost:<6}{metric.title:<55}{' '.join(metric.variants)}"
        for metric in metrics
    ]
    legend = (
        "",
        "↑ larger is better, ↓ smaller is better, →0 best at zero, · describes the fused picture: noise raises it.",
        "Cost for a 640x480 pair on one thread: a under 10 ms, b under 100 ms, c under 1 s, d more.",
        "`polyfuse metrics NAME` explains one, `polyfuse metrics --protocols` says whose the protocols are.",
    )
    return [head, *rows, *legend]


def _facts(metric: Metric) -> dict[str, Any]:
    """What `--json` prints of one metric."""
    low, high = (bound if math.isfinite(bound) else None for bound in metric.bounds)
    return {
        "name": metric.name,
        "title": metric.title,
        "direction": metric.direction,
        "low": low,
        "high": high,
        "cost": metric.cost,
        "needs_sources": metric.needs_sources,
        "formula": metric.formula,
        "source": metric.source,
        "rewards": metric.rewards,
        "fooled": metric.fooled,
        "quirks": metric.quirks,
        "protocols": {
            name: {"note": variant.note, "min_size": variant.min_size, "symmetric": variant.symmetric}
            for name, variant in metric.variants.items()
        },
    }


def _explain(metric: Metric, as_json: bool) -> None:
    """Print the page of one metric, laid out where a person reads it."""
    if as_json:
        print_json(_facts(metric))
        return
    from polyfuse.demo.metric_page import metric_page

    page = metric_page(metric)
    if not sys.stdout.isatty():
        click.echo(page, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
