"""`polyfuse ablate`: train the rows of a paper's ablation study and print them beside the paper's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.completion import complete_families, complete_recipes
from polyfuse.cli.options import Arguments, talk_options
from polyfuse.cli.output import in_words, json_document, speaker, table_width
from polyfuse.cli.values import PATH
from polyfuse.errors import PartialError, TrainingError
from polyfuse.registry.catalogue import names_with

if TYPE_CHECKING:
    from polyfuse.ablation import Comparison, Pictures, Run, Study

HELP = f"""Train every row of the ablation study of FAMILY, fuse the pairs of A and B with each, and score them.

FAMILY is {in_words(names_with("study"), "or")}. The budget is the recipe's, changed with --steps and --set. The same
command again goes on where it stopped and skips what is done. The table goes to stdout, progress to stderr. Ctrl-C
leaves a checkpoint.
"""


@dataclass(frozen=True)
class AblateArguments(Arguments):
    """The options of `polyfuse ablate`."""

    out: Path
    rows: str | None
    seeds: int
    recipe: str | None
    settings: tuple[str, ...]
    steps: int | None
    table_only: bool
    dataset: str | None
    form: Literal["table", "csv", "json", "md"]
    as_json: bool
    device: Literal["cpu", "cuda"]
    threads: int | None
    workers: int | None
    quiet: bool

    @property
    def wants_json(self) -> bool:
        """Whether stdout gets one JSON document."""
        return self.as_json or self.form == "json"


@click.command("ablate", help=HELP)
@click.argument("family", shell_complete=complete_families("study"))
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("ablation"),
    show_default=True,
    metavar="DIR",
    help="Folder of all runs: ROW/seedN.",
)
@click.option(
    "--rows", metavar="LIST", help="Names such as AE1,AE12; default is all. The unchanged model is always in."
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Runs of each row.")
@click.option(
    "--recipe",
    metavar="RECIPE",
    shell_complete=complete_recipes,
    help="Of the unchanged model; default is the study's own.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe, dotted.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Of all stages together; each, its warm-up and the averaging keep their share of the recipe's.",
)
@click.option("--table-only", is_flag=True, help="Train nothing: the table of what is done.")
@click.option("--dataset", metavar="NAME", help="Whose published rows to show; default is guessed from the path of A.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "md"]),
    default="table",
    show_default=True,
    help="What goes to stdout.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout: --format json.")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train and fuse."
)
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads for training and fusing.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes for scoring, as in evaluate.")
@talk_options
def command(family: str, a: Path, b: Path, **values: Any) -> None:
    """Train, fuse and score every row of a study, as `HELP` says."""
    arguments = AblateArguments.taken_from(values)
    with json_document(arguments.wants_json) as document:
        _ablate(family, a, b, arguments, document)


def _ablate(family: str, a: Path, b: Path, arguments: AblateArguments, document: dict[str, Any]) -> None:
    """Plan, run and show; `document` gets what `--json` prints."""
    import torch

    from polyfuse import ablation
    from polyfuse.ablation.tables import document as comparison_document
    from polyfuse.train import load_recipe

    say = speaker(arguments.quiet)
    study = ablation.find_study(family)
    names = None if arguments.rows is None else arguments.rows.replace(",", " ").split()
    variants = study.choose(names)
    base = load_recipe(arguments.recipe or study.recipe, arguments.settings)
    if arguments.steps is not None:
        base = ablation.with_steps(base, arguments.steps)
    dataset = _dataset(a, arguments.dataset, say)
    pictures = ablation.find_pictures(a, b)
    runs = ablation.make_plan(study, base, variants, arguments.seeds, arguments.out)
    if not arguments.table_only:
        ablation.check_inputs_stay(runs, pictures, arguments.recipe)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    failed = []
    if not arguments.table_only:
        with ablation.hold(arguments.out):
            failed = _run_all(study, runs, pictures, arguments, say)
    comparison = ablation.compare(study, base, runs, pictures, dataset)
    document.update(comparison_document(comparison))
    if not arguments.wants_json:
        click.echo(_text(comparison, arguments.form), nl=False)
    if failed:
        raise PartialError(
            f"{len(failed)} of {len(runs)} runs could not be trained ({'; '.join(failed)}): see the lines above, the "
            "others are complete."
        )


def _dataset(a: Path, name: str | None, say: Callable[[str], None]) -> str | None:
    """Data set whose published rows are shown."""
    from polyfuse.evaluation.published import find_dataset, guess_dataset

    if name is not None:
        return find_dataset(name)
    guess = guess_dataset(a.resolve())
    if guess is None:
        say(f"the path {a} tells no data set, so the paper's values are not shown: pass --dataset, for example TNO")
    else:
        say(f"data set {guess}, told by the path {a}: pass --dataset if it is another")
    return guess


def _run_all(
    study: Study, runs: list[Run], pictures: Pictures, arguments: AblateArguments, say: Callable[[str], None]
) -> list[str]:
    """Carry out all runs; returns the names of those whose training broke down."""
    from polyfuse.ablation import carry_out

    failed = []
    for index, run in enumerate(runs):
        say(f"run {index + 1} of {len(runs)}: {run.name}, {run.variant.summary}, {run.progress}")
        say_of_run = _with_name(say, run.name)
        try:
            carry_out(study, run, pictures, device=arguments.device, workers=arguments.workers, say=say_of_run)
        except TrainingError as error:
            click.echo(f"{run.name}: {error}", err=True)
            failed.append(run.name)
    return failed


def _with_name(say: Callable[[str], None], name: str) -> Callable[[str], None]:
    """Return `say` with the name of a run before every line."""
    return lambda text: say(f"{name}: {text}")


def _text(comparison: Comparison, form: str) -> str:
    """What goes to stdout."""
    from polyfuse.ablation.tables import grid, header, measure_grids, table_csv
    from polyfuse.evaluation.documents import markdown_text
    from polyfuse.evaluation.terminal import terminal_text

    if form == "csv":
        return table_csv(comparison)
    grids = [grid(comparison), *measure_grids(comparison)]
    if form == "md":
        return "\n".join([*(f"- {line}" for line in header(comparison)), "", *map(markdown_text, grids)])
    tables = [terminal_text(each, width=table_width(), styled=sys.stdout.isatty()) for each in grids]
    return "\n".join([*header(comparison), "", "\n\n".join(table.rstrip("\n") for table in tables)]) + "\n"
