"""`polyfuse train`: run a recipe."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from polyfuse.cli.completion import bundled_recipes, complete_recipes
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import in_words, speaker
from polyfuse.cli.values import PATH
from polyfuse.errors import InputError, Stopped, UsageError

if TYPE_CHECKING:
    from polyfuse.transforms.colour import LumaConvention

# click would break a line within a name, at its hyphen: after \b it leaves lines as they are.
NAMES = bundled_recipes()
RECIPES = textwrap.fill(
    f"These are {in_words(NAMES, 'and')}." if NAMES else "None come with polyfuse-runtime.", 76, break_on_hyphens=False
)
HELP = f"""Train a network by RECIPE: a TOML file, a recipe.json, or one of those that come with polyfuse.

A and B are two folders of pictures to train on, matched by stem. Without them
the recipe, or --set data.train=FILE, names packs. With --resume RUN, the folder
of a run, go on with it.

\b
{RECIPES}

Weights files go to stdout, progress to stderr. Ctrl-C leaves a checkpoint.
"""
PAIRS = "pairs.pack"
"""What the pictures of two folders are packed into, in the run folder."""


@click.command("train", help=HELP)
@click.argument("recipe", metavar="RECIPE|RUN", shell_complete=complete_recipes)
@click.argument("folders", nargs=-1, type=PATH, metavar="[A B]")
@click.option("-o", "--out", type=PATH, default=Path("run"), show_default=True, metavar="DIR", help="The run folder.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe, dotted.")
@click.option("--resume", is_flag=True, help="Go on with a run from its newest good checkpoint.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="Where to train.")
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Processes here.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    metavar="N",
    help="Processes that cut crops ahead.  [default: 0, with --device cuda 2]",
)
@click.option(
    "--minutes", type=click.FloatRange(0, min_open=True), metavar="N", help="Stop after N minutes with a checkpoint."
)
@click.option("--graphs/--no-graphs", default=True, help="On a GPU, start the kernels of a step together.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads of each process.")
@talk_options
@click.pass_context
def command(
    ctx: click.Context,
    recipe: str,
    folders: tuple[Path, ...],
    out: Path,
    settings: tuple[str, ...],
    resume: bool,
    device: str,
    devices: int,
    workers: int | None,
    minutes: float | None,
    graphs: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Train a network, as `HELP` says."""
    import torch

    from polyfuse.io.atomic import check_apart
    from polyfuse.train import load_recipe, train
    from polyfuse.train.loop import RECIPE

    if Path(recipe).is_dir():
        if not resume:
            raise UsageError(f"{recipe} is a folder: pass --resume to go on with the run in it, or give a recipe.")
        if ctx.get_parameter_source("out") is ParameterSource.DEFAULT:
            out = Path(recipe)
        if not (Path(recipe) / RECIPE).is_file():
            raise InputError(f"{recipe} holds no {RECIPE}: give the folder of a run that was begun.")
        recipe = str(Path(recipe) / RECIPE)
    loaded = load_recipe(recipe, settings)
    if not resume:
        check_apart(out / RECIPE, [recipe])
    starts_others = devices > 1 and "RANK" not in os.environ
    if folders:
        if "RANK" not in os.environ:
            _pack_folders(folders, out, loaded.data.luma, resume)
        loaded = load_recipe(recipe, [*settings, f"data.train={json.dumps([str(out / PAIRS)])}"])
    if starts_others:
        _start_processes(devices)
        return
    if threads is not None:
        torch.set_num_threads(threads)
    workers = workers if workers is not None else 2 * (device == "cuda")
    say = speaker(quiet)
    try:
        for path in train(
            loaded, out, resume=resume, device=device, workers=workers, graphs=graphs, minutes=minutes, say=say
        ):
            click.echo(path)
    finally:
        _leave_processes()


def _pack_folders(folders: tuple[Path, ...], out: Path, luma: LumaConvention, resume: bool) -> None:
    """Pack the pairs of two folders into the run folder; a run that is resumed keeps the pack that it was begun with.

    Raises:
        UsageError: If these are not two.
        InputError: If they hold no pairs, pictures cannot be packed, or they are a test split.
        OutputError: If the folder holds a run already, or a pack that no run there was begun with.
    """
    from polyfuse.data.layouts import WITHOUT_SPLIT, PairSet
    from polyfuse.data.pack import write_pack
    from polyfuse.io import check_sizes, find_pairs
    from polyfuse.train.checkpoint import check_new
    from polyfuse.train.loop import RECIPE

    if len(folders) != 2:
        raise UsageError("give the two folders to train on, A and B, or none and --set data.train=FILE.")
    if resume and (out / PAIRS).exists():
        return
    check_new(out)
    pairs = find_pairs(*folders)
    check_sizes(pairs)
    name = folders[0].resolve().parent.name
    write_pack(
        out / PAIRS, [PairSet(name, WITHOUT_SPLIT, tuple(pairs))], luma_b=luma, overwrite=(out / RECIPE).exists()
    )


def _leave_processes() -> None:
    """Leave the other processes in order, if there are any: threads that still wait for them can abort this one."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()


def _start_processes(count: int) -> None:
    """Run this command line in `count` processes that know of each other, and leave with the code of one that fails."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main(["--standalone", "--nproc-per-node", str(count), "-m", "polyfuse", *sys.argv[1:]])
    except ChildFailedError as error:
        raise click.exceptions.Exit(error.get_first_failure()[1].exitcode) from error
    except SignalException as error:
        raise Stopped(error.sigval) from error
