"""`polyfuse fuse`: one pair, two folders of pictures or frames, a list of pairs, two clips, or medical volumes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polyfuse.cli.clips import are_clips, fuse_clips, limit_flow
from polyfuse.cli.cluster_options import ClusterArguments
from polyfuse.cli.fuse_options import (
    ClipArguments,
    FileArguments,
    FuseArguments,
    clip_options,
    engine_options,
    file_options,
)
from polyfuse.cli.options import ModelArguments, PictureArguments, model_options, picture_options, talk_options
from polyfuse.cli.output import json_document, print_path, speaker
from polyfuse.cli.progress import progress
from polyfuse.cli.values import PLACE, is_address
from polyfuse.cli.volume_options import VolumeArguments, volume_options
from polyfuse.cli.volumes import are_volumes, fuse_volumes
from polyfuse.errors import PartialError, PolyfuseError, UsageError

if TYPE_CHECKING:
    from polyfuse.cluster.mirror import Mirror
    from polyfuse.fusion import Outcome
    from polyfuse.fusion.models import Model
    from polyfuse.io import Pair, Picture


@click.command("fuse")
@click.argument("a", type=PLACE, required=False)
@click.argument("b", type=PLACE, required=False)
@click.option("--ir", type=PLACE, metavar="A", help="Another way to give A.")
@click.option("--vi", type=PLACE, metavar="B", help="Another way to give B.")
@click.option("-o", "--out", metavar="PATH", help="File to write, or folder, with a slash at its end or several pairs.")
@model_options
@picture_options
@file_options
@clip_options
@engine_options
@volume_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(
    a: Path | str | None, b: Path | str | None, ir: Path | str | None, vi: Path | str | None, **values: Any
) -> None:
    """Fuse A (infrared, near-infrared, MRI) with B (visible, CT, PET, SPECT).

    A and B are two files, or two folders whose files are matched by stem; or A alone is a CSV file with the columns
    a, b (or ir, vi) and optionally name, with --pair-by a folder, or a radiometric JPEG that holds both pictures (with
    --radiometric a folder of them); or two video clips; or two medical volumes, NIfTI or DICOM, with --pair a folder of
    studies. Written paths go to stdout, everything else to stderr.
    """
    with json_document(values["as_json"]) as document:
        if (a is None) == (ir is None) or (b is not None and vi is not None):
            raise UsageError("give A and B once each, as arguments or as --ir and --vi.")
        cluster = ClusterArguments.taken_from(values)
        with cluster.opened() as mirror:
            first, second = (
                None if one is None else cluster.source(one, mirror, recursive=values["recursive"])
                for one in (a or ir or Path(), b or vi)
            )
            if is_address(values["out"]):
                slash = "/" if values["out"].endswith("/") else ""
                values["out"] = f"{cluster.target(values['out'], mirror)}{slash}"
            _run(first or Path(), second, values, cluster, mirror, document)


def _run(
    a: Path, b: Path | None, values: dict[str, Any], cluster: ClusterArguments, mirror: Mirror, document: dict[str, Any]
) -> None:
    """Fuse volumes, clips or pictures, whichever A and B are."""
    values["radiometric"] = _is_radiometric(a, b, values)
    arguments = FuseArguments(
        ModelArguments.taken_from(values),
        PictureArguments.taken_from(values),
        FileArguments.taken_from(values),
        ClipArguments.taken_from(values),
        cluster,
        VolumeArguments.taken_from(values),
    )
    if are_volumes(a, b, arguments):
        cluster.check_parts("volumes")
        fuse_volumes(a, b, arguments, document)
    elif are_clips(a, b, arguments.clips) and b is not None:
        cluster.check_parts("clips")
        fuse_clips(a, b, arguments, document)
    else:
        _fuse(a, b, arguments, mirror, document)


def _is_radiometric(a: Path, b: Path | None, values: dict[str, Any]) -> bool:
    """Whether the raw plane of A is wanted: so it was said, nothing else makes sense of A, or degrees are asked for."""
    from polyfuse.radiometric.temperature import parse_degrees

    alone = b is None and values["pair_by"] is None and a.suffix.lower() in (".jpg", ".jpeg")
    return bool(
        values["radiometric"] or values["keep_temperature"] or alone or parse_degrees(values["range_"]) is not None
    )


def _fuse(a: Path, b: Path | None, arguments: FuseArguments, mirror: Mirror, document: dict[str, Any]) -> None:
    """Find the pairs and fuse them; `document` gets what became of each."""
    from polyfuse.alignment.apply import check_pairs_fit
    from polyfuse.fusion import Writing, fuse_pairs
    from polyfuse.fusion.batch import in_roles
    from polyfuse.fusion.thermal import celsius_path
    from polyfuse.io import check_sizes
    from polyfuse.io.source import counted
    from polyfuse.video import fuse_frames

    files, cluster = arguments.files, arguments.cluster
    say = speaker(files.quiet)
    options = arguments.pictures.fuse_options(radiometric=files.radiometric, flow=files.flow)
    pairs, many = _pairs(a, b, files)
    if not many:
        cluster.check_parts("a single pair")
    pairs = cluster.mine(pairs, lambda pair: pair.name, say)
    temporal = _checked_temporal(arguments.clips.temporal, many, files)
    if temporal != "none":
        cluster.check_parts("a sequence, of which each frame needs the one before")
    jobs = _jobs(pairs, files, many)
    skip = many and files.on_error == "skip"
    checks = not skip and not options.radiometric  # sizes of planes inside are looked at as they are read
    if checks and options.warp is not None:
        swapped = [pair for pair, _ in in_roles([job for job in jobs if _is_here(job[0], mirror)], options)]
        check_pairs_fit(options.aligning, swapped, page=options.page, max_pixels=options.max_pixels)
    elif checks and options.resize is None:
        check_sizes(
            [pair for pair in pairs if _is_here(pair, mirror)], page=options.page, max_pixels=options.max_pixels
        )
    if files.dry_run:
        listed = in_roles(jobs, options)
        document["pairs"] = [_pair_json(pair, path, mirror) for pair, path in listed]
        if not files.as_json:
            for pair, path in listed:
                print_path(mirror.told(f"{pair.a}  +  {pair.b}  ->  {path}"))
        return
    arguments.model.check_weights_stay((path for _, path in jobs), sidecars=not files.no_sidecar)
    arguments.pictures.check_warp_stays((path for _, path in jobs), sidecars=not files.no_sidecar)
    limit_flow(temporal, arguments.model.threads)
    if cluster.on_ray:  # whether it can be loaded is seen here, at once; workers have their own
        load = arguments.model.loader(say)
        model: Model = partial(load, device="cpu")()
    else:
        model = arguments.model.ready(say)
    document["model"] = model.provenance.name
    results = document["results"] = []
    writing = Writing(
        files.overwrite, files.resume, not files.no_sidecar, files.quality, files.verify, files.keep_temperature
    )
    brought = options.warp is not None or options.resize is not None or options.radiometric or options.flow
    # looking needs PyTorch
    looks = not (brought or files.quiet or cluster.on_ray or arguments.model.is_exported)
    failures: list[tuple[str, PolyfuseError]] = []
    with progress(len(jobs), say, tell_failures=skip, quiet=files.quiet) as shown:
        on_sources = _OffWarning(shown.note) if looks else None
        if cluster.on_ray:
            from polyfuse.cluster.fusing import fuse_on_workers  # needs PyTorch

            workers = cluster.on(arguments.model.device, arguments.model.threads or 1)
            runs = fuse_on_workers(
                jobs, load, options, mirror, workers=workers, writing=writing, on_error=files.on_error
            )
        elif temporal == "none":
            runs = fuse_pairs(
                jobs, model, options,
                writing=writing, on_error=files.on_error, on_tile=shown.tile, on_sources=on_sources,
            )  # fmt: skip
        else:
            runs = fuse_frames(jobs, model, options, temporal, writing=writing, on_sources=on_sources)
        for outcome in runs:
            shown.outcome(outcome)
            results.append(_outcome_json(outcome, mirror))
            if files.keep_temperature and outcome.error is None:
                results[-1]["celsius"] = mirror.told(celsius_path(outcome.path))
            if outcome.error is not None:
                failures.append((outcome.pair.name, outcome.error))
            elif not files.as_json:
                shown.result(mirror.told(outcome.path))
                if files.keep_temperature:
                    shown.result(mirror.told(celsius_path(outcome.path)))
    if failures and skip:
        raise _summary([name for name, _ in failures], len(jobs))
    if failures and many:
        name, error = failures[0]
        done = f"{len(results) - len(failures)} of {counted(len(jobs), 'pair')} are done, --resume keeps them"
        raise type(error)(f"{name}: {str(error).rstrip('.')}; {done}.") from error
    if failures:
        raise failures[0][1]


class _OffWarning:
    """Says once that the sources seem not to lie on one another: the first pair is looked at, in some 20 ms."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say: Callable[[str], None] | None = say

    def __call__(self, pair: Pair, a: Picture, b: Picture) -> None:
        """Look at the first pair."""
        say, self._say = self._say, None
        if say is None:
            return
        from polyfuse.alignment import seems_off

        off = seems_off(a.array, b.array)
        if off is not None:
            say(
                f"{pair.name}: the sources seem shifted by {off:.0f} pixels: if edges come out double, "
                "find a warp with `polyfuse align` and pass --warp"
            )


def _checked_temporal(temporal: str, many: bool, files: FileArguments) -> str:
    """What `--temporal` asks for.

    Raises:
        UsageError: If it is no filter, or the pictures are no sequence without gaps.
    """
    from polyfuse.video.temporal import parse_temporal

    if parse_temporal(temporal) is None:
        return temporal
    if not many:
        raise UsageError("--temporal is for clips and folders of frames: drop it.")
    if files.recursive:
        raise UsageError("--temporal is for one sequence and --recursive for many folders: drop one of them.")
    if files.on_error == "skip":
        raise UsageError("--on-error skip would leave gaps in the sequence: drop it, or --temporal.")
    return temporal


def _pairs(a: Path, b: Path | None, files: FileArguments) -> tuple[list[Pair], bool]:
    """The pairs, and whether they were given as a folder or list; a radiometric file alone is paired with itself."""
    from polyfuse.io import Pair, find_marked_pairs, find_pairs, pairs_from_csv
    from polyfuse.io.pairs import list_pictures

    if files.pair_by is not None:
        return find_marked_pairs(a, b, files.pair_by, recursive=files.recursive), True
    if b is None and files.radiometric and a.is_dir():
        pictures = list_pictures(a, recursive=files.recursive)
        named = [(path.relative_to(a).with_suffix("").as_posix(), path) for path in pictures]
        return [Pair(name, path, path) for name, path in named if path.suffix.lower() in (".jpg", ".jpeg")], True
    if b is None and a.suffix.lower() in (".jpg", ".jpeg"):
        return [Pair(a.stem, a, a)], False
    if b is None:
        if a.suffix.lower() != ".csv":
            more = _advice_for(a) if a.is_dir() else ""
            raise UsageError(f"{a} has no partner: give two files, two folders, or one CSV file of pairs.{more}")
        return pairs_from_csv(a), True
    return find_pairs(a, b, match=files.match, recursive=files.recursive), a.is_dir()


def _advice_for(folder: Path) -> str:
    """What to do with one folder, by what its first files are."""
    from polyfuse.radiometric.thermal import is_radiometric
    from polyfuse.volumes.kinds import is_nifti

    paths = sorted(path for path in folder.iterdir() if path.is_file())
    if any(map(is_nifti, paths)):
        return " If it holds studies, pass --pair, for example CT,PT."
    if next((is_radiometric(path) for path in paths if path.suffix.lower() in (".jpg", ".jpeg")), False):
        return " Its files are a thermal camera's own: pass --radiometric."
    return " If it holds both, pass --pair-by, for example _ir,_vi."


def _jobs(pairs: list[Pair], files: FileArguments, many: bool) -> list[tuple[Pair, Path]]:
    """Where each result goes: `fused.png` or the folder `fused` unless the user says otherwise."""
    from polyfuse.io import SUFFIXES
    from polyfuse.io.source import counted

    suffix = files.suffix or ".png"
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"--suffix {suffix} is unknown: use one of {' '.join(SUFFIXES)}.")
    if not many:
        target = files.target("fused.png", pairs[0].name, suffix)
        if target.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"--out {target} ends in no picture suffix: use one of {' '.join(SUFFIXES)}, or {target}/ for a folder."
            )
        return [(pairs[0], target)]
    folder = Path(files.out or "fused")
    if folder.suffix.lower() in SUFFIXES or folder.is_file():
        are = "is" if len(pairs) == 1 else "are"
        raise UsageError(f"--out {folder} names a file but there {are} {counted(len(pairs), 'pair')}: name a folder.")
    return [(pair, folder / f"{pair.name}{suffix}") for pair in pairs]


def _is_here(pair: Pair, mirror: Mirror) -> bool:
    """Whether both files lie on this machine, so that they can be looked at before the run."""
    return mirror.address(pair.a) is None and mirror.address(pair.b) is None


def _pair_json(pair: Pair, path: Path, mirror: Mirror) -> dict[str, Any]:
    """One pair of `--json`, and where its result goes."""
    return {"name": pair.name, "a": mirror.told(pair.a), "b": mirror.told(pair.b), "out": mirror.told(path)}


def _outcome_json(outcome: Outcome, mirror: Mirror) -> dict[str, Any]:
    """One result of `--json`."""
    return {
        **_pair_json(outcome.pair, outcome.path, mirror),
        "state": outcome.state,
        "error": None if outcome.error is None else str(outcome.error),
        "notes": list(outcome.notes),
    }


def _summary(names: list[str], total: int) -> PartialError:
    """The error that ends a run which went on after failures."""
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    from polyfuse.io.source import counted

    failed = f"{len(names)} of {counted(total, 'pair')} failed"
    return PartialError(f"{failed} ({some}): see the lines above, the others are complete.")
