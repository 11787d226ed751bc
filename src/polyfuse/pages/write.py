"""Writing a results page to a folder: one HTML file, and a folder of data and pictures; complete or not there."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from polyfuse.errors import OutputError, UsageError
from polyfuse.io import DEFAULT_MAX_PIXELS, write_text
from polyfuse.io.atomic import check_free, temporary_folder
from polyfuse.io.source import shown
from polyfuse.pages.contents import Collection, MetricColumn, Section
from polyfuse.pages.document import check_contents, data_address, page_facts, pair_facts, script_json
from polyfuse.pages.html import page_html
from polyfuse.pages.pair_pictures import PairPictures, Pictured

INDEX = "index.html"
_FILES = re.compile(r"files-[0-9a-f]{12}")
"""Name of the folder beside `index.html` that holds the rest; the digits are of its content."""
_MOST_IN_ONE_FILE = 1 << 28
"""Bytes of pictures in a page of one file: browsers take long over more."""


def check_page(out_dir: Path, inputs: Sequence[Path], *, overwrite: bool = False) -> None:
    """Check, before any work, that a page can be written to a folder.

    Args:
        out_dir: Folder of the page.
        inputs: Files and folders that it must not write into or over.
        overwrite: Whether an earlier page there may be replaced.

    Raises:
        OutputError: If the folder is a file, holds an `index.html` and `overwrite` is off or it is no page of ours, or
            is one of the inputs.
    """
    if os.path.lexists(out_dir) and not out_dir.is_dir():
        raise OutputError(f"{shown(out_dir)} is a file: name a folder.")
    place = Path(os.path.realpath(out_dir))
    if any(place == Path(os.path.realpath(path)) for path in inputs):
        raise OutputError(f"{shown(out_dir)} is an input: choose another --out")
    index = out_dir / INDEX
    check_free(index, overwrite=overwrite)
    if os.path.lexists(index) and not _is_ours(index):
        raise OutputError(f"{shown(index)} is not a page of polyfuse: choose another --out")


def _is_ours(index: Path) -> bool:
    """Whether a file begins like the pages that are written here."""
    try:
        with index.open("rb") as file:
            return b'content="polyfuse ' in file.read(2000)
    except OSError:
        return False


def write_page(
    out_dir: Path,
    title: str,
    collections: Sequence[Collection] = (),
    metrics: Sequence[MetricColumn] = (),
    sections: Sequence[Section] = (),
    *,
    subtitle: str = "",
    methods: Sequence[str] = (),
    maps: bool = True,
    one_file: bool = False,
    overwrite: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    on_pair: Callable[[str], None] | None = None,
) -> Path:
    """Write a page: `index.html`, and beside it a folder `files-...` with data, pictures and small copies.

    Args:
        out_dir: Folder, made if missing.
        title: Heading.
        collections: Pairs to look at; none: a report without pictures.
        metrics: Columns of the scores of pairs, in order.
        sections: Report, shown before the pictures.
        subtitle: One line under the heading: versions, date, protocol.
        methods: Names of methods in the order in which they are shown; others come after them, as they occur.
        maps: Whether LOST and contribution maps of each fused picture are computed.
        one_file: Put everything into `index.html`: for few pictures, to send it to somebody.
        overwrite: Whether an earlier page there may be replaced.
        max_pixels: Largest picture that is read.
        on_pair: Called with the name of each pair once its pictures are written.

    Returns:
        The path of `index.html`.

    Raises:
        InputError: If a picture cannot be read, or has another size than the first source.
        UsageError: If two collections, metrics, or pairs of a collection have one name, or `one_file` is too large.
        OutputError: If a file cannot be written; no page is left then, and an earlier one stays as it was.
    """
    check_contents(collections, metrics)
    check_page(out_dir, [], overwrite=overwrite)
    facts = page_facts(title, subtitle, collections, metrics, sections, methods)
    with temporary_folder(out_dir, called=out_dir) as place:
        files = _Embedded() if one_file else Beside(place)
        for number, collection in enumerate(collections):
            for pair in collection.pairs:
                entry = pair_facts(pair, facts["methods"], metrics)
                key = f"{number}-{len(facts['collections'][number]['pairs'])}"
                pictures = PairPictures(pair, facts["methods"], maps=maps, max_pixels=max_pixels)
                facts["collections"][number]["pairs"].append(entry | pictures.facts(partial(files.add, key)))
                if on_pair is not None:
                    on_pair(pair.name)
        return finish(out_dir, partial(page_html, title), facts, files, overwrite)


class Beside:
    """Scripts in files of a folder, each loaded by the page when it is shown."""

    def __init__(self, place: Path) -> None:
        self.place, self._digest = place, hashlib.sha256()

    def add(self, key: str, picture: Pictured) -> None:
        """Write a picture as a script, which a page from disk may read pixel by pixel, and its small copy as JPEG."""
        folder = self.place / key
        folder.mkdir(exist_ok=True)
        text = f'polyfuse.arrived("{key}/{picture.slot}","{data_address(picture.content, picture.media_type)}");\n'
        self.put(f"{key}/{picture.slot}.js", text)
        if picture.thumbnail is not None:
            (folder / f"{picture.slot}.jpg").write_bytes(picture.thumbnail)

    def put(self, name: str, text: str) -> None:
        """Write a script."""
        (self.place / name).write_text(text, encoding="ascii")
        self._digest.update(hashlib.sha256(text.encode("ascii")).digest())

    def finish(self, out_dir: Path, facts: dict[str, Any]) -> tuple[str, str]:
        """Move the files to where they stay; returns the elements that load the data, and the folder's name."""
        text = script_json(facts)
        self._digest.update(text.encode("ascii"))
        facts["id"] = self._digest.hexdigest()[:12]
        name = f"files-{facts['id']}"
        facts["root"] = name
        (self.place / "data.js").write_text(f"polyfuse.data = {script_json(facts)};\n", encoding="ascii")
        target = out_dir / name
        if target.exists():  # the same content, from a run that was stopped, or that is replaced
            shutil.rmtree(target)
        os.replace(self.place, target)
        return f'<script src="{escape(name)}/data.js"></script>', name


class _Embedded:
    """Pictures inside the page."""

    def __init__(self) -> None:
        self._pictures: dict[str, str] = {}
        self._small: dict[str, str] = {}
        self._num_bytes = 0

    def add(self, key: str, picture: Pictured) -> None:
        """Keep a picture and its small copy.

        Raises:
            UsageError: If there are too many.
        """
        self._num_bytes += len(picture.content)
        if self._num_bytes > _MOST_IN_ONE_FILE:
            most = _MOST_IN_ONE_FILE >> 20
            raise UsageError(f"the pictures have more than {most} MiB, too many for one file: write a folder.")
        self._pictures[f"{key}/{picture.slot}"] = data_address(picture.content, picture.media_type)
        if picture.thumbnail is not None:
            self._small[f"{key}/{picture.slot}"] = data_address(picture.thumbnail, "image/jpeg")

    def finish(self, out_dir: Path, facts: dict[str, Any]) -> tuple[str, str]:
        """The element that holds the data; there is no folder."""
        facts |= {"pictures": self._pictures, "thumbnails": self._small}
        facts["id"] = hashlib.sha256(script_json(facts).encode("ascii")).hexdigest()[:12]
        return f"<script>polyfuse.data = {script_json(facts)};</script>", ""


def finish(
    out_dir: Path,
    page: Callable[[str], str],
    facts: dict[str, Any],
    files: Beside | _Embedded,
    overwrite: bool,
) -> Path:
    """Put the files in their place, then the page that names them, and remove those of the page it replaces.

    Args:
        out_dir: Folder of the page.
        page: Makes the HTML file, of the elements that load its data.
        facts: The data.
        files: What lies beside the page, or in it.
        overwrite: Whether an earlier page there may be replaced.
    """
    elements, kept = files.finish(out_dir, facts)
    try:
        index = write_text(out_dir / INDEX, page(elements), overwrite=overwrite)
    except BaseException:
        if kept:
            shutil.rmtree(out_dir / kept, ignore_errors=True)
        raise
    with suppress(OSError):
        for entry in out_dir.iterdir():
            if _FILES.fullmatch(entry.name) and entry.name != kept and (entry / "data.js").is_file():
                shutil.rmtree(entry, ignore_errors=True)
    return index
