"""Medical volumes given to `polyfuse evaluate`: their slices as pictures in a temporary folder, the volume as group."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from polyfuse.errors import InputError

if TYPE_CHECKING:
    from polyfuse.evaluation import Item

Found = tuple[list["Item"], list[str], dict[str, str] | None]
"""Items, notes, and the group of each item by its name; None where pictures belong to no groups."""


@contextmanager
def slices_of(methods: Mapping[str, Path], a: Path, b: Path) -> Iterator[Found]:
    """The slices of volumes, as pictures that are there while the context is open.

    Args:
        methods: Fused volume by the name of its method.
        a: First source.
        b: Second source.

    Raises:
        InputError: If a volume cannot be read, or no slice shows anything.
    """
    from polyfuse.evaluation import Item, Method
    from polyfuse.io import Pair
    from polyfuse.io.source import counted
    from polyfuse.volumes.kinds import stem_of
    from polyfuse.volumes.looking import open_looking
    from polyfuse.volumes.sliced import write_sliced

    with tempfile.TemporaryDirectory(prefix="polyfuse-slices-") as folder:
        looking = open_looking(a, b, methods)
        slices, left_out = write_sliced(looking, Path(folder))
        if not slices:
            raise InputError(f"no slice of {stem_of(a)} shows anything, both sources are black: check the windows.")
        volume = stem_of(a)
        items = []
        for one in slices:
            first, second, *fused = one.paths
            by_method = {Method(name): path for name, path in zip(methods, fused, strict=True)}
            items.append(Item(Pair(f"{volume}/{one.name}", first, second), by_method))
        notes = [*looking.notes, f"{counted(len(slices), 'slice')} of one volume scored as pictures of 8 bits"]
        if left_out:
            notes.append(f"{counted(left_out, 'slice')} left out, both sources are black there")
        yield items, notes, dict.fromkeys((item.name for item in items), volume)
