"""Medical volumes given to verbs that take pictures: told from them, and what options mean nothing for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from polyfuse.errors import UsageError


def all_volumes(sources: Sequence[Path], fused: Sequence[Path]) -> bool:
    """Whether all paths are medical volumes.

    Raises:
        UsageError: If some are and others are not.
    """
    from polyfuse.volumes.kinds import kind_of

    kinds = {path: kind_of(path) for path in (*sources, *fused)}
    volumes = [path for path, kind in kinds.items() if kind is not None]
    if not volumes:
        return False
    other = next((path for path, kind in kinds.items() if kind is None and path.exists()), None)
    if other is not None:
        raise UsageError(f"{volumes[0]} is a volume and {other} is none: give all of NIfTI or DICOM.")
    if len(sources) != 2:
        raise UsageError(f"{volumes[0]} is a volume and has no partner: give A and B.")
    return True


def refuse_volumes(*paths: Path) -> None:
    """Refuse medical volumes where pictures of two cameras are aligned.

    Raises:
        UsageError: Saying what does it for volumes.
    """
    from polyfuse.volumes.kinds import kind_of

    volume = next((path for path in paths if kind_of(path) is not None), None)
    if volume is not None:
        raise UsageError(f"{volume} is a volume: `polyfuse fuse A B --register` finds how two lie on one another.")


def is_given(name: str) -> bool:
    """Whether an option of the verb that runs was given, by the name of its value."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def refuse(names: Sequence[str]) -> None:
    """Refuse options that have no meaning for volumes, by the names of their values.

    Raises:
        UsageError: Naming the first that is given.
    """
    name = next(filter(is_given, names), None)
    if name is not None:
        raise UsageError(f"--{name.replace('_', '-')} has no meaning for volumes: drop it.")
