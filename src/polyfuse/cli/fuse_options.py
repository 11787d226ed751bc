"""Options that `polyfuse fuse` alone has: which files it reads and writes, and what concerns clips."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from polyfuse.cli.cluster_options import RAY, ClusterArguments, cluster_options
from polyfuse.cli.options import EXPORTED, TORCH, Arguments, Command, ModelArguments, PictureArguments, stack
from polyfuse.cli.volume_options import VolumeArguments
from polyfuse.errors import UsageError

ENGINES = click.Choice([TORCH, *EXPORTED, RAY])
"""What computes: PyTorch or an engine of exported models in this process, or PyTorch in the processes of a cluster."""


class Marks(click.ParamType):  # type: ignore[type-arg]
    """Two parts of file names: _ir,_vi."""

    name = "marks"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split the text at its comma."""
        if isinstance(value, tuple):  # click asks for this: what is converted stays as it is
            return value
        first, comma, second = str(value).partition(",")
        if not comma or "," in second:
            self.fail(f"{value!r} are no two marks: write for example _ir,_vi.", param, ctx)
        return first.strip(), second.strip()


def file_options(command: Command) -> Command:
    """How files are matched and written."""
    return stack(
        command,
        [
            click.option("--match", type=click.Choice(["stem", "order"]), default="stem", show_default=True,
                         help="How the files of two folders find each other."),
            click.option("--pair-by", type=Marks(), metavar="A,B",
                         help="Marks that tell A and B in file names, such as _ir,_vi; B may be left out then."),
            click.option("--recursive", is_flag=True, help="Enter subfolders, and make them for the results too."),
            click.option("--suffix", metavar="EXT",
                         help="Format of a folder's results: .png unless given, of volumes that of A."),
            click.option("--quality", type=click.IntRange(1, 100), default=95, show_default=True,
                         help="For JPEG and WebP."),
            click.option("--on-error", type=click.Choice(["stop", "skip"]), default="stop", show_default=True,
                         help="What to do after a pair that failed."),
            click.option("--resume", is_flag=True, help="Keep results that an earlier run made in the same way."),
            click.option("--verify", is_flag=True,
                         help="With --resume: compare hashes, not only size and time of the files."),
            click.option("--overwrite", is_flag=True, help="Replace existing results."),
            click.option("--no-sidecar", is_flag=True, help="Write no .json beside the results."),
            click.option("--radiometric", is_flag=True,
                         help="Take raw counts or temperatures of A, a thermal camera's own JPEG, not its picture."),
            click.option("--keep-temperature", is_flag=True,
                         help="Write degrees Celsius of a radiometric A beside each result, as 32-bit TIFF."),
            click.option("--flow", is_flag=True,
                         help="Pictures: take away small shifts that are left between A and B, such as parallax."),
            click.option("--dry-run", is_flag=True, help="List the pairs and write nothing."),
        ],
    )  # fmt: skip


def engine_options(command: Command) -> Command:
    """What computes, and where."""
    return stack(
        command,
        [
            click.option("--engine", type=ENGINES, help="torch, the default, in this process; for an exported model "
                         "onnx, its default, or openvino; or ray: on several processes or machines."),
            click.option("--workers", type=click.IntRange(1), metavar="N",
                         help="With --engine ray: processes; default is one for each --threads cores."),
            cluster_options,
        ],
    )  # fmt: skip


def clip_options(command: Command) -> Command:
    """How clips are filtered along time and encoded."""
    return stack(
        command,
        [
            click.option("--temporal", default="none", metavar="FILTER", show_default=True,
                         help="Clips and folders of frames: none, exponential or flow, also as KIND:SHARE of the new "
                         "frame."),
            click.option("--codec", type=click.Choice(["auto", "h264", "h265", "vp9", "ffv1"]), default="auto",
                         show_default=True, help="Clips: auto follows the suffix; ffv1 (.mkv) is lossless."),
            click.option("--crf", type=click.IntRange(0, 63), metavar="N", help="Clips: quality, lower is better."),
            click.option("--no-sound", is_flag=True, help="Clips: leave out the sound of B."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class FileArguments(Arguments):
    """What `file_options` asks for, and where the results go and are told."""

    out: str | None
    """As it was typed, since a slash at its end says that it is a folder."""
    match: Literal["stem", "order"]
    pair_by: tuple[str, str] | None
    recursive: bool
    suffix: str | None
    quality: int
    on_error: Literal["stop", "skip"]
    resume: bool
    verify: bool
    overwrite: bool
    no_sidecar: bool
    dry_run: bool
    radiometric: bool
    keep_temperature: bool
    flow: bool
    as_json: bool
    quiet: bool

    def __post_init__(self) -> None:
        """Refuse options that do not go together, before anything is read.

        Raises:
            UsageError: Naming them.
        """
        if self.out == "":
            raise UsageError("--out is empty: name a file, or a folder with a slash at its end.")
        if self.match == "order" and self.pair_by is not None:
            raise UsageError("--pair-by matches by name: drop it, or --match order.")

    def target(self, default: str, name: str, suffix: str) -> Path:
        """The file for the result of a single pair.

        Args:
            default: Where it goes if the user does not say.
            name: What it is called in a folder, with `suffix`.
            suffix: With its dot.
        """
        if self.out is None:
            return Path(default)
        names_folder = self.out.endswith(("/", os.sep)) or Path(self.out).is_dir()
        return Path(self.out) / f"{name}{suffix}" if names_folder else Path(self.out)


@dataclass(frozen=True)
class ClipArguments(Arguments):
    """What `clip_options` asks for."""

    temporal: str
    codec: Literal["auto", "h264", "h265", "vp9", "ffv1"]
    crf: int | None
    no_sound: bool

    def first_for_clips_alone(self) -> str | None:
        """The first option given that has a meaning for clips alone; None if there is none."""
        given = {"--codec": self.codec != "auto", "--crf": self.crf is not None, "--no-sound": self.no_sound}
        return next((option for option, is_given in given.items() if is_given), None)


@dataclass(frozen=True)
class FuseArguments:
    """All options of `polyfuse fuse`."""

    model: ModelArguments
    pictures: PictureArguments
    files: FileArguments
    clips: ClipArguments
    cluster: ClusterArguments
    volumes: VolumeArguments

    def __post_init__(self) -> None:
        """Refuse options that do not go together, before anything is read.

        Raises:
            UsageError: Naming them.
        """
        if self.files.verify and not self.files.resume:
            raise UsageError("--verify says how --resume looks at files: pass both, or neither.")
        if self.cluster.workers is not None and not self.cluster.on_ray:
            raise UsageError("--workers are processes of --engine ray: pass it as well, or drop --workers.")
