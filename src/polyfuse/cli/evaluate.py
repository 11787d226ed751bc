"""`polyfuse evaluate`: scores of one fused picture, of the folders of several methods, or of fused volumes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.cluster_options import RAY, ClusterArguments, cluster_options
from polyfuse.cli.completion import complete_metrics
from polyfuse.cli.evaluate_volumes import Found, slices_of
from polyfuse.cli.options import Arguments, talk_options, two_cameras
from polyfuse.cli.output import json_document, speaker, table_width
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH, PLACE
from polyfuse.cli.volume_inputs import all_volumes, refuse
from polyfuse.errors import PartialError, UsageError

if TYPE_CHECKING:
    from polyfuse.alignment import Warp
    from polyfuse.cluster.mirror import Mirror
    from polyfuse.evaluation import Collected, Item, Method, Report, Task
    from polyfuse.evaluation.published import PublishedTable

FOR_PICTURES = ("shard", "engine", "match", "warp", "frame", "max_pixels", "strict", "on_error")
"""Options that have no meaning for volumes."""


@dataclass(frozen=True)
class EvaluateArguments(Arguments):
    """The options of `polyfuse evaluate`, all but `--fused`."""

    protocol: str
    metrics: str | None
    baselines: bool
    compare: tuple[str, ...]
    dataset: str | None
    out: Path | None
    form: Literal["table", "csv", "json", "md", "latex"]
    as_json: bool
    no_charts: bool
    match: Literal["stem", "order"]
    workers: int | None
    device: str
    max_pixels: int | None
    strict: bool
    on_error: Literal["stop", "skip"]
    overwrite: bool
    quiet: bool
    warp: Path | None
    frame: Literal["a", "b"]
    merge: tuple[Path, ...]
    cluster: ClusterArguments

    @property
    def wants_json(self) -> bool:
        """Whether stdout gets one JSON document."""
        return self.as_json or self.form == "json"

    def settings(self, methods: dict[str, Path], a: Path, b: Path | None, mirror: Mirror) -> dict[str, Any]:
        """What was compared and how, as reports hold it."""
        return {
            "fused": {name: mirror.told(path) for name, path in methods.items()},
            "a": mirror.told(a),
            "b": None if b is None else mirror.told(b),
            "protocol": self.protocol,
            "metrics": self.metrics,
            "baselines": self.baselines,
            "compare": list(self.compare),
            "dataset": self.dataset,
            "match": self.match,
            "device": self.device,
            "on_error": self.on_error,
            **({} if self.warp is None else {"warp": str(self.warp), "frame": self.frame}),
        }

    def read_warp(self) -> Warp | None:
        """The warp, read.

        Raises:
            UsageError: If a frame is chosen without one.
        """
        if self.warp is None:
            if self.frame != "b":
                raise UsageError("--frame says on whose pixels a warped pair is: pass --warp as well, or drop it.")
            return None
        from polyfuse.alignment import read_warp

        return read_warp(self.warp)


@click.command("evaluate")
@click.argument("paths", type=PLACE, nargs=-1, metavar="[FUSED] A B")
@click.option("--fused", "named", multiple=True, metavar="NAME=PATH", help="A method and its pictures; repeat it.")
@click.option("--protocol", default="cddfuse", show_default=True, metavar="NAME", help="Whose conventions to follow.")
@click.option(
    "--metrics",
    metavar="LIST",
    shell_complete=complete_metrics,
    help='Names such as "MI,VIF,Qabf", or all; default is all of the protocol but those that take over a second for a '
    "640x480 pair.",
)
@click.option("--baselines", is_flag=True, help="Add rows: each source copied, their average, their maximum.")
@click.option("--compare", multiple=True, metavar="PAPER", help="Add published rows: fnet, smfnet, daefuse; repeat it.")
@click.option("--dataset", metavar="NAME", help="Data set for --compare; default is guessed from the path of A.")
@click.option("-o", "--out", type=PLACE, metavar="DIR", help="Write CSV, JSON, Markdown, LaTeX and charts there.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "md", "latex"]),
    default="table",
    show_default=True,
    help="What goes to stdout.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout: --format json.")
@click.option("--no-charts", is_flag=True, help="Draw no charts in --out.")
@click.option(
    "--match",
    type=click.Choice(["stem", "order"]),
    default="stem",
    show_default=True,
    help="How the files of folders find each other.",
)
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes; default is one a core if worth it.")
@click.option(
    "--engine",
    type=click.Choice(["torch", RAY]),
    default="torch",
    show_default=True,
    help="torch on this machine, or ray: on the workers of a cluster.",
)
@cluster_options
@click.option(
    "--merge", type=PATH, multiple=True, metavar="DIR", help="Put the --out of all shares together; repeat it."
)
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ...")
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse pictures with more pixels.")
@click.option("--strict", is_flag=True, help="Refuse damaged JPEGs, which are filled in otherwise.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do about a picture that is missing or damaged.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files in --out.")
@two_cameras
@talk_options
def command(paths: tuple[Path | str, ...], named: tuple[str, ...], **values: Any) -> None:
    """Score FUSED, made from A (infrared, MRI) and B (visible, CT, PET, SPECT).

    They are three files, or three folders whose files are matched by stem; or A alone is a CSV file with the columns a,
    b and optionally name; or medical volumes, NIfTI or DICOM, scored by slices. With --fused only A and B are given.
    The table goes to stdout, everything else to stderr.
    """
    cluster = ClusterArguments.taken_from(values)
    as_json = values["as_json"] or values["form"] == "json"
    with json_document(as_json) as document, cluster.opened() as mirror, ExitStack() as stack:
        if values["out"] is not None:
            values["out"] = cluster.target(values["out"], mirror)
        arguments = EvaluateArguments.taken_from({**values, "cluster": cluster})
        if arguments.merge:
            if paths or named or cluster.is_share or cluster.on_ray:
                raise UsageError("--merge puts shares together and scores nothing: give no pictures and no --shard.")
            _merge(arguments, mirror, document)
            return
        sources = 1 if paths and str(paths[-1]).lower().endswith(".csv") else 2
        if len(paths) != sources + (not named):
            wanted = "A and B alone" if named else "FUSED, A and B"
            raise UsageError(f"{len(paths)} paths are given: give {wanted} (or a CSV file of pairs for A and B).")
        there = [cluster.source(path, mirror) for path in paths]
        a, b = there[-sources], there[-1] if sources == 2 else None
        methods = {_name(there[0]): there[0]}
        if named:
            methods = named_methods(named, lambda text: cluster.source(text, mirror))
        _evaluate(methods, a, b, arguments, mirror, document, stack)


def named_methods(named: tuple[str, ...], place: Callable[[str], Path] = Path) -> dict[str, Path]:
    """Name and path of each `--fused`; `place` makes the path."""
    methods: dict[str, Path] = {}
    for text in named:
        name, sign, where = text.partition("=")
        if not sign:
            name, where = "", text
        if not where or (sign and not name.strip()):
            raise UsageError(f"--fused {text} lacks a name or a path: write NAME=PATH.")
        path = place(where)
        name = name.strip() or _name(path)
        if name in methods:
            raise UsageError(f"--fused names {name} twice: choose another name for one of them.")
        methods[name] = path
    return methods


def _name(path: Path) -> str:
    """What a method without a name is called: its folder or file."""
    return path.resolve().name if path.is_dir() else Path(path.name.removesuffix(".gz")).stem


def _evaluate(
    methods: dict[str, Path],
    a: Path,
    b: Path | None,
    arguments: EvaluateArguments,
    mirror: Mirror,
    document: dict[str, Any],
    stack: ExitStack,
) -> None:
    """Find, score and show; `document` gets what `--json` prints, `stack` what is removed afterwards."""
    import torch

    from polyfuse.evaluation import (
        Collected,
        Task,
        check_inputs_stay,
        check_ready,
        choose_metrics,
        make_report,
    )
    from polyfuse.evaluation.shares import share_settings
    from polyfuse.io import DEFAULT_MAX_PIXELS

    say = speaker(arguments.quiet)
    names = None if arguments.metrics is None else arguments.metrics.replace(",", " ").split()
    metrics = choose_metrics(names, arguments.protocol)
    if not metrics:
        raise UsageError("--metrics names none: write for example MI,VIF,Qabf.")
    published, published_notes = _published(a, arguments, say)
    if arguments.out is not None:
        check_ready(arguments.out, metrics, charts=not arguments.no_charts, overwrite=arguments.overwrite)
    items, notes, groups = _found(methods, a, b, arguments, stack)
    if arguments.out is not None:
        pictures = [path for item in items for path in (item.pair.a, item.pair.b, *item.fused.values())]
        inputs = [*pictures, *([] if groups is None or b is None else [b, *methods.values()])]
        check_inputs_stay(arguments.out, metrics, [a, *inputs], charts=not arguments.no_charts)
    for note in (*published_notes, *notes):
        say(note)
    # One thread wherever it is computed: the same bytes whatever --workers says, and two threads for maps this small
    # wait for each other (measured on a busy machine: 28 s of processor time instead of 2.5 for 30 pictures).
    torch.set_num_threads(1)
    task = Task(
        tuple(metric.name for metric in metrics),
        arguments.protocol,
        arguments.baselines,
        arguments.device,
        arguments.max_pixels or DEFAULT_MAX_PIXELS,
        arguments.strict,
        arguments.read_warp(),
        arguments.frame,
    )
    collected = _score(items, task, arguments, mirror, say) if items else Collected()
    settings = arguments.settings(methods, a, b, mirror)
    if arguments.cluster.is_share:
        settings["shard"] = share_settings(arguments.cluster.shard, collected)
    rows = _rows(methods, task)
    report = make_report(collected, task, rows, published=published, settings=settings, groups=groups)
    _show(report, arguments, mirror, document, say)
    _raise_partial(collected)


def _found(methods: dict[str, Path], a: Path, b: Path | None, arguments: EvaluateArguments, stack: ExitStack) -> Found:
    """The pictures to score, notes, and their groups: those of files, or of volumes, slices that `stack` removes."""
    from polyfuse.evaluation import find_items

    sources = [path for path in (a, b) if path is not None]
    if all_volumes(sources, list(methods.values())) and b is not None:
        refuse(FOR_PICTURES)
        return stack.enter_context(slices_of(methods, a, b))
    skip = arguments.on_error == "skip"
    items, notes = find_items(methods, a, b, match=arguments.match, skip_missing=skip, shard=arguments.cluster.shard)
    return items, notes, None


def _merge(arguments: EvaluateArguments, mirror: Mirror, document: dict[str, Any]) -> None:
    """Put shares together and show them as one evaluation."""
    from polyfuse.evaluation import check_ready, choose_metrics, make_report
    from polyfuse.evaluation.shares import merge_shares

    say = speaker(arguments.quiet)
    collected, task, methods, settings = merge_shares(arguments.merge)
    if arguments.out is not None:
        metrics = choose_metrics(task.metrics, task.protocol)
        check_ready(arguments.out, metrics, charts=not arguments.no_charts, overwrite=arguments.overwrite)
    report = make_report(collected, task, methods, settings=settings)
    _show(report, arguments, mirror, document, say)
    _raise_partial(collected)


def _raise_partial(collected: Collected) -> None:
    """End with exit code 1 where some could not be scored.

    Raises:
        PartialError: Naming the first of them.
    """
    if collected.failures:
        failed = [name for name, _ in collected.failures]
        some = ", ".join(failed[:5]) + (", ..." if len(failed) > 5 else "")
        raise PartialError(f"{len(failed)} could not be scored ({some}): see the lines above, the others are complete.")


def _rows(methods: dict[str, Path], task: Task) -> list[Method]:
    """Rows of the table: the methods, then the baselines where they are asked for."""
    from polyfuse.evaluation import BASELINES, Method

    return [*(Method(name) for name in methods), *(BASELINES if task.baselines else ())]


def _published(
    a: Path, arguments: EvaluateArguments, say: Callable[[str], None]
) -> tuple[list[PublishedTable], list[str]]:
    """What `--compare` adds, and notes on what it cannot."""
    from polyfuse.evaluation.published import find_dataset, find_paper, guess_dataset, published_tables

    if not arguments.compare:
        if arguments.dataset is not None:
            raise UsageError("--dataset says which published rows are shown: pass --compare as well.")
        return [], []
    papers = [find_paper(name) for name in arguments.compare]
    if arguments.dataset is not None:
        dataset = find_dataset(arguments.dataset)
    else:
        guess = guess_dataset(a.resolve())
        if guess is None:
            raise UsageError(f"the path {a} tells no data set to compare with: pass --dataset, for example TNO.")
        dataset = guess
        say(f"data set {dataset}, told by the path {a}: pass --dataset if it is another")
    return published_tables(papers, dataset, arguments.protocol)


def _score(
    items: list[Item], task: Task, arguments: EvaluateArguments, mirror: Mirror, say: Callable[[str], None]
) -> Collected:
    """Score all items, telling progress and failures.

    Raises:
        PolyfuseError: The first failure, where it stops the run.
    """
    from polyfuse.cluster.scoring import score_on_workers
    from polyfuse.evaluation import BASELINES, Collected, score_items

    cluster = arguments.cluster
    if cluster.on_ray:
        runs = score_on_workers(items, task, mirror, workers=cluster.on(task.device), on_error=arguments.on_error)
    else:
        runs = score_items(items, task, workers=arguments.workers, on_error=arguments.on_error)
    skip = arguments.on_error == "skip"
    rows = len(items[0].fused) + len(items[0].missing) + (len(BASELINES) if task.baselines else 0)
    collected = Collected()
    with (
        progress(rows * len(items), say, tell_failures=skip, quiet=arguments.quiet, unit="picture") as shown,
        closing(runs),
    ):
        for scored in runs:
            collected.add(scored)
            methods = [m for m in scored.evaluations if m.kind == "method"]  # of baselines the table's last lines tell
            notes = dict.fromkeys(note for m in methods for note in scored.evaluations[m].notes)
            shown.done(scored.item.name, notes, advance=rows)
            for name, error in scored.failures():
                shown.done(name, error=error, advance=0)
    if collected.failures and not skip:
        name, error = collected.failures[0]
        if rows * len(items) == 1:
            raise error
        raise type(error)(f"{name}: {str(error).rstrip('.')}; --on-error skip scores the others.") from error
    return collected


def _show(
    report: Report, arguments: EvaluateArguments, mirror: Mirror, document: dict[str, Any], say: Callable[[str], None]
) -> None:
    """Write the files and print the table."""
    from polyfuse.evaluation import save
    from polyfuse.evaluation.records import document as report_document
    from polyfuse.io.source import counted

    document.update(report_document(report))
    if arguments.out is not None:
        paths = list(save(report, arguments.out, charts=not arguments.no_charts, overwrite=arguments.overwrite))
        for path in paths:
            mirror.deliver(path)
        document["files"] = [mirror.told(path) for path in paths]
        say(f"{counted(len(paths), 'file')} in {mirror.told(arguments.out)}")
    if not arguments.wants_json:
        click.echo(_text(report, arguments.form), nl=False)
        if arguments.form != "table":
            for text in report.warnings:
                say(f"warning: {text}")


def _text(report: Report, form: str) -> str:
    """What goes to stdout."""
    from polyfuse.evaluation.documents import latex, markdown
    from polyfuse.evaluation.records import summary_csv
    from polyfuse.evaluation.tables import make_grid
    from polyfuse.evaluation.terminal import terminal_text

    if form != "table":
        makers: dict[str, Callable[[Report], str]] = {"csv": summary_csv, "md": markdown, "latex": latex}
        return makers[form](report)
    return terminal_text(make_grid(report), width=table_width(), styled=sys.stdout.isatty()) + "\n"
