"""Medical volumes given to `polyfuse fuse`: its options become calls of the library."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyfuse.cli.fuse_options import FuseArguments
from polyfuse.cli.output import print_path, speaker
from polyfuse.cli.progress import Teller, progress
from polyfuse.errors import PartialError, PolyfuseError, UsageError

if TYPE_CHECKING:
    from polyfuse.fusion import Outcome
    from polyfuse.fusion.models import Model
    from polyfuse.volumes.studies import Study

SUFFIXES = (".nii.gz", ".nii", ".dcm", ".png")


def are_volumes(a: Path, b: Path | None, arguments: FuseArguments) -> bool:
    """Whether A and B are medical volumes, or A a folder of studies.

    Raises:
        UsageError: If only one is, or an option for volumes came with something else.
        InputError: If the other one does not exist.
    """
    from polyfuse.io.source import check_exists
    from polyfuse.volumes.kinds import kind_of

    if arguments.volumes.pair_marks is not None:
        if b is not None:
            raise UsageError("--pair takes one folder of studies: drop B.")
        return True
    given = [path for path in (a, b) if path is not None]
    volumes = [path for path in given if kind_of(path) is not None]
    if not volumes:
        option = arguments.volumes.first_given()
        if option is not None:
            raise UsageError(f"{option} is for medical volumes, NIfTI or DICOM: drop it.")
        return False
    if len(volumes) == len(given) == 2:
        return True
    other = next((path for path in given if path not in volumes), None)
    if other is None:
        raise UsageError(f"{a} is a volume and has no partner: give two, or a folder of studies with --pair CT,PT.")
    check_exists(other)
    raise UsageError(f"{volumes[0]} is a volume and {other} is none: give two of NIfTI or DICOM.")


def fuse_volumes(a: Path, b: Path | None, arguments: FuseArguments, document: dict[str, Any]) -> None:
    """Fuse two volumes, or all studies of a folder; `document` gets what became of each."""
    from polyfuse.volumes.batch import fuse_studies
    from polyfuse.volumes.run import Saving

    files, volumes = arguments.files, arguments.volumes
    _check_options(arguments)
    say = speaker(files.quiet)
    pictures = arguments.pictures
    range_a = None if pictures.range_ == "auto" else pictures.range_
    range_b = None if pictures.range_b == "full" else pictures.range_b
    if b is None and pictures.warp is not None:
        raise UsageError("--warp moves one pair of volumes: drop it, or --register each pair of --pair.")
    volume_options = volumes.options(range_a, range_b, None if pictures.warp is None else str(pictures.warp))
    options = replace(pictures, range_="full", range_b="full", warp=None).fuse_options()
    jobs = _jobs(a, b, arguments)
    many = b is None
    if files.dry_run:
        document["pairs"] = [_json(study, target) for study, target in jobs]
        if not files.as_json:
            for study, target in jobs:
                print_path(f"{study.pair.a}  +  {study.pair.b}  ->  {target}")
        return
    arguments.model.check_weights_stay((target for _, target in jobs), sidecars=not files.no_sidecar)
    model = _model(arguments, say)
    document["model"] = model.provenance.name
    saving = Saving(files.overwrite, not files.no_sidecar, volumes.montage)
    results = document["results"] = []
    failures: list[tuple[str, PolyfuseError]] = []
    skip = many and files.on_error == "skip"
    total, unit = (len(jobs), "pair") if many else (0, "slice")
    with progress(total, say, tell_failures=skip, quiet=files.quiet, unit=unit) as shown:
        for outcome in fuse_studies(
            jobs,
            model,
            options,
            volume_options,
            saving=saving,
            resume=files.resume,
            on_error=files.on_error,
            on_slice=None if many else shown.frame,
        ):
            results.append(_told(outcome, shown, files.as_json))
            if outcome.error is not None:
                failures.append((outcome.pair.name, outcome.error))
    if failures and skip:
        names = ", ".join(name for name, _ in failures[:5]) + (", ..." if len(failures) > 5 else "")
        raise PartialError(
            f"{len(failures)} of {len(jobs)} studies failed ({names}): see the lines above, the others are complete."
        )
    if failures and many:
        name, error = failures[0]
        done = f"{len(results) - 1} of {len(jobs)} studies are done, --resume keeps them"
        raise type(error)(f"{name}: {str(error).rstrip('.')}; {done}.") from error
    if failures:
        raise failures[0][1]


def _told(outcome: Outcome, shown: Teller, as_json: bool) -> dict[str, Any]:
    """Tell what became of a pair; returns its part of `--json`."""
    shown.outcome(outcome)
    if outcome.error is None and not as_json:
        shown.result(outcome.path)
    return {
        "name": outcome.pair.name,
        "a": str(outcome.pair.a),
        "b": str(outcome.pair.b),
        "out": str(outcome.path),
        "state": outcome.state,
        "error": None if outcome.error is None else str(outcome.error),
        "notes": list(outcome.notes),
    }


def _json(study: Study, target: Path) -> dict[str, Any]:
    """One pair of `--json` before anything is done."""
    return {"name": study.name, "a": str(study.pair.a), "b": str(study.pair.b), "out": str(target)}


def _jobs(a: Path, b: Path | None, arguments: FuseArguments) -> list[tuple[Study, Path]]:
    """The studies, and where their results go."""
    from polyfuse.io import Pair
    from polyfuse.volumes.kinds import is_nifti, kind_of, stem_of
    from polyfuse.volumes.studies import Study, find_studies, parse_marks

    files = arguments.files
    suffix = _suffix(files.suffix)
    if b is not None:
        if a.exists() and b.exists() and a.samefile(b):
            raise UsageError(f"{a} is given for both sides: give the other volume as well.")
        first, second = (b, a) if arguments.pictures.swap else (a, b)
        name = stem_of(first)
        study = Study(name, Pair(name, first, second), kind_of(first) == "dicom")
        return [(study, _target(files.out, study, suffix))]
    if arguments.pictures.swap:
        raise UsageError("--pair names A first and then B: exchange them there, and drop --swap.")
    studies = find_studies(a, parse_marks(arguments.volumes.pair_marks or ""))
    folder = Path(files.out or "fused")
    if folder.is_file() or is_nifti(folder) or folder.suffix == ".dcm":
        raise UsageError(f"--out {folder} names a file, but --pair makes many: name a folder.")
    return [(study, _in_folder(folder, study, suffix)) for study in studies]


def _suffix(given: str | None) -> str | None:
    """The suffix that was asked for, with its dot; None if none was."""
    if given is None:
        return None
    suffix = given if given.startswith(".") else f".{given}"
    if suffix.lower() not in SUFFIXES:
        raise UsageError(f"--suffix {suffix} is none of volumes: use {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.")
    return suffix.lower()


def _target(out: str | None, study: Study, suffix: str | None) -> Path:
    """Where the result of one pair goes: `fused.nii.gz` or `fused.dcm` unless the user says otherwise."""
    if out is None:
        return Path("fused") if suffix == ".png" else Path(f"fused{suffix or _own_suffix(study)}")
    if out.endswith(("/", os.sep)) or Path(out).is_dir():
        return Path(out) if suffix == ".png" else _in_folder(Path(out), study, suffix)
    return Path(out)


def _in_folder(folder: Path, study: Study, suffix: str | None) -> Path:
    """Where a study's result goes in a folder; slices have a folder of their own."""
    if suffix == ".png":
        return folder / study.name
    return folder / f"{study.name}{suffix or _own_suffix(study)}"


def _own_suffix(study: Study) -> str:
    """The format of the first source."""
    return ".dcm" if study.is_dicom else ".nii.gz"


def _model(arguments: FuseArguments, say: Any) -> Model:
    """The model: that of volumes unless the user names one."""
    from polyfuse import registry

    chosen = arguments.model
    is_auto = chosen.model.lower() == "auto" and chosen.weights is None
    if arguments.volumes.three_d:
        if not is_auto and chosen.model.lower() != "laplacian":
            raise UsageError(f"--three-d is a form of the model laplacian alone: drop it, or --model {chosen.model}.")
        chosen = replace(chosen, model="laplacian")
    elif is_auto:
        say(f"model {registry.VOLUME_DEFAULT}: the default of volumes")
        chosen = replace(chosen, model=registry.VOLUME_DEFAULT)
    return chosen.ready(say)


def _check_options(arguments: FuseArguments) -> None:
    """Refuse options that have no meaning for volumes.

    Raises:
        UsageError: Naming the first.
    """
    files, pictures, clips = arguments.files, arguments.pictures, arguments.clips
    given = {
        "--resize": pictures.resize is not None,
        "--resize-anyway": pictures.resize_anyway,
        "--page": pictures.page != 0,
        "--polarity": pictures.polarity != "white-hot",
        "--bit-depth": pictures.bit_depth != "auto",
        "--pair-by": files.pair_by is not None,
        "--match": files.match != "stem",
        "--recursive": files.recursive,
        "--radiometric": files.radiometric,
        "--keep-temperature": files.keep_temperature,
        "--flow": files.flow,
        "--verify": files.verify,
        "--temporal": clips.temporal != "none",
        clips.first_for_clips_alone() or "": clips.first_for_clips_alone() is not None,
    }
    option = next((option for option, is_given in given.items() if is_given), None)
    if option == "--temporal":
        raise UsageError("--temporal is for clips: pass --across for slices.")
    if option is not None:
        raise UsageError(f"{option} has no meaning for volumes: drop it.")
    if files.resume and files.no_sidecar:
        raise UsageError("--resume of volumes looks at their records: drop --no-sidecar.")
