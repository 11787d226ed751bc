"""The table as aligned text: bold and underlined on a terminal, ** and _ elsewhere; broken where it is too wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from polyfuse.evaluation.tables import Cell, Grid, GridColumn, Section
from polyfuse.io.source import shown

BOLD, UNDERLINED, FAINT, PLAIN = "\x1b[1m", "\x1b[4m", "\x1b[2m", "\x1b[0m"
_SIGNS = {"best": ("**", "**"), "second": (" _", "_ "), "": ("  ", "  ")}
_GAP = "  "


def terminal_text(grid: Grid, *, width: int, styled: bool) -> str:
    """Spell out the table.

    Args:
        grid: The table.
        width: Characters of a line; more columns than fit go into further blocks below.
        styled: Use the terminal's bold and underline instead of ** and _.
    """
    grid = _aligned(_visible(grid))
    names = [name for section in grid.sections for name, _ in section.rows] + [grid.names]
    name_width = max(map(len, names))
    widths = [_width(grid, index, styled) for index in range(len(grid.columns))]
    blocks = [_block(grid, chosen, widths, name_width, styled) for chosen in _chunks(grid, widths, width - name_width)]
    legend = [] if styled or not _has_marks(grid) else [grid.legend]
    return "\n".join("\n".join(lines) for lines in [*blocks, [*legend, *grid.footer]])


def _visible(grid: Grid) -> Grid:
    """The table with names and lines that hold no control characters, which a terminal would obey."""
    sections = (
        replace(section, title=shown(section.title), rows=tuple((shown(name), cells) for name, cells in section.rows))
        for section in grid.sections
    )
    return replace(grid, sections=tuple(sections), footer=tuple(map(shown, grid.footer)))


def _aligned(grid: Grid) -> Grid:
    """Put spaces after numbers with fewer decimals than others of their column, so that points are aligned."""
    places = [
        max(
            (len(cells[index].text.partition(".")[2]) for section in grid.sections for _, cells in section.rows),
            default=0,
        )
        for index in range(len(grid.columns))
    ]

    def padded(cells: Sequence[Cell]) -> tuple[Cell, ...]:
        return tuple(
            Cell(cell.text + " " * (wanted - len(cell.text.partition(".")[2])), cell.mark) if "." in cell.text else cell
            for cell, wanted in zip(cells, places, strict=True)
        )

    sections = (replace(s, rows=tuple((name, padded(cells)) for name, cells in s.rows)) for s in grid.sections)
    return replace(grid, sections=tuple(sections))


def _chunks(grid: Grid, widths: Sequence[int], room: int) -> list[list[int]]:
    """Indices of the columns of each block.

    Groups stay together, unless the table is too wide and has published rows: then the columns that these fill come
    first, so that their rows are not repeated, nearly empty, in every block.
    """
    groups: dict[str, list[int]] = {}
    for index, column in enumerate(grid.columns):
        groups.setdefault(column.group, []).append(index)
    parts = [list(groups.values())]
    if any(_is_published(section) for section in grid.sections) and sum(widths) + len(_GAP) * len(widths) > room:
        first, *others = groups.values()  # the number of pairs
        filled = [[index] for group in others for index in group if _is_filled(grid, index)]
        rest = [[index for index in group if not _is_filled(grid, index)] for group in others]
        parts = [[first, *filled], [group for group in rest if group]]
    return [chunk for part in parts for chunk in _filled_lines(part, widths, room)]


def _is_published(section: Section) -> bool:
    """Whether its rows are published ones, which have no number of pairs."""
    return any(not cells[0].text for _, cells in section.rows)


def _is_filled(grid: Grid, index: int) -> bool:
    """Whether a published row has a number in this column."""
    return any(cells[index].text for section in grid.sections if _is_published(section) for _, cells in section.rows)


def _filled_lines(groups: Sequence[Sequence[int]], widths: Sequence[int], room: int) -> list[list[int]]:
    """Fill lines of `room` characters with columns; those of a group stay together."""
    lines: list[list[int]] = [[]]
    used = 0
    for members in groups:
        needed = sum(widths[index] + len(_GAP) for index in members)
        if lines[-1] and used + needed > room:
            lines.append([])
            used = 0
        lines[-1] += members
        used += needed
    return [line for line in lines if line]


def _has_marks(grid: Grid, index: int | None = None) -> bool:
    cells = [cells for section in grid.sections for _, cells in section.rows]
    return any(cell.mark for row in cells for cell in (row if index is None else [row[index]]))


def _width(grid: Grid, index: int, styled: bool) -> int:
    """Width of a column in characters."""
    spare = 4 if not styled and _has_marks(grid, index) else 0
    longest = max((len(cells[index].text) for section in grid.sections for _, cells in section.rows), default=0)
    return max(len(grid.columns[index].heading), longest + spare)


def _block(grid: Grid, chosen: Sequence[int], widths: Sequence[int], name_width: int, styled: bool) -> list[str]:
    """Heading, rule and rows for some of the columns."""
    heading = grid.names.ljust(name_width) + "".join(_heading(grid.columns[i], widths[i]) for i in chosen)
    lines = [heading.rstrip(), "─" * len(heading)]
    for section in grid.sections:
        lines += _section(grid, section, chosen, widths, name_width, styled)
    return [*lines, ""]


def _section(
    grid: Grid, section: Section, chosen: Sequence[int], widths: Sequence[int], name_width: int, styled: bool
) -> list[str]:
    """Title and rows; published rows without a number in these columns are left out."""
    lines = []
    for name, cells in section.rows:
        if any(cells[index].text for index in chosen):
            texts = [_cell(cells[i], widths[i], styled, _has_marks(grid, i)) for i in chosen]
            lines.append((name.ljust(name_width) + "".join(texts)).rstrip())
    if lines and section.title:
        title = f"{FAINT}{section.title}{PLAIN}" if styled else section.title
        return ["", title, *lines]
    return lines


def _heading(column: GridColumn, width: int) -> str:
    return _GAP + column.heading.rjust(width)


def _cell(cell: Cell, width: int, styled: bool, marked_column: bool) -> str:
    """One number, right-aligned, with its mark; points stay aligned."""
    if not styled:
        left, right = _SIGNS[cell.mark] if marked_column else ("", "")
        number = cell.text.rstrip()
        return _GAP + f"{left}{number}{right}{' ' * (len(cell.text) - len(number))}".rjust(width)
    code = {"best": BOLD, "second": UNDERLINED, "": ""}[cell.mark]
    space = " " * (width - len(cell.text))
    return _GAP + space + (f"{code}{cell.text}{PLAIN}" if code else cell.text)
