"""Bringing the results of several machines together: files are copied as they are, and none may contradict another."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from polyfuse.benchmark.results import PICTURES, RESULTS, all_results, read_kept
from polyfuse.errors import InputError
from polyfuse.fusion.sidecar import sidecar_path
from polyfuse.io import atomic_path
from polyfuse.io.source import open_source, shown

_BLOCK = 1 << 20


def check_mergeable(folders: Iterable[Path], out: Path) -> None:
    """Refuse folders that hold no results.

    Raises:
        InputError: Naming the first.
    """
    for folder in folders:
        if not (folder / RESULTS).is_dir():
            raise InputError(f"{shown(folder)} holds no results of `polyfuse benchmark`: check the path")
        if out.exists() and folder.samefile(out):
            raise InputError(f"{shown(folder)} is the folder that the others are merged into: leave it out")


def merge(folders: Iterable[Path], out: Path) -> tuple[int, int]:
    """Copy results and pictures that `out` does not have.

    Args:
        folders: Of other runs of the same suite.
        out: Of this one.

    Returns:
        How many results were copied, and how many were there already.

    Raises:
        InputError: If a result is damaged, or two differ although they were made of the same things.
        OutputError: If a file cannot be written.
    """
    copied = there = 0
    for folder in folders:
        for path in all_results(folder):
            below = path.relative_to(folder / RESULTS)
            target = out / RESULTS / below
            kept, ours = read_kept(path), read_kept(target)
            if kept is None:
                raise InputError(f"{shown(path)} is damaged: run that share again, or delete the file")
            picture = Path(PICTURES) / below.with_suffix(".png")
            if ours is not None and (ours.inputs, ours.made_by) == (kept.inputs, kept.made_by):
                if target.read_bytes() != path.read_bytes():
                    raise InputError(
                        f"{shown(path)} and {shown(target)} were made of the same things and differ: were machines, "
                        "threads or metrics the same? Delete one of them"
                    )
                there += 1
                continue
            for source, goal in ((folder / picture, out / picture),
                                 (sidecar_path(folder / picture), sidecar_path(out / picture)),
                                 (path, target)):  # fmt: skip
                if source.is_file():
                    copy_file(source, goal)
            copied += 1
    return copied, there


def copy_file(source: Path, target: Path) -> None:
    """Copy one file, complete or not at all, with its time, which sidecars compare.

    Raises:
        OutputError: If it cannot be written.
    """
    with open_source(source, what="file") as file, atomic_path(target, overwrite=True) as temporary:
        with temporary.open("wb") as copy:
            while block := file.read(_BLOCK):
                copy.write(block)
        facts = os.stat(source)
        os.utime(temporary, ns=(facts.st_atime_ns, facts.st_mtime_ns))
