"""Options of `polyfuse fuse` for medical volumes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import click

from polyfuse.cli.options import Arguments, Command, stack

if TYPE_CHECKING:
    from polyfuse.volumes.options import VolumeOptions

WINDOWS = ("auto", "percentile", "brain", "bone", "lung", "soft")
COLOUR_MAPS = ("auto", "none", "hot-iron", "pet", "hot-metal-blue", "pet-20-step")


def volume_options(command: Command) -> Command:
    """How volumes are brought together, windowed and written."""
    return stack(
        command,
        [
            click.option("--pair", "pair_marks", metavar="A,B",
                         help="Volumes: A is a folder of studies; fuse these modalities or marks of names: CT,PT."),
            click.option("--window", type=click.Choice(WINDOWS), default="auto", show_default=True,
                         help="Volumes: window of CT; auto is what the file proposes, else soft."),
            click.option("--interpolation", type=click.Choice(["linear", "cubic"]), default="linear", show_default=True,
                         help="Volumes: how B is brought onto the voxels of A."),
            click.option("--same-space", is_flag=True,
                         help="Volumes: their millimetres agree, whatever their headers say."),
            click.option("--register", is_flag=True,
                         help="Volumes: find the rigid move from A to B; it is kept, or refused if not sure."),
            click.option("--axis", type=click.Choice(["auto", "i", "j", "k"]), default="auto", show_default=True,
                         help="Volumes: across which slices are fused; auto is the thickest."),
            click.option("--three-d", is_flag=True,
                         help="Volumes: the Laplacian pyramid in three dimensions, without slices."),
            click.option("--across", default="none", metavar="FILTER", show_default=True,
                         help="Volumes: filter from slice to slice, exponential[:SHARE] of the new one."),
            click.option("--colour-map", type=click.Choice(COLOUR_MAPS), default="auto", show_default=True,
                         help="Volumes: DICOM's palette for B; auto is hot-iron for grey PET and SPECT."),
            click.option("--values", type=click.Choice(["luminance", "a"]), default="luminance", show_default=True,
                         help="Volumes: what a grey NIfTI holds, 0 to 1 or values in the unit of A."),
            click.option("--volume", "frame_number", type=click.IntRange(0), metavar="N",
                         help="Volumes: which one of a 4-D file, from 0."),
            click.option("--deidentify", is_flag=True,
                         help="Volumes: leave patient data and UIDs of the sources out of the results."),
            click.option("--montage", is_flag=True, help="Volumes: a picture of three planes beside each result."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class VolumeArguments(Arguments):
    """What `volume_options` asks for."""

    pair_marks: str | None = None
    window: str = "auto"
    interpolation: Literal["linear", "cubic"] = "linear"
    same_space: bool = False
    register: bool = False
    axis: Literal["auto", "i", "j", "k"] = "auto"
    three_d: bool = False
    across: str = "none"
    colour_map: str = "auto"
    values: Literal["luminance", "a"] = "luminance"
    frame_number: int | None = None
    deidentify: bool = False
    montage: bool = False

    def first_given(self) -> str | None:
        """The first option that was given; None if there is none."""
        names = {"pair_marks": "pair", "frame_number": "volume"}
        given = (field.name for field in fields(self) if getattr(self, field.name) != field.default)
        return next((f"--{names.get(name, name).replace('_', '-')}" for name in given), None)

    def options(self, range_a: str | None, range_b: str | None, move: str | None) -> VolumeOptions:
        """The same for the library.

        Args:
            range_a: Window of A instead; None for none.
            range_b: The same for B.
            move: File of a move between them; None for none.

        Raises:
            UsageError: If a value has no meaning.
        """
        from polyfuse.volumes.options import VolumeOptions

        return VolumeOptions(
            window=self.window,
            range_a=range_a,
            range_b=range_b,
            interpolation=self.interpolation,
            axis=self.axis,
            three_d=self.three_d,
            across=self.across,
            colour_map=self.colour_map,
            values=self.values,
            same_space=self.same_space,
            register=self.register,
            move=move,
            frame=self.frame_number,
            deidentify=self.deidentify,
        )
