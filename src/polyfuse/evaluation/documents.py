"""The table for a page or a paper: Markdown, and LaTeX with booktabs."""

from __future__ import annotations

import html
import re

from polyfuse.evaluation.report import Report, versions
from polyfuse.evaluation.tables import Cell, Grid, GridColumn, make_grid
from polyfuse.io.source import counted, shown

_LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_LATEX_ARROWS = {"up": r"$\uparrow$", "down": r"$\downarrow$", "zero": r"$\to 0$", "none": ""}
_LATEX_MARKS = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
_MARKDOWN_MARKS = {"best": "**%s**", "second": "_%s_", "": "%s"}


def markdown(report: Report) -> str:
    """The whole table in GitHub's Markdown."""
    return markdown_text(make_grid(report))


def markdown_text(grid: Grid) -> str:
    """Spell out a table in GitHub's Markdown."""
    lines = [
        _line(grid.names, *(column.heading for column in grid.columns)),
        "|---|" + "---:|" * len(grid.columns),
    ]
    for section in grid.sections:
        if section.title:
            lines.append(_line(f"_{_markdown_name(section.title)}_", *([""] * len(grid.columns))))
        lines += [
            _line(
                _markdown_name(name),
                *(_MARKDOWN_MARKS[c.mark] % _as_it_stands(c.text) if c.text else "" for c in cells),
            )
            for name, cells in section.rows
        ]
    marked = any(cell.mark for section in grid.sections for _, cells in section.rows for cell in cells)
    marks = [grid.legend] if marked else []
    return "\n".join([*lines, "", *(f"- {text}" for text in [*marks, *map(_plain, grid.footer)])]) + "\n"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _markdown_name(name: str) -> str:
    """A name on one line that Markdown prints as it stands; signs within words, as in a_b, need no care."""
    return _as_it_stands(shown(name))


def _as_it_stands(text: str) -> str:
    """Text on one line that Markdown prints as it stands."""
    return _plain(re.sub(r"([\\`*\[\]])", r"\\\1", text))


def _plain(text: str) -> str:
    """Text on one line in which Markdown sees no HTML."""
    return html.escape(one_line(text), quote=False)


def one_line(text: str) -> str:
    r"""The text with line breaks and other control characters as spaces, so that no comment and no cell ends early.

    >>> one_line("a\nb")
    'a b'
    """
    return "".join(sign if sign.isprintable() else " " for sign in text)


def latex(report: Report) -> str:
    """The values as papers print them: booktabs, best in bold, second best underlined, no lower terms.

    The packages booktabs and, for a wide table, graphicx are needed.
    """
    return latex_text(make_grid(report), report, "Best in bold, second best underlined.")


def latex_text(grid: Grid, report: Report, legend: str) -> str:
    """Spell out a table of a report in LaTeX; `legend` ends its caption and says what the marks mean."""
    chosen = [
        index for index, c in enumerate(grid.columns) if c.group == "rank" or (c.source and c.source.part == "value")
    ]
    headings = [_latex_heading(grid.columns[index]) for index in chosen]
    body = [line for index in range(len(grid.sections)) for line in _latex_section(grid, index, chosen)]
    lines = [
        f"% polyfuse {versions()['polyfuse']}, protocol {report.task.protocol}, {counted(report.num_pairs, 'pair')}, "
        f"list sha256 {report.pairs_sha256}",
        *(f"% {one_line(text)}" for text in grid.footer),
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{Mean over {counted(report.num_pairs, 'pair')}, protocol {escape(report.task.protocol)}. "
        f"{escape(legend)}}}",
        f"  \\begin{{tabular}}{{l{'c' * len(chosen)}}}",
        r"    \toprule",
        "    " + " & ".join(["Method", *headings]) + r" \\",
        r"    \midrule",
        *(f"    {line}" for line in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_section(grid: Grid, index: int, chosen: list[int]) -> list[str]:
    """Rows of one section, after a rule and a title unless it is the first."""
    section = grid.sections[index]
    lines = []
    if section.title:
        lines = [r"\midrule", rf"\multicolumn{{{len(chosen) + 1}}}{{l}}{{\emph{{{escape(section.title)}}}}} \\"]
    for name, cells in section.rows:
        lines.append(" & ".join([escape(name), *(_latex_cell(cells[i]) for i in chosen)]) + r" \\")
    return lines


def _latex_cell(cell: Cell) -> str:
    return _LATEX_MARKS[cell.mark] % cell.text if cell.text else "--"


def _latex_heading(column: GridColumn) -> str:
    if column.source is None:
        return rf"Rank {_LATEX_ARROWS['down']}"
    metric = column.source.metric
    return f"{escape(metric.name)} {_LATEX_ARROWS[metric.direction]}".rstrip()


def escape(text: str) -> str:
    r"""Text that LaTeX prints as it stands.

    >>> print(escape("50 % of a_b"))
    50 \% of a\_b
    """
    return "".join(_LATEX_SIGNS.get(sign, sign) for sign in one_line(text))
