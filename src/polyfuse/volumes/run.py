"""One pair of volumes from files to files: read, brought together, fused, written with its record."""

from __future__ import annotations

import datetime
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polyfuse import registry
from polyfuse.errors import UsageError
from polyfuse.fusion import FuseOptions
from polyfuse.fusion.models import Model
from polyfuse.fusion.record import settings
from polyfuse.fusion.sidecar import remove_sidecar, sidecar_path, write_sidecar
from polyfuse.io import Picture, write_picture
from polyfuse.io.atomic import check_all_apart, check_free
from polyfuse.volumes.colour_maps import ANATOMICAL, FUNCTIONAL, chosen_map
from polyfuse.volumes.dicom_write import Derivation, write_dicom
from polyfuse.volumes.fusing import Fused, OnSlice, Seen, VolumeFusion
from polyfuse.volumes.geometry import brought_together, facts_of
from polyfuse.volumes.kinds import is_nifti
from polyfuse.volumes.move_files import to_json
from polyfuse.volumes.nifti_write import write_nifti
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.picture_write import montage, write_slices
from polyfuse.volumes.placing import check_room, placed, write_placed
from polyfuse.volumes.read import read_volume
from polyfuse.volumes.sources import files_of, stamp_of
from polyfuse.volumes.volume import Affine, Volume
from polyfuse.volumes.windows import check_preset, window_of

MONTAGE_SUFFIX = ".montage.png"
COPIED = "patient data of a stand in the result: --deidentify leaves them out"
NOT_FOR_CT = "{} was made for MRI with PET or SPECT, not for CT: compare with --model laplacian"
EXCHANGED = "a is {} and b {}: a gives the grid and b the colour, so --swap exchanges them"
LIMITS = "not a medical device: for research, compare with the sources before reading"

_IDENTIFYING = ("given", "path", "folder", "study", "series", "frame_of_reference")


@dataclass(frozen=True)
class Saving:
    """How a result is written."""

    overwrite: bool = False
    """Replace existing results."""
    sidecar: bool = True
    """Write the record beside the result."""
    montage: bool = False
    """Write a picture of a, b and the result in three planes beside it."""


@dataclass(frozen=True)
class VolumeResult:
    """What became of one pair of volumes."""

    path: Path
    """The file, or the folder of slices."""
    fused: Fused
    """The volume and how it was made."""
    record: dict[str, Any]
    """What made it; the content of the sidecar."""
    notes: tuple[str, ...]
    """What the user should know, one line each."""
    seconds: float
    """From reading to the last byte."""
    num_slices: int
    """Slices fused."""


def fuse_volumes(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    model: Model,
    options: FuseOptions | None = None,
    volume_options: VolumeOptions | None = None,
    saving: Saving | None = None,
    move: Affine | None = None,
    on_slice: OnSlice | None = None,
) -> VolumeResult:
    """Fuse two volumes into a file.

    Args:
        a: Whose grid the result has: NIfTI, DICOM file, or folder of one series.
        b: The other one; it is resampled onto a once.
        target: .nii or .nii.gz, .dcm, or a folder for PNG slices and a montage.
        model: A model from `load`.
        options: Those of every fusion; ranges are windows here and stand in `volume_options`.
        volume_options: Those of volumes.
        saving: How the result is written.
        move: (4, 4), from a's millimetres to b's, where `volume_options` name none; None: they agree.
        on_slice: Called after each slice.

    Returns:
        The result; it is on the disk.

    Raises:
        UsageError: If options do not go together.
        InputError: If a volume cannot be read, or they cannot be brought together.
        OutputError: If the result exists or cannot be written; nothing half-written remains.
    """
    a, b, target = Path(a), Path(b), Path(target)
    options, how, saving = options or FuseOptions(), volume_options or VolumeOptions(), saving or Saving()
    kind = kind_of_target(target)
    if how.values == "a" and kind != "nifti":
        raise UsageError("--values a is for NIfTI: DICOM and PNG hold luminance.")
    check_target(target, [a, b], saving)
    read = [path for source in (a, b) for path in files_of(source)]
    check_room(recorded_of(target), how, read, montage=saving.montage, overwrite=saving.overwrite)
    started = time.perf_counter()
    sources = read_volume(a, how.frame), read_volume(b, how.frame)
    check_preset(how.window, *sources)
    where = placed(*sources, how, montage=saving.montage)
    move = move if where.move is None else where.move.matrix
    seen, together_notes = seen_of(sources, how, move)
    fusion = VolumeFusion(seen, model, options, how)
    fused = fusion.run(on_slice)
    made_by = made_by_of(model, options, how)
    derivation = Derivation(_text(seen, model, how), model.provenance.name, how.deidentify)
    _write(fused, seen, sources, target, derivation, saving)
    write_placed(where, sources, recorded_of(target), montage=saving.montage, overwrite=saving.overwrite)
    seconds = time.perf_counter() - started
    notes = [note for name, volume in zip("ab", sources, strict=True) for note in _named(name, volume)]
    notes += [*where.notes, *together_notes, *fused.notes, _flicker_note(fused)]
    if sources[0].modality in FUNCTIONAL and sources[1].modality in ANATOMICAL:
        notes.append(EXCHANGED.format(*(volume.modality for volume in sources)))
    if model.provenance.name == registry.VOLUME_DEFAULT and "CT" in (volume.modality for volume in sources):
        notes.append(NOT_FOR_CT.format(model.provenance.name))
    if kind == "dicom" and sources[0].origin.format == "DICOM" and not how.deidentify:
        notes.append(COPIED)
    stand_in = Picture(np.zeros((1, 1), np.float32))  # the sources are put in its place
    record = {
        **fused.fuser.record(stand_in, stand_in, num_tiles=1, seconds=seconds),
        "sources": {
            name: source_facts(path, volume, hidden=how.deidentify)
            for name, path, volume in zip("ab", (a, b), sources, strict=True)
        },
        "settings": made_by,
        "range": {"a": seen.range_a.to_json(), "b": seen.range_b.to_json()},
        "volume": {
            "grid": _grid(fused.volume),
            "axis": "ijk"[fused.plane.axis],
            "plane": fused.plane.name,
            "slices": fused.volume.shape[fused.plane.axis],
            "overlap": seen.together.overlap,
            "move": None if move is None else np.asarray(move).tolist(),
            "registration": None if where.move is None else to_json(where.move),
            "colour_map": seen.colour_map,
            "values": fused.volume.unit,
            "flicker": _plain(fused.flicker),
            "flicker_ratio": _plain(fused.flicker_ratio),
        },
        "limits": LIMITS,
        "notes": notes,
    }
    if saving.sidecar:
        write_sidecar(recorded_of(target), record, overwrite=saving.overwrite)
    elif saving.overwrite:
        remove_sidecar(recorded_of(target))
    return VolumeResult(target, fused, record, tuple(notes), seconds, fused.volume.shape[fused.plane.axis])


def made_by_of(model: Model, options: FuseOptions, how: VolumeOptions) -> dict[str, Any]:
    """What decides over a result, beside its sources."""
    return {**settings(model, options), "volume": how.to_json()}


def kind_of_target(target: Path) -> Literal["nifti", "dicom", "pictures"]:
    """How a result of this name is written.

    Raises:
        UsageError: If nothing is written under such a name.
    """
    if is_nifti(target):
        return "nifti"
    if target.suffix.lower() == ".dcm":
        return "dicom"
    if target.suffix and not target.is_dir():
        raise UsageError(
            f"--out {target} ends in no suffix of volumes: use .nii.gz, .nii, .dcm, or a folder with a slash."
        )
    return "pictures"


def check_target(target: Path, sources: list[Path], saving: Saving) -> None:
    """Refuse to start where a result would replace a source or, unasked, any file.

    Raises:
        OutputError: Naming it.
    """
    written = [recorded_of(target)]
    if saving.sidecar:
        written.append(sidecar_path(recorded_of(target)))
    if saving.montage and kind_of_target(target) != "pictures":
        written.append(montage_path(target))
    read = [path for source in sources for path in files_of(source)]
    check_all_apart(written, read, "a source and would be replaced by a result")
    for path in written:
        check_free(path, overwrite=saving.overwrite)


def montage_path(target: Path) -> Path:
    """Where the montage of a result lies: beside it, or among its slices."""
    return (
        target / "montage.png"
        if kind_of_target(target) == "pictures"
        else target.with_name(target.name + MONTAGE_SUFFIX)
    )


def recorded_of(target: Path) -> Path:
    """The file beside which the record lies: the result, or the montage among its slices."""
    return montage_path(target) if kind_of_target(target) == "pictures" else target


def source_facts(path: Path, volume: Volume, *, hidden: bool) -> dict[str, Any]:
    """What the record says of a source; without names and UIDs where patients are not to be known."""
    facts = {**facts_of(volume), **stamp_of(path)}
    return {name: value for name, value in facts.items() if not (hidden and name in _IDENTIFYING)}


def seen_of(sources: tuple[Volume, Volume], how: VolumeOptions, move: Affine | None) -> tuple[Seen, tuple[str, ...]]:
    """Both volumes on the grid of a, in their windows, and what is to be told of that."""
    a, b = sources
    together = brought_together(a, b, order=how.interpolation, same_space=how.same_space, move=move)
    range_a, range_b = window_of(a, how.window, how.range_a), window_of(b, how.window, how.range_b)
    colour_map = chosen_map(how.colour_map, b.modality, is_colour=b.is_colour)
    notes = list(together.notes)
    for name, volume, record in (("a", a, range_a), ("b", b, range_b)):
        if not volume.is_colour:
            notes.append(f"{name}: window {record.low:.4g} to {record.high:.4g} {volume.unit} ({record.mode})")
        if record.low == record.high:
            notes.append(f"{name} has one value all over and shows nothing")
    if colour_map is not None:
        notes.append(f"b is shown in {colour_map}")
    return Seen(together, range_a, range_b, colour_map), tuple(notes)


def _write(
    fused: Fused, seen: Seen, sources: tuple[Volume, Volume], target: Path, derivation: Derivation, saving: Saving
) -> None:
    """Write the result and its montage."""
    kind = kind_of_target(target)
    if kind == "nifti":
        write_nifti(fused.volume, sources[0], target, overwrite=saving.overwrite)
    elif kind == "dicom":
        write_dicom(fused.volume, sources, target, derivation, overwrite=saving.overwrite)
    else:
        write_slices(fused, target, overwrite=saving.overwrite)
    if saving.montage or kind == "pictures":
        write_picture(montage_path(target), montage(seen, fused), overwrite=saving.overwrite)


def _text(seen: Seen, model: Model, how: VolumeOptions) -> str:
    """How the result was made, in one line for DICOM."""
    a, b = seen.together.a, seen.together.b
    form = "in three dimensions" if how.three_d else "slice by slice"
    windows = " and ".join(
        f"{record.low:.4g} to {record.high:.4g} {volume.unit}"
        for volume, record in ((a, seen.range_a), (b, seen.range_b))
    )
    now = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"Fused by polyfuse, {model.provenance.name}, {form}, {now}: {a.modality or 'a'} with {b.modality or 'b'} "
        f"resampled onto it ({how.interpolation}); windows {windows}. Not for diagnosis."
    )


def _named(name: str, volume: Volume) -> list[str]:
    """What reading a source did."""
    return [f"{name}: {note}" for note in volume.notes]


def _flicker_note(fused: Fused) -> str:
    """How steady the result is from slice to slice."""
    if math.isnan(fused.flicker):
        return "too few slices to measure flicker"
    return f"flicker from slice to slice {fused.flicker:.2g}, {fused.flicker_ratio:.2g} of the less steady source's"


def _grid(volume: Volume) -> dict[str, Any]:
    """The grid of the result."""
    return {"shape": list(volume.shape), "spacing": list(volume.spacing), "affine": volume.affine.tolist()}


def _plain(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return None if math.isnan(value) else value
