"""`polyfuse benchmark`: fuse, score, test and show all methods of a suite on all its sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.benchmark_options import BenchmarkArguments, listed
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import json_document, print_path, speaker
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH, SHARE
from polyfuse.errors import PartialError

if TYPE_CHECKING:
    from polyfuse.benchmark.plan import Plan
    from polyfuse.benchmark.results import Store
    from polyfuse.benchmark.tasks import TaskTable
    from polyfuse.benchmark.timing import Timings
    from polyfuse.benchmark.work import Done
    from polyfuse.cli.progress import Teller
    from polyfuse.errors import PolyfuseError

Say = Callable[[str], None]


@click.command("benchmark")
@click.argument("suite", metavar="SUITE")
@click.option("--data", type=PATH, metavar="DIR", help="Folder with the known sets: tno, roadscene, msrs, ...")
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("benchmark"),
    show_default=True,
    metavar="DIR",
    help="Folder of the benchmark: results, pictures, report.",
)
@click.option("--sets", metavar="LIST", help="Only these of its sets: tno-25,vifb-21.")
@click.option("--only", metavar="LIST", help='Only these of its methods, names or patterns: "pyrfuse.road,*pyramid*".')
@click.option("--pairs", type=click.IntRange(0), metavar="N", help="Pairs of each set at most; 0: all.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[=FILE]",
    help="A further model, or weights FILE under a name of yours; repeat it.",
)
@click.option("--fused", multiple=True, metavar="NAME=DIR", help="Results of another program; repeat it.")
@click.option(
    "--pattern",
    "patterns",
    multiple=True,
    metavar="NAME=PATTERN",
    help='How a --fused names its files: "ADF={name}_ADF"; repeat it.',
)
@click.option(
    "--inset",
    "insets",
    multiple=True,
    metavar="x,y,w,h",
    help="Region to magnify on contact sheets, two at most; auto: where methods differ most; none.",
)
@click.option(
    "--shard", type=SHARE, default="1/1", metavar="I/N", help="Do the I-th of N shares of the pairs, and no report."
)
@click.option("--merge", type=PATH, multiple=True, metavar="DIR", help="Take over results of another run; repeat it.")
@click.option("--no-pictures", is_flag=True, help="Keep no fused pictures: no contact sheets, nothing to look at.")
@click.option("--no-timings", is_flag=True, help="Take no timings.")
@click.option("--no-page", is_flag=True, help="Write no results page.")
@click.option("--dry-run", is_flag=True, help="Only tell which sets and methods there are.")
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ...")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads for fusing; default is all cores.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes for scoring, as in evaluate.")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What to do about a pair that fails, or a picture that is missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(suite: str, **values: Any) -> None:
    """Fuse, score, test and show every method of SUITE on every set of it.

    SUITE is road (infrared and visible), medical (MRI with CT, PET, SPECT), quick, or a TOML file of yours. Results are
    kept one by one: the same command goes on after an interruption and does nothing twice. Paths of the report go to
    stdout, progress to stderr.
    """
    arguments = BenchmarkArguments.taken_from({"suite": suite, **values})
    with json_document(arguments.as_json) as document:
        _benchmark(arguments, document)


def _benchmark(arguments: BenchmarkArguments, document: dict[str, Any]) -> None:
    """Plan, carry out and show; `document` gets what `--json` prints."""
    import torch

    from polyfuse.ablation import hold
    from polyfuse.benchmark.merge import check_mergeable, merge
    from polyfuse.benchmark.plan import make_plan
    from polyfuse.benchmark.results import Store
    from polyfuse.benchmark.statistics import require_scipy
    from polyfuse.downstream.folder import claim
    from polyfuse.drawing.canvas import require_matplotlib

    say, suite = speaker(arguments.quiet), arguments.read_suite()
    if not arguments.is_share:
        require_scipy()
        require_matplotlib()
    check_mergeable(arguments.merge, arguments.out)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    plan = make_plan(
        suite,
        arguments.data,
        only=listed(arguments.only),
        shard=arguments.shard,
        on_error=arguments.on_error,
    )
    for one in plan.missing:
        say(f"{one.name} is missing: get {one.where}; the other sets go on")
    if arguments.dry_run:
        _tell(plan, document, as_json=arguments.as_json)
        return
    claim(arguments.out, "benchmark")
    place = arguments.out / "share-{}-of-{}".format(*arguments.shard) if arguments.is_share else arguments.out
    with hold(place):
        if arguments.merge:
            copied, there = merge(arguments.merge, arguments.out)
            say(f"{copied} results taken over, {there} were there already")
        store = Store(arguments.out)
        failures = _carry_out(plan, store, arguments, say)
        document["failures"] = failures
        if arguments.is_share:
            print_path(arguments.out / "results") if not arguments.as_json else None
        else:
            failures += _report(plan, store, arguments, document, say)
    _complain(plan, failures)


def _complain(plan: Plan, failures: list[str]) -> None:
    """End with an error where something is not there.

    Raises:
        PartialError: Naming sets and the first failures.
    """
    parts = []
    if plan.missing:
        parts.append(f"sets are missing ({', '.join(one.name for one in plan.missing)})")
    if failures:
        more = ", ..." if len(failures) > 3 else ""
        parts.append(f"{len(failures)} things could not be done ({'; '.join(failures[:3])}{more})")
    if parts:
        raise PartialError(f"{' and '.join(parts)}: see the lines above, the others are complete.")


def _carry_out(plan: Plan, store: Store, arguments: BenchmarkArguments, say: Say) -> list[str]:
    """Fuse and score what is not there yet, telling progress; returns what failed."""
    import torch

    from polyfuse.benchmark.work import fuse_missing, score_missing
    from polyfuse.io.source import counted

    failures: list[str] = []
    skip, threads = arguments.on_error == "skip", torch.get_num_threads()
    with progress(plan.num_units, say, tell_failures=skip, quiet=arguments.quiet, unit="result") as shown:
        for number, work in enumerate(plan.works, 1):
            methods = counted(len(plan.methods_of(work.set.name)), "method")
            size = f"{counted(len(work.pairs), 'pair')}, {methods}"
            say(f"{work.set.name}, set {number} of {len(plan.works)}: {size}")
            for done in fuse_missing(plan, work, store, device=arguments.device, on_error=arguments.on_error):
                _take(done, shown, failures)
            torch.set_num_threads(1)  # scores have the same bytes whatever --workers says, see `polyfuse evaluate`
            try:
                for done in score_missing(plan, work, store, workers=arguments.workers, on_error=arguments.on_error):
                    _take(done, shown, failures)
            finally:
                torch.set_num_threads(threads)
    return failures


def _take(done: Done, shown: Teller, failures: list[str]) -> None:
    """Tell what became of one method on one pair."""
    name = f"{done.unit.set}, {done.unit.pair} by {done.unit.method}"
    if done.error is not None:
        failures.append(f"{name}: {done.error}")
    is_row = done.state == "fused" or done.is_baseline  # counts later, or not at all
    shown.done(name, done.notes, done.error, advance=0 if is_row else 1)


def _report(plan: Plan, store: Store, arguments: BenchmarkArguments, document: dict[str, Any], say: Say) -> list[str]:
    """Test what came out, take timings, carry out tasks, and write everything; returns what failed."""
    from polyfuse.benchmark.commands import commands_of
    from polyfuse.benchmark.documents import Outcome
    from polyfuse.benchmark.files import save
    from polyfuse.benchmark.judged import judge
    from polyfuse.benchmark.page import num_pairs, save_page
    from polyfuse.benchmark.records import as_json
    from polyfuse.errors import PolyfuseError

    judged, lacking = [], []
    for work in plan.works:
        some, lines = judge(plan, work, store)
        judged += some
        lacking += lines
    timings = _timings(plan, store, arguments, say)
    tables, failures = [], []
    for outcome in _tasks(plan, store, arguments):
        if isinstance(outcome, PolyfuseError):
            failures.append(str(outcome))
            say(str(outcome))
        else:
            tables.append(outcome)
    commands = (arguments.command(), *commands_of(plan, store))
    result = Outcome(plan, tuple(judged), timings, tuple(tables), (*lacking, *failures), commands)
    paths = list(save(result, store))
    if not arguments.no_page:
        with progress(num_pairs(result), say, tell_failures=False, quiet=arguments.quiet) as shown:
            paths.append(save_page(result, store, shown.done))
    document.update(as_json(result))
    document["files"] = [str(path) for path in paths]
    say(f"{len(paths)} files in {arguments.out}")
    if not arguments.as_json:
        for path in paths:
            if path.name in ("report.md", "index.html"):
                print_path(path)
    return failures


def _timings(plan: Plan, store: Store, arguments: BenchmarkArguments, say: Say) -> Timings | None:
    """Timings of this machine, from an earlier run where nothing has changed."""
    from polyfuse.benchmark import timing

    config = plan.suite.timing
    if config is None or not plan.models:
        return None
    earlier = timing.read_timings(store.folder)
    if earlier is not None and earlier.fits(plan.models, config, arguments.device):
        return earlier
    total = timing.num_turns(plan.models, config)
    with progress(total, say, tell_failures=False, quiet=arguments.quiet, unit="turn") as shown:
        for outcome in timing.measure(plan.models, plan.works[0].set.pairs[0], config, device=arguments.device):
            if isinstance(outcome, timing.Timings):
                timing.write_timings(store.folder, outcome)
                return outcome
            shown.done(outcome)
    return None


def _tasks(plan: Plan, store: Store, arguments: BenchmarkArguments) -> Iterator[TaskTable | PolyfuseError]:
    """The tables of downstream tasks, or why there is none."""
    from polyfuse.benchmark.tasks import Places, carry_out

    suite_path = Path(arguments.suite)
    folder = suite_path.absolute().parent if suite_path.is_file() else Path()
    yield from carry_out(plan, store, Places(arguments.data, folder), device=arguments.device)


def _tell(plan: Plan, document: dict[str, Any], *, as_json: bool) -> None:
    """Say which sets and methods there are, for `--dry-run`."""
    from polyfuse.io.source import counted

    methods = plan.names
    sets = [{"set": one.set.name, "size": one.set.size, "groups": one.set.num_groups} for one in plan.works]
    document.update(methods=methods, sets=sets, missing=[one.name for one in plan.missing])
    document["metrics"] = {protocol: list(names) for protocol, names in plan.metrics.items()}
    if as_json:
        return
    for one in sets:
        click.echo(f"{one['set']}: {one['size']}, {one['groups']} independent")
    click.echo(f"{counted(len(methods), 'method')}: {', '.join(methods)}")
    for protocol, names in plan.metrics.items():
        click.echo(f"{protocol}: {', '.join(names)}")
