"""Options that the commands of `polyfuse downstream` share, and what they mean to the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from polyfuse.cli.options import PATH, Arguments, stack, talk_options
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.downstream.rows import Contestants
    from polyfuse.downstream.training.engine import Budget
    from polyfuse.io import Pair

Command = TypeVar("Command", bound=Callable[..., Any])


def contestant_options(command: Command) -> Command:
    """Whose pictures are compared; both sources, average and maximum always are."""
    return stack(
        command,
        [
            click.option("--models", default="", metavar="LIST",
                         help="Models that fuse on the way, for example laplacian,fnet.road."),
            click.option("--fused", "named", multiple=True, metavar="NAME=DIR",
                         help="Pictures fused elsewhere; repeat it."),
        ],
    )  # fmt: skip


def show_options(command: Command) -> Command:
    """What is printed."""
    return stack(
        command,
        [
            click.option("--format", "form", type=click.Choice(["table", "csv", "json", "md"]), default="table",
                         show_default=True, help="What goes to stdout."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout: --format json."),
        ],
    )  # fmt: skip


def training_options(command: Command) -> Command:
    """How a network is trained on each contestant's pictures."""
    return stack(
        command,
        [
            click.option("--train-split", default="train", show_default=True, metavar="NAME",
                         help="Split of TRAIN, where it has splits."),
            click.option("--test-split", default="test", show_default=True, metavar="NAME", help="The same of TEST."),
            click.option("--train-list", type=PATH, metavar="FILE", help="Only the pairs named there, a name a line."),
            click.option("--test-list", type=PATH, metavar="FILE", help="The same of TEST."),
            click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, metavar="N",
                         help="Trainings of each row."),
            click.option("--steps", type=click.IntRange(1), default=300, show_default=True, metavar="N",
                         help="Steps of each training."),
            click.option("--batch", type=click.IntRange(1), default=4, show_default=True, metavar="N",
                         help="Crops of a step."),
            click.option("--crop", type=click.IntRange(16), default=160, show_default=True, metavar="SIZE",
                         help="Longest side of a crop in pixels."),
            click.option("--rate", type=click.FloatRange(0, 1, min_open=True), default=3e-3, show_default=True,
                         metavar="RATE", help="Highest learning rate."),
            click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ..."),
            click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores."),
            click.option("--sheets", type=click.IntRange(0), default=3, show_default=True, metavar="N",
                         help="Pairs, of those that rows differ most on, to draw in --out/sheets."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class DownstreamArguments(Arguments):
    """What `contestant_options`, `show_options` and `talk_options` ask for."""

    out: Path
    models: str
    named: tuple[str, ...]
    form: Literal["table", "csv", "json", "md"]
    as_json: bool
    threads: int | None
    quiet: bool

    @property
    def wants_json(self) -> bool:
        """Whether stdout gets one JSON document."""
        return self.as_json or self.form == "json"

    @property
    def model_names(self) -> list[str]:
        """Names of `--models`, each once."""
        return list(dict.fromkeys(self.models.replace(",", " ").split()))

    def folders(self) -> dict[str, Path]:
        """Name and folder of each `--fused`.

        Raises:
            UsageError: If one lacks a name or a folder, is given twice, or has a name that no folder can have.
        """
        folders: dict[str, Path] = {}
        for text in self.named:
            name, _, path = text.partition("=")
            name = name.strip()
            if not name or not path:
                raise UsageError(f"--fused {text} lacks a name or a folder: write NAME=DIR.")
            if name in folders:
                raise UsageError(f"--fused names {name} twice: choose another name for one of them.")
            if name in (".", "..") or any(sign in name for sign in "/\\\0"):
                raise UsageError(f"--fused {text}: the name {name!r} is no plain file name: choose another.")
            folders[name] = Path(path)
        return folders

    def contestants(self, pairs: list[Pair], part: str = "") -> Contestants:
        """All rows for some pairs; what models fuse goes below `out`.

        Args:
            pairs: Which.
            part: "train" or "test": such a folder below the one of `--fused` is taken where there is one.
        """
        from polyfuse.downstream.rows import find_contestants

        fused = {
            name: path / part if part and (path / part).is_dir() else path for name, path in self.folders().items()
        }
        return find_contestants(pairs, self.out / part, fused=fused, models=self.model_names)


@dataclass(frozen=True)
class TrainingArguments(DownstreamArguments):
    """What `training_options` asks for as well."""

    train_split: str
    test_split: str
    train_list: Path | None
    test_list: Path | None
    seeds: int
    steps: int
    batch: int
    crop: int
    rate: float
    device: str
    sheets: int

    def budget(self) -> Budget:
        """The same for every row."""
        from polyfuse.downstream.training.engine import Budget

        return Budget(self.steps, self.batch, self.crop, self.rate)

    def prepare(self) -> None:
        """Set the number of threads; refuse a device that is not there and drawings that cannot be made.

        Raises:
            UsageError: If the device cannot be used.
            DependencyError: If sheets are wanted and matplotlib is missing.
        """
        import torch

        from polyfuse.drawing.canvas import require_matplotlib
        from polyfuse.ops.devices import check_device

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        check_device(self.device)
        if self.sheets:
            require_matplotlib()


def out_option(default: str) -> Callable[[Command], Command]:
    """Where a comparison lies."""
    return click.option(
        "-o", "--out", type=PATH, default=Path(default), show_default=True, metavar="DIR",
        help="Folder of the comparison: runs, fused pictures, tables.",
    )  # fmt: skip


__all__ = [
    "DownstreamArguments",
    "TrainingArguments",
    "contestant_options",
    "out_option",
    "show_options",
    "talk_options",
    "training_options",
]
