"""`polyfuse align`: how the pictures of one camera lie on those of another, as a warp file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from polyfuse.cli.align_words import in_words, refusal, told
from polyfuse.cli.options import Arguments, talk_options
from polyfuse.cli.output import json_document, print_path, speaker
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PATH
from polyfuse.cli.volume_inputs import refuse_volumes
from polyfuse.errors import InputError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyfuse.alignment.vote import Finding
    from polyfuse.alignment.warp import Kind
    from polyfuse.io import Pair, Picture

DEFAULT_OUT = Path("warp.json")
DEFAULT_FRAMES = 16


@dataclass(frozen=True)
class AlignArguments(Arguments):
    """The options of `polyfuse align`."""

    out: Path | None
    model: Literal["auto", "shift", "similarity", "affine", "homography", "homography-radial"]
    points: Path | None
    board: str | None
    circles: bool
    flow: bool
    check: bool
    warp: Path | None
    picture: Path | None
    frames: int
    match: Literal["stem", "order"]
    anyway: bool
    overwrite: bool
    max_pixels: int | None
    threads: int | None
    as_json: bool
    quiet: bool

    @property
    def target(self) -> Path:
        """The warp file."""
        return self.out or DEFAULT_OUT

    @property
    def most_pixels(self) -> int:
        """Largest width times height of a picture."""
        from polyfuse.io import DEFAULT_MAX_PIXELS

        return self.max_pixels or DEFAULT_MAX_PIXELS


@click.command("align")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("-o", "--out", type=PATH, metavar="FILE", help="The warp file to write; warp.json by default.")
@click.option(
    "--model",
    type=click.Choice(["auto", "shift", "similarity", "affine", "homography", "homography-radial"]),
    default="auto",
    show_default=True,
    help="The most that the warp may do; auto is homography, with --points what their number allows. homography-radial "
    "also looks for a radial term of each lens.",
)
@click.option(
    "--frames",
    type=click.IntRange(1),
    default=DEFAULT_FRAMES,
    show_default=True,
    metavar="N",
    help="Folders and clips: how many pairs vote, evenly spaced.",
)
@click.option(
    "--points", type=PATH, metavar="FILE", help="Pairs of points by hand: a CSV of x and y in A, x and y in B."
)
@click.option(
    "--board", metavar="COLSxROWS", help="A board that both see: inner corners of a checkerboard, or its circles."
)
@click.option("--circles", is_flag=True, help="With --board: a grid of circles, not a checkerboard.")
@click.option(
    "--flow",
    is_flag=True,
    help="Add small smooth shifts that the model cannot explain, such as the parallax of a scene.",
)
@click.option("--check", is_flag=True, help="Write no warp: say how well A and B fit, under --warp or as they are.")
@click.option("--warp", type=PATH, metavar="FILE", help="With --check: the warp file to judge.")
@click.option("--picture", type=PATH, metavar="FILE", help="Also draw a checkerboard of both, and what is still off.")
@click.option(
    "--match",
    type=click.Choice(["stem", "order"]),
    default="stem",
    show_default=True,
    help="How the files of folders find each other.",
)
@click.option("--anyway", is_flag=True, help="Write the warp although it is not sure.")
@click.option("--overwrite", is_flag=True, help="Replace existing files.")
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse pictures with more pixels.")
@click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(a: Path, b: Path, **values: Any) -> None:
    """Find how A (infrared) lies on B (visible), pictures of two cameras with different size and view.

    A and B are two pictures, or two folders or clips of one fixed pair of cameras, whose pairs vote. The path of the
    warp file goes to stdout; `polyfuse fuse A B --warp FILE` uses it. What is not sure is not written: exit code 3.
    """
    arguments = AlignArguments.taken_from(values)
    with json_document(arguments.as_json) as document:
        _check_together(arguments)
        refuse_volumes(a, b)
        if arguments.threads:
            import torch

            torch.set_num_threads(arguments.threads)
        if arguments.check:
            _check(a, b, arguments, document)
        else:
            _align(a, b, arguments, document)


def _check_together(arguments: AlignArguments) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: Naming them.
    """
    from polyfuse.io import SUFFIXES

    if arguments.points and arguments.board:
        raise UsageError("--points and --board both say where the cameras meet: drop one.")
    if arguments.circles and not arguments.board:
        raise UsageError("--circles says what --board looks like: pass --board COLSxROWS as well.")
    if arguments.warp and not arguments.check:
        raise UsageError("--warp names a warp to judge: pass --check as well, or --out to say where to write.")
    if arguments.check and (arguments.points or arguments.board or arguments.out or arguments.anyway):
        raise UsageError("--check writes no warp: drop --points, --board, --out and --anyway.")
    if arguments.check and arguments.flow:
        raise UsageError("--check writes no warp: drop --flow.")
    if arguments.out and arguments.out.suffix.lower() in SUFFIXES:
        raise UsageError(
            f"--out {arguments.out} names a picture and a warp is JSON: name cameras.json; --picture draws a picture."
        )
    if arguments.model == "shift" and not (arguments.points or arguments.board):
        raise UsageError("two cameras differ by more than a shift: pass --model similarity, --points or --board.")


def _align(a: Path, b: Path, arguments: AlignArguments, document: dict[str, Any]) -> None:
    """Find a warp and write it; `document` gets what `--json` prints."""
    from polyfuse.alignment.files import to_json, write_warp
    from polyfuse.alignment.pictures import check_picture
    from polyfuse.io.atomic import check_apart, check_free
    from polyfuse.io.write import check_output, write_picture

    say = speaker(arguments.quiet)
    inputs = [path for path in (a, b, arguments.points) if path]
    check_apart(arguments.target, inputs)
    check_free(arguments.target, overwrite=arguments.overwrite)
    if arguments.picture:
        check_apart(arguments.picture, [*inputs, arguments.target])
        check_output(arguments.picture, depth=8, colour=True, overwrite=arguments.overwrite)
    by_hand = arguments.points is not None or arguments.board is not None
    if arguments.points:
        finding = _by_points(a, b, arguments)
    else:
        finding = _by_board(a, b, arguments) if arguments.board else _found(a, b, arguments, document)
    usable = finding.is_accepted or by_hand or arguments.anyway
    if arguments.model == "homography-radial" and usable and not by_hand:
        from polyfuse.alignment.lens import with_lenses

        finding = with_lenses(finding)
    if arguments.flow and usable:
        from polyfuse.alignment.flow_fit import flowed

        finding = flowed(finding)
    warp = finding.warp
    document["warp"] = to_json(warp)
    document["still_off"] = _still_off(finding)
    for line in told(finding, document["still_off"], by_hand=by_hand):
        say(line)
    if not by_hand and not finding.is_accepted and not arguments.anyway:
        raise InputError(refusal(finding))
    written = [write_warp(arguments.target, warp, overwrite=arguments.overwrite)]
    if arguments.picture:
        canvases, matrix = finding.canvases, finding.estimate.matrix
        pixels = check_picture(*canvases, matrix, _shifts(finding))
        written.append(write_picture(arguments.picture, pixels, overwrite=arguments.overwrite))
    document["files"] = [str(path) for path in written]
    if not arguments.as_json:
        for path in written:
            print_path(path)


def _found(a: Path, b: Path, arguments: AlignArguments, document: dict[str, Any]) -> Finding:
    """The warp that the pictures themselves say, with the hashes of their files."""
    from polyfuse.alignment import find_warp

    hashes: tuple[list[str], list[str]] = ([], [])
    model = arguments.model
    kind: Kind = "homography" if model == "auto" or model == "homography-radial" else model
    say = speaker(arguments.quiet)
    pairs = _pixels(a, b, arguments, hashes)
    first = list(itertools.islice(pairs, 1))
    if [(one.ndim, other.ndim) for _, one, other in first] == [(3, 2)]:
        say("a has colour and b has none: pass the thermal one first, as `fuse` will take them")
    with progress(0, say, tell_failures=False, quiet=arguments.quiet) as shown:
        finding = find_warp(itertools.chain(first, pairs), kind=kind, on_pair=shown.frame)
    if len(finding.votes) > 1:
        document["votes"] = [
            {"name": vote.name, "confidence": round(vote.confidence, 4), "apart": round(vote.apart, 3)}
            for vote in finding.votes
        ]
    return replace(finding, warp=replace(finding.warp, hashes_a=tuple(hashes[0]), hashes_b=tuple(hashes[1])))


def _pixels(
    a: Path, b: Path, arguments: AlignArguments, hashes: tuple[list[str], list[str]]
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Name and pixels of at most --frames pairs of files, folders or clips; `hashes` gets those of the files."""
    from polyfuse.io import is_clip
    from polyfuse.io.source import file_sha256

    clips = [path for path in (a, b) if is_clip(path)]
    if len(clips) == 1:
        raise UsageError(f"{clips[0]} is a clip and has no partner: give two clips.")
    if not clips:
        return _read_pairs(_some(a, b, arguments), arguments, hashes)
    from polyfuse.video.sampling import sampled_pairs

    hashes[0].append(file_sha256(a))
    hashes[1].append(file_sha256(b))
    return sampled_pairs(a, b, arguments.frames, max_pixels=arguments.most_pixels)


def _some(a: Path, b: Path, arguments: AlignArguments) -> list[Pair]:
    """The pairs of two files or folders, of folders as many as may vote, evenly spaced."""
    from polyfuse.io import find_pairs

    pairs = find_pairs(a, b, match=arguments.match)
    if len(pairs) <= arguments.frames:
        return pairs
    return [pairs[index * len(pairs) // arguments.frames] for index in range(arguments.frames)]


def _read(path: Path, arguments: AlignArguments) -> Picture:
    from polyfuse.io import read_picture

    return read_picture(path, max_pixels=arguments.most_pixels)


def _read_pairs(
    pairs: list[Pair], arguments: AlignArguments, hashes: tuple[list[str], list[str]]
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any]]]:
    """The pixels of pairs; `hashes` gets those of the files."""
    for pair in pairs:
        one, other = _read(pair.a, arguments), _read(pair.b, arguments)
        hashes[0].append(one.sha256 or "")
        hashes[1].append(other.sha256 or "")
        yield pair.name, one.array, other.array


def _by_points(a: Path, b: Path, arguments: AlignArguments) -> Finding:
    """The warp through points of a table, and what the pictures say of it."""
    from polyfuse.alignment.points import read_points, warp_of_points
    from polyfuse.alignment.vote import judged_finding

    if a.is_dir() or b.is_dir():
        raise UsageError("--points are of one pair: name two pictures.")
    points_a, points_b = read_points(arguments.points or Path())
    one, other = _read(a, arguments), _read(b, arguments)
    kind = None if arguments.model == "auto" else arguments.model
    warp = warp_of_points(points_a, points_b, (one.width, one.height), (other.width, other.height), kind)
    warp = replace(warp, hashes_a=(one.sha256 or "",), hashes_b=(other.sha256 or "",))
    return judged_finding(warp, one.array, other.array)


def _by_board(a: Path, b: Path, arguments: AlignArguments) -> Finding:
    """The warp through a board, and what the first pair says of it."""
    from polyfuse.alignment.board import parse_board, warp_of_boards
    from polyfuse.alignment.vote import judged_finding

    board = parse_board(arguments.board or "")
    hashes: tuple[list[str], list[str]] = ([], [])
    pairs = list(_pixels(a, b, arguments, hashes))
    kind = "homography" if arguments.model == "auto" else arguments.model
    warp = warp_of_boards(pairs, board, circles=arguments.circles, kind=kind)
    warp = replace(warp, hashes_a=tuple(hashes[0]), hashes_b=tuple(hashes[1]))
    return judged_finding(warp, *pairs[0][1:])


def _check(a: Path, b: Path, arguments: AlignArguments, document: dict[str, Any]) -> None:
    """Say how well pictures fit under a warp, or as they are; `document` gets what `--json` prints."""
    from polyfuse.alignment import Warp, read_warp
    from polyfuse.alignment.pictures import check_picture
    from polyfuse.alignment.vote import judged_finding
    from polyfuse.io import is_clip
    from polyfuse.io.atomic import check_apart
    from polyfuse.io.write import check_output, write_picture

    if arguments.picture:
        if a.is_dir() or is_clip(a):
            raise UsageError("--picture draws one pair: name two pictures.")
        check_apart(arguments.picture, [path for path in (a, b, arguments.warp) if path])
        check_output(arguments.picture, depth=8, colour=True, overwrite=arguments.overwrite)
    given = read_warp(arguments.warp) if arguments.warp else None
    document["pairs"] = []
    for name, one, other in _pixels(a, b, arguments, ([], [])):
        size_a, size_b = (one.shape[1], one.shape[0]), (other.shape[1], other.shape[0])
        if given is None and size_a != size_b:
            raise InputError(
                f"{name}: a is {size_a[0]}x{size_a[1]} and b {size_b[0]}x{size_b[1]}, "
                "so they do not lie on one another: pass --warp, or align them first"
            )
        finding = judged_finding(given or Warp.identity(size_a, size_b), one, other)
        facts = {"name": name, "confidence": round(finding.estimate.confidence, 4), **_still_off(finding)}
        document["pairs"].append(facts)
        if not arguments.as_json:
            click.echo(f"{name}: {in_words(facts)}")
        if arguments.picture:
            pixels = check_picture(*finding.canvases, finding.estimate.matrix, _shifts(finding))
            path = write_picture(arguments.picture, pixels, overwrite=arguments.overwrite)
            document["files"] = [str(path)]
            if not arguments.as_json:
                print_path(path)


def _shifts(finding: Finding) -> Any:
    from polyfuse.alignment.shifts import shift_map

    return shift_map(*finding.canvases, finding.estimate.matrix)


def _still_off(finding: Finding) -> dict[str, Any]:
    """What is left of shifts under a warp."""
    numbers: dict[str, Any] = _shifts(finding).numbers()
    return numbers
