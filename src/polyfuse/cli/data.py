"""`polyfuse data`: pack training data, draw scenes with ground truth, print what a file holds."""

from __future__ import annotations

import re
from pathlib import Path

import click

from polyfuse.cli.options import talk_options
from polyfuse.cli.output import json_document, speaker
from polyfuse.cli.values import PATH
from polyfuse.cli.volume_inputs import refuse
from polyfuse.errors import UsageError


@click.group("data")
def command() -> None:
    """Make pictures and data to work on, and look into files."""


@command.command("inspect")
@click.argument("file", type=PATH)
@click.option(
    "-o", "--out", type=PATH, metavar="DIR", help="Write raw counts, temperatures, visible picture and warp there."
)
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse pictures with more pixels.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def inspect(file: Path, out: Path | None, max_pixels: int | None, overwrite: bool, as_json: bool, quiet: bool) -> None:
    """Print what FILE holds: a picture, a thermal camera's JPEG, a recording of FLIR's (.seq, .csq), or a volume.

    For 16-bit counts and temperatures a window is proposed, which --range of `polyfuse fuse` takes; for a volume, NIfTI
    or DICOM (a file or the folder of a series), grid, unit and the window that it would be fused with.
    """
    from polyfuse.cli.inspection import lines_of, lines_of_volume
    from polyfuse.io import DEFAULT_MAX_PIXELS
    from polyfuse.io.atomic import check_all_apart
    from polyfuse.radiometric.contents import contents, export
    from polyfuse.volumes.kinds import kind_of

    with json_document(as_json) as document:
        if kind_of(file) is not None:
            from polyfuse.volumes.contents import contents as volume_contents

            refuse(("out", "max_pixels"))
            document.update(volume_contents(file))
            if not as_json:
                for line in lines_of_volume(document):
                    click.echo(line)
            return
        limit = max_pixels or DEFAULT_MAX_PIXELS
        document.update(contents(file, max_pixels=limit))
        if not as_json:
            for line in lines_of(document):
                click.echo(line)
        if out is None:
            return
        check_all_apart([out], [file])
        document["files"] = []
        for path in export(file, out, max_pixels=limit, overwrite=overwrite):
            document["files"].append(str(path))
            speaker(quiet)(str(path))


@command.command("synthetic")
@click.option(
    "-o", "--out", type=PATH, default=Path("scenes"), show_default=True, metavar="DIR", help="Where to write."
)
@click.option("--kind", type=click.Choice(["street", "yard"]), default="street", show_default=True, help="Which place.")
@click.option("--size", default="640x480", show_default=True, metavar="WxH", help="Size of the pictures.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Number of the first scene."
)
@click.option("--count", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="How many scenes.")
@click.option(
    "--frames", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Frames of each scene."
)
@click.option(
    "--bit-depth",
    type=click.Choice(["8", "16"]),
    default="8",
    show_default=True,
    help="16 gives raw thermal counts and a deep visible picture, as TIFF.",
)
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@talk_options
def synthetic(
    out: Path, kind: str, size: str, seed: int, count: int, frames: int, bit_depth: str, overwrite: bool, quiet: bool
) -> None:
    """Draw invented scenes at dusk as a thermal and a visible camera see them, with boxes and masks.

    The same seed gives the same bytes. Results on drawn pictures say that a program works, nothing about quality on
    real cameras.
    """
    from polyfuse.scenes import SceneConfig
    from polyfuse.scenes.files import write_scenes

    match = re.fullmatch(r"(\d+)x(\d+)", size)
    if match is None:
        raise UsageError(f"--size {size} is no size: write for example 640x480.")
    width, height = int(match[1]), int(match[2])
    configs = [
        SceneConfig(width=width, height=height, seed=seed + index, kind=kind)  # type: ignore[arg-type]
        for index in range(count)
    ]
    for path in write_scenes(out, configs, num_frames=frames, bit_depth=int(bit_depth), overwrite=overwrite):
        click.echo(path)


@command.command("pack")
@click.argument("folders", nargs=-1, type=PATH, metavar="[FOLDER]...")
@click.option("--pair", nargs=2, type=PATH, multiple=True, metavar="A B", help="Two folders matched by stem.")
@click.option("--split", default="train", show_default=True, metavar="NAME", help="Which split of each FOLDER.")
@click.option("-o", "--out", type=PATH, required=True, metavar="FILE", help="The pack to write.")
@click.option(
    "--luma",
    type=click.Choice(["full", "studio"]),
    default="full",
    show_default=True,
    help="Luma of B; the published FNet was trained on studio.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@talk_options
def pack(
    folders: tuple[Path, ...],
    pair: tuple[tuple[Path, Path], ...],
    split: str,
    out: Path,
    luma: str,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Pack the luma of all pairs of data sets into one file to train on.

    FOLDER is a data set with SPLIT/ir and SPLIT/vi or another known layout.
    """
    from polyfuse.data.layouts import WITHOUT_SPLIT, PairSet, find_set
    from polyfuse.data.pack import write_pack
    from polyfuse.io import check_sizes, find_pairs
    from polyfuse.io.source import counted

    sets = [find_set(folder, split) for folder in folders]
    sets += [PairSet(a.resolve().parent.name, WITHOUT_SPLIT, tuple(find_pairs(a, b))) for a, b in pair]
    for group in sets:
        check_sizes(group.pairs)
    items = write_pack(out, sets, luma_b=luma, overwrite=overwrite)  # type: ignore[arg-type]
    speaker(quiet)(f"{counted(len(items), 'pair')} of {counted(len(sets), 'set')}, luma {luma}")
    click.echo(out)
