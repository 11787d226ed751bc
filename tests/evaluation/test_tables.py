"""The same numbers in every format: marks, sections, widths, and files that parse back."""

import csv
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from polyfuse.evaluation import Report, save
from polyfuse.evaluation.documents import escape, latex, markdown
from polyfuse.evaluation.published import PublishedTable
from polyfuse.evaluation.records import document, picture_csv, summary_csv
from polyfuse.evaluation.tables import make_grid
from polyfuse.evaluation.terminal import terminal_text

ReportOf = Callable[..., Report]
NUMBERS = {
    "x_1": [{"EN": 7.0, "MI": 2.0, "MSE": 2500.0}, {"EN": 6.0, "MI": 3.0, "MSE": 2400.0}],
    "y": [{"EN": 5.0, "MI": 3.5, "MSE": 3000.0}, {"EN": 5.0, "MI": math.nan, "MSE": 3100.0}],
    "z": [{"EN": 5.0, "MI": 1.0, "MSE": 2999.0}, {"EN": 5.0, "MI": 1.0, "MSE": 2999.0}],
    "copy a*": [{"EN": 6.5, "MI": 9.0, "MSE": 1.0}, {"EN": 6.5, "MI": 9.0, "MSE": 1.0}],
}
PRINTED = PublishedTable("FNet", "Table I", "TNO", {"U2Fusion": {"MI": "1.37"}, "Other": {"MI": "9.90"}})


@pytest.fixture
def report(report_of: ReportOf) -> Report:
    return report_of(NUMBERS, published=[PRINTED])


def plain(report: Report, width: int = 200) -> list[str]:
    return terminal_text(make_grid(report), width=width, styled=False).splitlines()


def test_plain_table_has_protocol_arrows_and_marks(report: Report) -> None:
    lines = plain(report)
    for heading in ("EN[cddfuse] ·", "MI[cddfuse] ↑", "MI min ↑", "MI bal", "MSE[cddfuse] ↓", "avg rank ↓"):
        assert heading in lines[0]
    assert lines[2].split()[:4] == ["x_1", "2", "6.500", "_2.500_"]
    assert lines[3].split()[:4] == ["y", "2", "5.000", "**3.500**"]
    assert "**2450**" in lines[2]
    assert "_2999_" in lines[4]
    assert "\x1b" not in "".join(lines)


def test_baselines_and_published_rows_have_sections_without_marks_or_ranks(report: Report) -> None:
    lines = plain(report)
    copy = lines[lines.index("baselines") + 1]
    printed = lines[lines.index("published (FNet, Table I, TNO)") + 2]
    assert copy.split() == ["copy", "a", "2", "6.500", "9.000", "2.250", "0.333", "1"]
    assert printed.split() == ["Other", "9.90"]
    assert any("may differ" in line for line in lines)


def test_points_stand_below_each_other_whatever_the_mark(report: Report) -> None:
    lines = plain(report)
    rows = [line for line in lines if re.match(r"(x_1|y|z|copy a|Other) ", line)]
    places = {[m.start() for m in re.finditer(r"\.", row)][0 if row.startswith("Other") else 1] for row in rows}
    assert len(places) == 1


def test_footer_has_n_hash_ranked_metrics_and_what_was_left_out(report: Report) -> None:
    text = "\n".join(plain(report))
    assert f"n = 2 pairs, list sha256 {report.pairs_sha256[:16]}" in text
    assert "avg rank over MI, MSE" in text
    assert "MI, MI min: no finite value, left out of the mean: 1 of y" in text


def test_narrow_terminal_gets_blocks_that_fit(report_of: ReportOf) -> None:
    lines = plain(report_of(NUMBERS), width=60)
    blocks = [line for line in lines if line.startswith("method")]
    assert len(blocks) > 1
    assert all(len(line) <= 60 for line in lines[: lines.index("**best**, _second best_")])
    together = next(line for line in blocks if "MI[cddfuse]" in line)
    assert "MI bal" in together  # the columns of a metric stay together


def test_published_rows_are_not_repeated_where_they_have_no_number(report: Report) -> None:
    lines = plain(report, width=60)
    assert len([line for line in lines if line.startswith("method")]) > 1
    assert [line.split() for line in lines if line.startswith("Other")] == [["Other", "9.90"]]
    first = lines[: lines.index("published (FNet, Table I, TNO)")]
    assert sum(line.startswith("method") for line in first) == 1  # they stand beside ours, in the first block
    headings = " ".join(line for line in lines if line.startswith("method"))
    assert all(headings.count(name) == 1 for name in ("EN[", "MI[", "MI min", "MI bal", "MSE[", "avg rank"))


def test_mark_stands_at_its_number(report_of: ReportOf) -> None:
    published = PublishedTable("FNet", "Table I", "TNO", {"U2Fusion": {"MI": "1.3700"}})
    assert "_2.500_ " in "\n".join(plain(report_of(NUMBERS, published=[published])))


def test_styled_table_underlines_and_has_no_marks_of_its_own(report: Report) -> None:
    text = terminal_text(make_grid(report), width=200, styled=True)
    assert "\x1b[1m3.500\x1b[0m" in text
    assert "\x1b[4m2.500\x1b[0m" in text
    assert "**" not in text


def test_equal_printed_values_get_equal_marks(report_of: ReportOf) -> None:
    grid = make_grid(report_of({"x": [{"MI": 1.00001}], "y": [{"MI": 1.00002}], "z": [{"MI": 0.5}]}))
    assert [cells[1].mark for _, cells in grid.sections[0].rows] == ["best", "best", "second"]


def test_single_method_has_no_marks(report_of: ReportOf) -> None:
    grid = make_grid(report_of({"x": [{"MI": 1.0}]}))
    assert [cell.mark for _, cells in grid.sections[0].rows for cell in cells] == [""] * 4


def test_markdown_is_a_table_of_equal_width(report: Report) -> None:
    lines = [line for line in markdown(report).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert "**3.500**" in markdown(report)


def test_latex_is_booktabs_with_bold_and_underline(report: Report) -> None:
    text = latex(report)
    body = [line.strip() for line in text.splitlines() if line.strip().endswith(r"\\")]
    assert r"MI $\uparrow$ & MSE $\downarrow$" in body[0]
    assert {line.count(" & ") for line in body if "multicolumn" not in line} == {4}
    assert r"x\_1 & 6.500 & \underline{2.500} & \textbf{2450} & 1.50 \\" in body
    assert text.count(r"\midrule") == 3
    assert text.count("{") == text.count("}")
    assert r"\multicolumn{5}{l}{\emph{published (FNet, Table I, TNO)}}" in text


def test_latex_escapes_what_means_something_to_it() -> None:
    assert escape(r"a_b & 5 % $x$ #1 {y} \n ~ ^") == (
        r"a\_b \& 5 \% \$x\$ \#1 \{y\} \textbackslash{}n \textasciitilde{} \textasciicircum{}"
    )


def test_picture_csv_parses_back_with_nan(report: Report) -> None:
    rows = list(csv.DictReader(picture_csv(report).splitlines()))
    assert len(rows) == 8
    assert (rows[0]["pair"], rows[0]["method"], rows[0]["protocol"]) == ("0", "x_1", "cddfuse")
    assert float(rows[0]["MI"]) == 2.0
    assert float(rows[0]["MI_min"]) == 0.5
    assert rows[5]["MI"] == "nan"


def test_summary_csv_parses_back_with_counts(report: Report) -> None:
    rows = {(row["method"], row["metric"]): row for row in csv.DictReader(summary_csv(report).splitlines())}
    cell = rows["y", "MI"]
    assert (cell["mean"], cell["sd"], cell["n"], cell["left_out"], cell["direction"]) == ("3.5", "nan", "1", "1", "up")
    assert float(rows["x_1", "MI"]["ci_low"]) <= 2.5 <= float(rows["x_1", "MI"]["ci_high"])
    assert rows["copy a", "MI"]["kind"] == "baseline"


def test_guards_are_shown_and_neither_marked_nor_ranked(report_of: ReportOf) -> None:
    numbers = {"x": [{"MI": 1.0, "FlatSD": 9.0, "CD": 1.0}], "y": [{"MI": 2.0, "FlatSD": 3.0, "CD": 7.0}]}
    found = report_of(numbers)
    assert found.ranked == ("MI",)
    assert [column.key for column in found.columns] == ["MI", "MI_min", "MI_bal", "FlatSD", "FlatSD_b", "CD"]
    lines = markdown(found).splitlines()
    assert "| FlatSD[canonical] ↓ | FlatSD of b | CD[canonical] ↓ |" in lines[0]
    assert "| 9.000 | 2.500 | 1.000 |" in lines[2]
    assert "| 3.000 | 2.500 | 7.000 |" in lines[3]


def test_guards_do_not_make_a_method_trivial(report_of: ReportOf) -> None:
    same = {"CD": 0.0, "FlatSD": 1.0}
    found = report_of({"x": [{"MI": 1.0, **same}], "average*": [{"MI": 2.0, **same}]})
    assert not found.warnings


def test_files_name_the_protocol_of_our_own_measures(report_of: ReportOf) -> None:
    found = report_of({method: [{"MI": 1.0, "LOST": 0.5}] for method in "xy"})
    rows = {row["metric"]: row["protocol"] for row in csv.DictReader(summary_csv(found).splitlines())}
    assert (rows["MI"], rows["LOST"]) == ("cddfuse", "canonical")
    assert {entry["name"]: entry["protocol"] for entry in document(found)["metrics"]} == {
        "MI": "cddfuse", "LOST": "canonical",
    }  # fmt: skip
    assert "LOST[canonical] ↓" in markdown(found)


def test_json_has_everything_and_is_strict(report: Report) -> None:
    text = json.dumps(document(report), allow_nan=False)
    found = json.loads(text)
    assert found["schema"] == 1
    assert found["protocol"] == "cddfuse"
    assert found["pairs"] == {"n": 2, "sha256": report.pairs_sha256}
    assert found["rows"][1]["summary"]["MI"] == {
        "mean": 3.5, "sd": None, "low": None, "high": None, "n": 1, "left_out": 1,
    }  # fmt: skip
    assert found["per_picture"][5]["values"]["MI"] is None
    assert found["published"][0]["rows"]["Other"] == {"MI": "9.90"}
    assert set(found["versions"]) == {"polyfuse", "torch", "numpy", "python"}


def test_saved_files_are_those_of_the_report(report: Report, tmp_path: Path) -> None:
    paths = [path.name for path in save(report, tmp_path / "out", charts=False)]
    assert paths == ["per_picture.csv", "summary.csv", "results.json", "table.md", "table.tex"]
    assert (tmp_path / "out" / "table.tex").read_text(encoding="utf-8") == latex(report)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(paths)


HOSTILE = "=cmd|' /C calc'!A0<script>alert(1)</script>\n\\end{table}%\x1b[2J"


@pytest.fixture
def hostile(report_of: ReportOf) -> Report:
    """A report whose methods have names that mean something to a spreadsheet, a browser, LaTeX and a terminal."""
    report = report_of({HOSTILE: NUMBERS["y"], "-1.5": NUMBERS["z"]})
    return replace(report, notes=(*report.notes, f"{HOSTILE} was left out"))


def test_csv_holds_no_formulas_and_plain_numbers(hostile: Report) -> None:
    for text in (picture_csv(hostile), summary_csv(hostile)):
        rows = list(csv.DictReader(text.splitlines(keepends=True)))
        assert {row["method"] for row in rows} == {f"'{HOSTILE}", "-1.5"}


def test_markdown_of_hostile_names_is_one_row_each_without_html(hostile: Report) -> None:
    text = markdown(hostile)
    assert "<" not in text
    assert r"&lt;script&gt;" in text
    assert all(line.startswith(("|", "-")) for line in text.splitlines() if line)
    assert "\x1b" not in text


def test_latex_of_hostile_names_leaves_no_comment(hostile: Report) -> None:
    lines = latex(hostile).splitlines()
    assert [line for line in lines if line.startswith("\\end{table}")] == [lines[-1]]
    (row,) = (line for line in lines if line.lstrip().startswith("=cmd"))
    assert r"\textbackslash{}end\{table\}\%" in row
    assert "\x1b" not in "".join(lines)


def test_table_of_hostile_names_sends_no_codes_to_the_terminal(hostile: Report) -> None:
    assert "\x1b" not in terminal_text(make_grid(hostile), width=200, styled=False)
    assert "\x1b[2J" not in terminal_text(make_grid(hostile), width=200, styled=True)
