"""`polyfuse models`: list, show, card, verify, import, export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click

from polyfuse.cli.completion import complete_cards, complete_families, complete_models
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import print_json, speaker
from polyfuse.cli.values import PATH, KeyValue
from polyfuse.errors import UsageError
from polyfuse.registry.catalogue import names_with


@click.group("models")
def command() -> None:
    """List, describe, check, import and export models; print their cards."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def list_(as_json: bool, quiet: bool) -> None:
    """List every model this installation knows."""
    from dataclasses import asdict

    from polyfuse import registry

    entries = registry.list_models()
    marks = {registry.DEFAULT: " (default)", registry.CLIP_DEFAULT: " (default of clips)"}
    marks[registry.VOLUME_DEFAULT] = " (default of volumes)"
    if as_json:
        print_json({"models": [asdict(entry) for entry in entries]})
        return
    width = max(len(entry.name) for entry in entries) + 2
    for entry in entries:
        click.echo(f"{entry.name:<{width}}{entry.summary}{marks.get(entry.name, '')}")


@command.command("show")
@click.argument("name", shell_complete=complete_models)
@click.option("--weights", type=PATH, metavar="FILE", help="Weights file for an architecture such as fnet.")
@talk_options
def show(name: str, weights: Path | None, quiet: bool) -> None:
    """Print what model NAME declares, as JSON.

    Where there are `choices`, --config KEY=VALUE of the other verbs changes them. Of networks of other people, whose
    weights do not come with polyfuse, it says without --weights where these are.
    """
    from dataclasses import asdict

    from polyfuse import registry

    facts = registry.published(name.lower())
    if facts is not None and facts.note is not None:
        speaker(quiet)(facts.note)
    if facts is not None and weights is None:
        model = registry.FAMILIES[facts.family].build({})
        choices = {"choices": dict(model.choices)} if model.choices else {}
        print_json({"name": facts.family, "weights": facts.to_json(), "spec": model.spec.to_json(), **choices})
        return
    model = registry.load(name, weights=weights)
    choices = {"choices": dict(model.choices)} if model.choices else {}
    print_json({**asdict(model.provenance), "spec": model.spec.to_json(), **choices})


@command.command("card")
@click.argument("name", shell_complete=complete_cards)
@talk_options
def card(name: str, quiet: bool) -> None:
    """Print the card of the bundled weights NAME: data, recipe, scores, limits."""
    from polyfuse import registry

    click.echo(registry.read_card(name).rstrip())


@command.command("verify")
@click.argument("file", type=PATH, required=False)
@talk_options
def verify(file: Path | None, quiet: bool) -> None:
    """Check the weights FILE, or all bundled weights, against their checksums."""
    from polyfuse import registry
    from polyfuse.weights.store import load_weights

    if file is not None:
        _, info, digest = load_weights(file)
        registry.load(info.family, weights=file)
        click.echo(f"{file}  {info.name}  sha256 {digest}")
        return
    for entry in registry.list_models():
        if entry.weights is not None:
            model = registry.load(entry.name)
            click.echo(f"{entry.name}  sha256 {model.provenance.weights_sha256}")


IMPORT_HELP = f"""Convert the published CHECKPOINT of FAMILY ({", ".join(names_with("import"))}) to safetensors, with a
card beside it.

The checkpoint is read as data: one that tries to run code is refused. Where the files of a network are several, as
those of auif, CHECKPOINT is the folder that holds them.
"""


@command.command("import", help=IMPORT_HELP)
@click.argument("family", shell_complete=complete_families("import"))
@click.argument("checkpoint", type=PATH)
@click.option("-o", "--out", type=PATH, metavar="FILE", required=True, help="The .safetensors file to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@talk_options
def import_(family: str, checkpoint: Path, out: Path, overwrite: bool, quiet: bool) -> None:
    """Convert a published checkpoint, as `IMPORT_HELP` says."""
    from polyfuse import registry

    for path in registry.import_checkpoint(family, checkpoint, out, overwrite=overwrite):
        click.echo(path)
    say, facts = speaker(quiet), registry.published(family)
    if facts is not None and facts.note is not None:
        say(facts.note)
    say(f"use it with: polyfuse fuse A B --model {family} --weights {out}")


EXPORT_HELP = f"""Write MODEL for other programs.

`export onnx pyrfuse.road -o FILE.onnx` writes one ONNX file of any model that `polyfuse models list` names, which
`polyfuse fuse --engine onnx` runs without PyTorch, and so does any other program. It is checked in onnxruntime, and in
OpenVINO where that is installed, before it is written.

`export FAMILY WEIGHTS -o FILE` converts polyfuse weights of FAMILY ({", ".join(names_with("export"))}) to a checkpoint
that its published program can load.
"""


@command.command("export", help=EXPORT_HELP)
@click.argument("family", metavar="onnx|FAMILY", shell_complete=complete_families("export"))
@click.argument("model", metavar="MODEL|WEIGHTS", type=PATH, shell_complete=complete_models)
@click.option("-o", "--out", type=PATH, metavar="FILE", required=True, help="The file to write.")
@click.option("--weights", type=PATH, metavar="FILE", help="ONNX: weights file for an architecture such as fnet.")
@click.option(
    "--config", type=KeyValue(), multiple=True, metavar="KEY=VALUE", help="ONNX: a choice of the model; repeat it."
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="ONNX: float16 stores halves.",
)
@click.option(
    "--with-colour",
    is_flag=True,
    help="ONNX: 8-bit pictures in and out, ranges and colour inside; for programs of your own.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@talk_options
def export(
    family: str,
    model: Path,
    out: Path,
    weights: Path | None,
    config: tuple[tuple[str, str], ...],
    precision: Literal["float32", "float16"],
    with_colour: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Write a model for other programs, as `EXPORT_HELP` says."""
    if family.lower() == "onnx":
        _export_onnx(str(model), out, weights, config, precision, with_colour, overwrite, speaker(quiet))
        return
    from polyfuse import registry

    if weights is not None or config or precision != "float32" or with_colour:
        raise UsageError("--weights, --config, --precision and --with-colour are for ONNX: drop them.")
    for path in registry.export_checkpoint(family, model, out, overwrite=overwrite):
        click.echo(path)


def _export_onnx(
    name: str,
    out: Path,
    weights: Path | None,
    config: tuple[tuple[str, str], ...],
    precision: Literal["float32", "float16"],
    with_colour: bool,
    overwrite: bool,
    say: Callable[[str], None],
) -> None:
    """Write one ONNX file and tell how far the engines are off."""
    from polyfuse import registry
    from polyfuse.exporting import export_onnx
    from polyfuse.io.atomic import check_apart

    if weights is not None:
        check_apart(out, [weights])
    model = registry.load(name, weights=weights, config=dict(config))
    made = export_onnx(model, out, precision=precision, with_colour=with_colour, overwrite=overwrite)
    click.echo(made.path)
    off = ", ".join(f"{engine} {_difference(worst, with_colour)} off" for engine, worst in made.off.items())
    say(f"{made.num_bytes / 1e6:.1f} MB, opset {made.opset}, {precision}; beside PyTorch: {off}")


def _difference(worst: float, with_colour: bool) -> str:
    """A difference to PyTorch in the unit of the pictures."""
    if not with_colour:
        return f"{worst:.2g} of white"
    return f"{worst:.2g} grey level" + "s" * (worst != 1)
