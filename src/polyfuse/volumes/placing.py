"""The move that a pair of volumes is fused under: found, read from its file, or none; and the files it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyfuse.drawing.canvas import require_matplotlib
from polyfuse.io.atomic import atomic_path, check_all_apart, check_free
from polyfuse.volumes.move import Move
from polyfuse.volumes.move_files import read_move, write_move
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.overlay import draw_overlay
from polyfuse.volumes.registration import Registration, checked, register
from polyfuse.volumes.volume import Volume

MOVE_SUFFIX, OVERLAY_SUFFIX = ".move.json", ".overlay.png"
"""Of the files beside a result that was registered."""


@dataclass(frozen=True, eq=False)
class Placed:
    """How b lies to a."""

    move: Move | None = None
    """None: as the headers have it."""
    registration: Registration | None = None
    """What the move was found by; None if it was not."""
    notes: tuple[str, ...] = ()


def placed(a: Volume, b: Volume, how: VolumeOptions, *, montage: bool = False) -> Placed:
    """The move that the options ask for; `montage` says whether an overlay is drawn.

    Raises:
        InputError: If none is sure, or the file is none for these volumes.
    """
    if how.move is not None:
        move = read_move(how.move)
        move.check_fits(a, b, how.move)
        sure = "" if move.confidence is None else f", confidence {move.confidence:.2f}"
        return Placed(move, None, (f"b is moved as {how.move} says ({move.found}{sure})",))
    if not how.register:
        return Placed()
    found = checked(register(a, b), a, b)
    look = "look at the overlay beside the result" if montage else "--montage draws an overlay to check it by"
    note = (
        f"registered: b lies {found.shift:.1f} mm and {found.angle:.1f} degrees from where the headers put it "
        f"(normalised mutual information {found.before:.4f} -> {found.after:.4f}, residual {found.residual:.1f} mm, "
        f"confidence {found.confidence:.2f}); {look}"
    )
    return Placed(Move.of(found, a, b), found, (note,))


def check_room(result: Path, how: VolumeOptions, read: list[Path], *, montage: bool, overwrite: bool) -> None:
    """Refuse to start where the files of a registration cannot be written.

    Args:
        result: The file beside which they lie.
        how: Whether there will be any.
        read: Files that must stay.
        montage: Whether an overlay is drawn.
        overwrite: Replace what is there.

    Raises:
        OutputError: Naming the file that is in the way.
        DependencyError: If matplotlib is missing and an overlay is asked for.
    """
    if not how.register:
        return
    suffixes = (MOVE_SUFFIX, OVERLAY_SUFFIX) if montage else (MOVE_SUFFIX,)
    written = [result.with_name(result.name + suffix) for suffix in suffixes]
    check_all_apart(written, read, "a source and would be replaced by a result")
    for path in written:
        check_free(path, overwrite=overwrite)
    if montage:
        require_matplotlib()


def write_placed(
    where: Placed, sources: tuple[Volume, Volume], result: Path, *, montage: bool, overwrite: bool
) -> None:
    """Write the move that was found, and with `montage` the overlay, beside a result.

    Raises:
        OutputError: If one cannot be written.
    """
    if where.move is None or where.registration is None:
        return
    write_move(result.with_name(result.name + MOVE_SUFFIX), where.move, overwrite=overwrite)
    if montage:
        content = draw_overlay(*sources, where.registration).png()
        with atomic_path(result.with_name(result.name + OVERLAY_SUFFIX), overwrite) as temporary:
            temporary.write_bytes(content)
