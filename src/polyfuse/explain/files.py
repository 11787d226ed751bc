"""An explanation as a folder of PNG pictures and one file of numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from polyfuse.drawing.canvas import require_matplotlib
from polyfuse.errors import OutputError
from polyfuse.explain.report import Explanation
from polyfuse.io import atomic_path, write_text
from polyfuse.io.atomic import check_apart

NUMBERS = "numbers.json"


def check_ready(folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Tell before any work whether an explanation could be saved there.

    Raises:
        DependencyError: If matplotlib is missing.
        OutputError: If `folder` is a file, or holds anything and `overwrite` is off.
    """
    require_matplotlib()
    target = Path(folder)
    try:
        if target.is_dir():
            if not overwrite and any(target.iterdir()):
                raise OutputError(f"{target} is not empty: pass --overwrite to replace files in it.")
        elif os.path.lexists(target):
            raise OutputError(f"{target} is a file: name a folder.")
    except OSError as error:
        raise OutputError(f"{target} cannot be looked into ({error.strerror}): choose another folder.") from error


def save(
    explanation: Explanation, folder: str | os.PathLike[str], *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Draw `explanation` into `folder`, yielding each path once its file is complete.

    overview.png tells the story on one sheet; further pictures, which depend on the model's family, show its parts;
    numbers.json holds the figures.

    Args:
        explanation: From `explain`.
        folder: Made if missing.
        overwrite: Whether files in it may be replaced.
        inputs: Files that are not replaced in any case.

    Raises:
        DependencyError: If matplotlib is missing.
        OutputError: If the folder is not free or a file cannot be written; no file is left half-written.
    """
    check_ready(folder, overwrite=overwrite)
    kept = tuple(inputs)
    for name, canvas in explanation.draw(explanation, explanation.findings):
        path = Path(folder) / f"{name}.png"
        check_apart(path, kept)
        content = canvas.png()
        with atomic_path(path, overwrite) as temporary:
            temporary.write_bytes(content)
        yield path
    check_apart(Path(folder) / NUMBERS, kept)
    text = json.dumps(explanation.numbers(), indent=2, ensure_ascii=False) + "\n"
    yield write_text(Path(folder) / NUMBERS, text, overwrite=overwrite)
