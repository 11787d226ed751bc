"""Which picture belongs to which: two files, two folders matched by stem, or a list; one error names all problems."""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path
from typing import Literal

from polyfuse.errors import InputError, UsageError
from polyfuse.io.header import DEFAULT_MAX_PIXELS, peek_size
from polyfuse.io.source import SUFFIXES, check_exists, counted, read_bytes_of, reason, shown

Match = Literal["stem", "order"]
_NAMES_SHOWN = 5
_PROBLEMS_SHOWN, _MAX_CELL = 10, 200
"""Problems of a table in one message, and characters of a cell in it."""
_MAX_TABLE = 1 << 26
_BOM_UTF8 = "utf-8-sig"
BRING_TO_ONE_SIZE = "two cameras need the --warp that `polyfuse align` makes, else pass --resize a or --resize b"
"""What to do about two pictures of different sizes."""
_HEADERS = (("a", "b"), ("ir", "vi"), ("infrared", "visible"))
"""Names that the two columns of a table of pairs may have."""
_BETWEEN = "_-. "
"""What stands between a mark and the rest of a name."""


@dataclass(frozen=True)
class Pair:
    """Two pictures of one scene."""

    name: str
    """What the result is called, without suffix: the stem of `a` unless a list says otherwise."""
    a: Path
    """The greyscale, structure or salience source (infrared, MRI)."""
    b: Path
    """The colour-carrying or second source (visible, CT, PET, SPECT)."""

    def swapped(self) -> "Pair":
        """The same pair with `a` and `b` exchanged, under its name."""
        return Pair(self.name, self.b, self.a)


def natural_key(text: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key under which frame2 comes before frame10 and case does not matter; ties by the text itself."""
    parts = re.split(r"([0-9]+)", text)
    key = tuple((0, int(part), "") if index % 2 else (1, 0, part.casefold()) for index, part in enumerate(parts))
    return key, text


def find_pairs(
    a: str | os.PathLike[str], b: str | os.PathLike[str], *, match: Match = "stem", recursive: bool = False
) -> list[Pair]:
    """Find the pairs of two files or two folders.

    Folders are matched by stem (07.png with 07.jpg); only picture suffixes count, hidden files do not. Nothing is
    opened.

    Args:
        a: First file or folder.
        b: Second file or folder.
        match: "stem", or "order" to pair by position in natural order, which needs equal counts.
        recursive: Whether subfolders are entered; pictures then match by subfolder and stem, which both are their name.

    Returns:
        The pairs in natural order; one for two files.

    Raises:
        UsageError: If both are the same file or folder, one is a file and the other a folder, or `match` is unknown.
        InputError: If a path is missing, a folder has no picture or two of one stem, or pictures have no partner.
    """
    if match not in ("stem", "order"):
        raise UsageError(f"match {match!r} is unknown: use stem or order")
    first, second = Path(a), Path(b)
    for path in (first, second):
        check_exists(path)
    if first.is_dir() != second.is_dir():
        folder, file = (first, second) if first.is_dir() else (second, first)
        raise UsageError(f"{shown(folder)} is a folder and {shown(file)} is a file: give two files or two folders")
    if first.samefile(second):
        kind = "folder" if first.is_dir() else "file"
        raise UsageError(f"{shown(first)} is given for both sides: give the {kind} of the other source as well")
    if not first.is_dir():
        return [Pair(first.stem, first, second)]
    if match == "order" and recursive:
        raise UsageError("subfolders cannot be matched by order: drop --recursive, or --match order")
    files_a, files_b = list_pictures(first, recursive=recursive), list_pictures(second, recursive=recursive)
    if match == "order":
        return _match_order(files_a, files_b, first, second)
    side_a, side_b = (
        [(_name(path, folder), path) for path in files] for files, folder in ((files_a, first), (files_b, second))
    )
    return _match_names(side_a, side_b, first, second, "make the names match, or pass --match order")


def find_marked_pairs(a: Path, b: Path | None, marks: tuple[str, str], *, recursive: bool = False) -> list[Pair]:
    """Find the pairs of pictures whose names are equal but for a mark: x_ir.png and x_vi.png, or ir_1.png and vi_1.png.

    A mark stands at the end or at the beginning of a stem. Pictures with neither mark are left alone.

    Args:
        a: Folder with the pictures of the first mark.
        b: Folder with those of the second; None where they lie in `a` too.
        marks: Of a and of b, e.g. ("_ir", "_vi").
        recursive: As for `find_pairs`.

    Returns:
        The pairs in natural order, named after what their names have in common.

    Raises:
        UsageError: If the marks are equal or empty, or `a` or `b` is no folder.
        InputError: If a folder has no picture of its mark, two of one name, or pictures have no partner.
    """
    if not all(marks) or marks[0] == marks[1]:
        raise UsageError(f"{','.join(marks)!r} are no two marks: write for example _ir,_vi")
    folders = a, b or a
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{shown(folder)} is no folder: marks in names are for folders")
    sides: list[list[tuple[str, Path]]] = [[], []]
    for side, folder in enumerate(folders):
        for path in list_pictures(folder, recursive=recursive):
            rest = _unmarked(path.stem, marks, side)
            if rest is not None:
                sides[side].append((_name(path.with_name(f"{rest}{path.suffix}"), folder) if rest else "", path))
        if not sides[side]:
            raise InputError(f"no picture in {shown(folder)} begins or ends with {marks[side]}: check the marks")
    names = {"": sides[0][0][1].stem}  # of pictures whose name is the mark alone
    side_a, side_b = sides
    pairs = _match_names(side_a, side_b, *folders, "make the names match but for the marks")
    return [Pair(names.get(pair.name, pair.name), pair.a, pair.b) for pair in pairs]


def _unmarked(stem: str, marks: tuple[str, str], side: int) -> str | None:
    """What is left of a stem without the mark of a side; None if it has another mark or none.

    A mark that ends in the other one, as "ir" in "r", is the longer one's.
    """
    for cut in (str.removesuffix, str.removeprefix):
        fitting = sorted((mark for mark in marks if cut(stem, mark) != stem), key=len)
        if fitting:
            return cut(stem, fitting[-1]).strip(_BETWEEN) if fitting[-1] == marks[side] else None
    return None


def list_pictures(folder: Path, *, recursive: bool = False) -> list[Path]:
    """The picture files of a folder, and if `recursive` of its subfolders, in natural order."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{shown(error.filename)} cannot be listed: {reason(error)}") from error

    pictures = []
    for place, subfolders, names in os.walk(folder, onerror=refuse):
        subfolders[:] = [name for name in subfolders if recursive and not name.startswith(".")]
        pictures += [Path(place, name) for name in names if not name.startswith(".")]
    pictures = [path for path in pictures if path.suffix.lower() in SUFFIXES and isfile(path)]
    if not pictures:
        raise InputError(f"{shown(folder)} holds no pictures: files must end in {' '.join(SUFFIXES)}")
    return sorted(pictures, key=lambda path: [natural_key(part) for part in path.relative_to(folder).parts])


def _name(path: Path, folder: Path) -> str:
    """Subfolder and stem of a picture."""
    return path.relative_to(folder).with_name(path.stem).as_posix()


def _match_names(
    side_a: list[tuple[str, Path]], side_b: list[tuple[str, Path]], folder_a: Path, folder_b: Path, advice: str
) -> list[Pair]:
    """Pair by name."""
    problems = _duplicates(side_a, folder_a) + _duplicates(side_b, folder_b)
    by_name, names_a = dict(side_b), {name for name, _ in side_a}
    alone_a = [path.name for name, path in side_a if name not in by_name]
    alone_b = [path.name for name, path in side_b if name not in names_a]
    problems += _without_partner(alone_a, folder_a, folder_b) + _without_partner(alone_b, folder_b, folder_a)
    pairs = [Pair(name, path, by_name[name]) for name, path in side_a if name in by_name]
    _report(problems + _same_file(pairs), advice)
    return pairs


def _match_order(files_a: list[Path], files_b: list[Path], folder_a: Path, folder_b: Path) -> list[Pair]:
    """Pair by position."""
    if len(files_a) != len(files_b):
        raise InputError(
            f"{shown(folder_a)} holds {counted(len(files_a), 'picture')} and {shown(folder_b)} {len(files_b)}: "
            "matching by order needs equal counts"
        )
    pairs = [Pair(one.stem, one, other) for one, other in zip(files_a, files_b, strict=True)]
    # Results are named after `a`, so only its stems must differ.
    _report(_duplicates([(path.stem, path) for path in files_a], folder_a) + _same_file(pairs), "rename or remove them")
    return pairs


def _duplicates(side: Iterable[tuple[str, Path]], folder: Path) -> list[str]:
    """A message about names that more than one file has, if there are any."""
    by_name: dict[str, list[str]] = {}
    for name, path in side:
        by_name.setdefault(name, []).append(path.name)
    doubled = [" and ".join(names) for names in by_name.values() if len(names) > 1]
    return [f"{shown(folder)} has more than one picture of a name ({listed(doubled)})"] if doubled else []


def _without_partner(names: list[str], folder: Path, other: Path) -> list[str]:
    """A message about pictures that have no partner in the other folder, if there are any."""
    if not names:
        return []
    has = "has" if len(names) == 1 else "have"
    return [f"{len(names)} of the pictures in {shown(folder)} {has} no partner in {shown(other)} ({listed(names)})"]


def _same_file(pairs: Iterable[Pair]) -> list[str]:
    """A message about pairs whose two sides are one file under two names, if there are any."""
    same = [pair.name for pair in pairs if pair.a.samefile(pair.b)]
    return [f"both sides are the same file for {listed(same)}"] if same else []


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    text = ", ".join(shown(name) for name in names[:_NAMES_SHOWN])
    return text if len(names) <= _NAMES_SHOWN else f"{text} and {len(names) - _NAMES_SHOWN} more"


def _report(problems: Sequence[str], advice: str) -> None:
    """Raise one error with all problems, if there are any."""
    if problems:
        raise InputError(f"{'; '.join(problems)}: {advice}")


def pairs_from_csv(path: str | os.PathLike[str]) -> list[Pair]:
    """Read pairs from a table with the header a,b or a,b,name; also ir,vi or infrared,visible.

    Cells are parted by commas or semicolons. Paths are relative to the table's folder. Bad lines are reported with
    their numbers, the first of them if there are many.

    Args:
        path: A CSV file in UTF-8.

    Returns:
        The pairs in the table's order.

    Raises:
        InputError: If the table cannot be read, has another header or no rows, or a line names a missing file, the
            same file twice, a name already used, or a name that is no plain file name.
    """
    folder = Path(path).parent
    rows = csv_rows(path)
    pairs: list[Pair] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        one, other = folder / row[0], folder / row[1]
        name = row[2] if len(row) == 3 and row[2] else one.stem
        bad = [f"{_cell(file)} is missing" for file in (one, other) if not isfile(file)]
        if not bad and one.samefile(other):
            bad = [f"{_cell(row[0])} on both sides"]
        if name in lines:
            bad.append(f"the name {_cell(name)} is taken by line {lines[name]}")
        if name in ("", ".", "..") or re.search(r"[/\\\0]", name):
            bad.append(f"the name {_cell(name)!r} is no plain file name")
        problems += [f"line {line}: {text}" for text in bad]
        lines.setdefault(name, line)
        pairs.append(Pair(name, one, other))
    if len(problems) > _PROBLEMS_SHOWN:
        problems[_PROBLEMS_SHOWN:] = [f"and {len(problems) - _PROBLEMS_SHOWN} more"]
    if problems:
        raise InputError(f"{shown(path)} cannot be used, {'; '.join(problems)}: correct these lines")
    return pairs


def _cell(text: str | Path) -> str:
    """A cell of a table in a message: whatever stands between two commas counts as a name."""
    return shown(text, most=_MAX_CELL)


def csv_rows(path: str | os.PathLike[str]) -> list[tuple[int, list[str]]]:
    """Rows of the table with their line numbers, shape checked."""
    data = read_bytes_of(path, _MAX_TABLE, what="table of pairs")
    try:
        lines = data.decode(_BOM_UTF8).splitlines()
        head = next((line for line in lines if line.strip()), "")
        reader = csv.reader(lines, delimiter=";" if ";" in head and "," not in head else ",", strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{shown(path)} is no CSV table in UTF-8 ({reason(error)}): save it again") from error
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    if tuple(header[:2]) not in _HEADERS or header[2:] not in ([], ["name"]):
        known = " or ".join(",".join(names) for names in _HEADERS)
        raise InputError(f"{shown(path)} does not begin with the header {known}, and ,name if wanted: add it")
    width = len(header)
    short = [str(line) for line, row in rows if len(row) != width or not (row[0] and row[1])]
    if short:
        raise InputError(f"{shown(path)} needs {width} cells a line, see line {listed(short)}: correct these lines")
    if len(rows) == 1:
        raise InputError(f"{shown(path)} lists no pairs: add lines below the header")
    return rows[1:]


def check_sizes(
    pairs: Iterable[Pair],
    *,
    page: int = 0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    skip_unreadable: bool = False,
) -> None:
    """Make sure the two sides of every pair have one size, from their headers alone.

    Args:
        pairs: What to look at.
        page: Which page of a TIFF, from 0.
        max_pixels: Largest width times height accepted.
        skip_unreadable: Leave pictures whose header cannot be read to whoever reads them later.

    Raises:
        InputError: Naming every pair whose sizes differ and, unless skipped, every picture without a good header.
    """
    problems: list[str] = []
    unreadable: list[str] = []
    for pair in pairs:
        try:
            sizes = [peek_size(file, page=page, max_pixels=max_pixels) for file in (pair.a, pair.b)]
        except InputError as error:
            unreadable.append(str(error))
            continue
        if sizes[0] != sizes[1]:
            (width, height), (other_width, other_height) = sizes
            problems.append(f"{shown(pair.name)}: {width}x{height} and {other_width}x{other_height}")
    if unreadable and not skip_unreadable:
        raise InputError("; ".join(unreadable))
    if problems:
        raise InputError(f"sizes differ for {'; '.join(problems)}: {BRING_TO_ONE_SIZE}")
