"""Options that the commands below `polyfuse downstream` share: which rows are compared, and where files go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.completion import complete_models
from polyfuse.cli.options import Arguments, Command, stack
from polyfuse.cli.values import PATH
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.fusion import FuseOptions
    from polyfuse.io import Pair


class NamedFile(click.ParamType):  # type: ignore[type-arg]
    """A name and a path: mine=results/."""

    name = "name=path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Split the text at its first equals sign."""
        if isinstance(value, tuple):  # click asks for this: what is converted stays as it is
            return value
        name, _, path = (part.strip() for part in str(value).partition("="))
        if not name or not path:
            self.fail(f"{value!r} lacks a name or a path: write NAME=PATH.", param, ctx)
        return name, PATH.convert(path, param, ctx)


def row_options(command: Command) -> Command:
    """Which rows stand beside the sources, average and maximum, and how pictures are read and fused."""
    return stack(
        command,
        [
            click.option("--models", metavar="LIST", shell_complete=complete_models,
                         help="Models that fuse on the way, such as laplacian,fnet.road."),
            click.option("--fused", type=NamedFile(), multiple=True, metavar="NAME=DIR",
                         help="A method and the folder of its results; repeat it."),
            click.option("--range", "range_", default="auto", metavar="SPEC", show_default=True,
                         help="Values of A that become black and white, as in `polyfuse fuse`."),
            click.option("--range-b", default="full", metavar="SPEC", show_default=True, help="The same for B."),
            click.option("--precision", type=click.Choice(["float32", "bf16", "tf32", "auto"]), default="float32",
                         show_default=True, help="Arithmetic of the models that fuse."),
        ],
    )  # fmt: skip


def compare_options(command: Command) -> Command:
    """Which papers' rows stand below ours."""
    return stack(
        command,
        [
            click.option("--compare", multiple=True, metavar="PAPER",
                         help="Add published rows: fnet, smfnet, daefuse; repeat it."),
            click.option("--dataset", metavar="NAME",
                         help="Data set for --compare; default is guessed from the path of the first folder."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class RowArguments(Arguments):
    """What `row_options` asks for."""

    models: str | None
    fused: tuple[tuple[str, Path], ...]
    range_: str
    range_b: str
    precision: Literal["float32", "bf16", "tf32", "auto"]

    @property
    def model_names(self) -> list[str]:
        """The models by name."""
        return (self.models or "").replace(",", " ").split()

    def folders(self) -> dict[str, Path]:
        """Folders of results by the name of their row.

        Raises:
            UsageError: If a name is given twice.
        """
        return by_name(self.fused, "--fused")

    def fuse_options(self) -> FuseOptions:
        """How pictures are read and fused."""
        from polyfuse.fusion import FuseOptions

        return FuseOptions(range=self.range_, range_b=self.range_b)


def by_name(named: tuple[tuple[str, Path], ...], option: str) -> dict[str, Path]:
    """Paths by their names.

    Raises:
        UsageError: If a name is given twice.
    """
    paths: dict[str, Path] = {}
    for name, path in named:
        if name in paths:
            raise UsageError(f"{option} names {name} twice: choose another name for one of them.")
        paths[name] = path
    return paths


def given_pairs(a: Path, b: Path | None) -> list[Pair]:
    """The pairs of two folders, two files, or a CSV file.

    Raises:
        UsageError: If A alone is neither a CSV file nor, for the caller to see, a folder.
    """
    from polyfuse.io import find_pairs, pairs_from_csv

    if b is not None:
        return find_pairs(a, b)
    if a.suffix.lower() == ".csv":
        return pairs_from_csv(a)
    raise UsageError(f"{a} has no partner: give two folders, or one CSV file of pairs.")
