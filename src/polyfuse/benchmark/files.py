"""Writing the report of a benchmark: texts, tables, diagrams and contact sheets; no file is ever half-written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from polyfuse.benchmark import documents, records
from polyfuse.benchmark.diagram import can_be_drawn, critical_difference, described
from polyfuse.benchmark.documents import Drawn, Outcome, drawn_key
from polyfuse.benchmark.judged import Judged
from polyfuse.benchmark.methods import ModelMethod
from polyfuse.benchmark.plan import Plan, Work
from polyfuse.benchmark.results import Store, Unit, as_file_name
from polyfuse.benchmark.sheets import Block, choose_pairs, contact_sheet
from polyfuse.errors import InputError
from polyfuse.evaluation.charts import rendered
from polyfuse.io import Pair, atomic_path, write_text
from polyfuse.io.pairs import listed
from polyfuse.io.source import shown

REPORT = "report.md"
_KINDS = ("svg", "png")


def save(outcome: Outcome, store: Store) -> Iterator[Path]:
    """Write everything but the page, yielding each path once its file is complete; report.md comes last.

    Raises:
        InputError: If a picture of a sheet cannot be read, or an inset lies outside of it.
        OutputError: If a file cannot be written.
    """
    folder = store.folder
    drawn: dict[str, Sequence[Drawn]] = {}
    sheets: dict[str, Drawn] = {}
    for judged in outcome.judged:
        name = judged.work.set.name
        pictures = []
        for path, alt in _diagrams(outcome.plan, judged, folder):
            yield path
            if path.suffix == ".svg":
                pictures.append(Drawn(_link(path, folder), alt))
        if name not in sheets and (sheet := _sheet(outcome.plan, judged, store)) is not None:
            yield sheet
            sheets[name] = Drawn(
                _link(sheet, folder), f"Contact sheet of {name}: sources and methods, with magnified regions"
            )
            pictures.append(sheets[name])
        drawn[drawn_key(judged)] = pictures
        file = folder / "tables" / f"{as_file_name(name)}.{as_file_name(judged.protocol)}.tex"
        yield write_text(file, documents.latex(judged), overwrite=True)
    texts = {
        "summary.csv": records.summaries(outcome),
        "per_picture.csv": records.pictures(outcome),
        "tests.csv": records.tests_csv(outcome),
        "results.json": records.json_text(outcome),
        REPORT: documents.markdown(outcome, drawn),
    }
    for file_name, text in texts.items():
        yield write_text(folder / file_name, text, overwrite=True)


def _link(path: Path, folder: Path) -> str:
    """A path as a link of Markdown can have it: file names hold signs that it would read."""
    return quote(path.relative_to(folder).as_posix())


def _diagrams(plan: Plan, judged: Judged, folder: Path) -> Iterator[tuple[Path, str]]:
    """Draw the diagram of all metrics together, and of those that the suite names."""
    chosen = {"all metrics": judged.overall}
    chosen |= {name: judged.comparisons.get(name) for name in plan.suite.diagrams}
    for name, found in chosen.items():
        if found is None or not can_be_drawn(found):
            continue
        what = "all ranked metrics" if found is judged.overall else name
        figure = critical_difference(found, f"{judged.work.set.name}, {judged.protocol}: {what}")
        stem = ".".join([as_file_name(judged.work.set.name), judged.protocol, as_file_name(name.replace(" ", "-"))])
        for kind in _KINDS:
            path = folder / "diagrams" / f"{stem}.{kind}"
            with atomic_path(path, overwrite=True) as temporary:
                temporary.write_bytes(rendered(figure, kind))
            yield path, f"Critical-difference diagram of {what}. {described(found)}"


def fused_files(plan: Plan, work: Work, store: Store, pair: Pair) -> dict[str, Path]:
    """The fused picture of every method that has one of a pair."""
    files: dict[str, Path] = {}
    for method in plan.methods_of(work.set.name):
        if isinstance(method, ModelMethod):
            path = store.picture(Unit(work.set.name, method.name, pair.name))
            if path.is_file():
                files[method.name] = path
        elif pair.name in method.files[work.set.name]:
            files[method.name] = method.files[work.set.name][pair.name]
    return files


def sheet_pairs(plan: Plan, judged: Judged) -> list[Pair]:
    """The pairs of a set's contact sheet.

    Raises:
        InputError: If the suite names pairs that are not there.
    """
    by_name = {pair.name: pair for pair in judged.work.set.pairs}
    names = plan.suite.sheets.names.get(judged.work.set.name)
    if names is None:
        return [by_name[name] for name in choose_pairs(judged, plan.suite.sheets.pairs)]
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputError(
            f"sheets.names has pairs that {shown(judged.work.set.name)} has not ({listed(unknown)}): correct them"
        )
    return [by_name[name] for name in names]


def _sheet(plan: Plan, judged: Judged, store: Store) -> Path | None:
    """Draw the contact sheet of a set; None where no pictures are kept or none are wanted."""
    found = judged.work.set
    pairs = sheet_pairs(plan, judged) if plan.suite.pictures and plan.suite.sheets.pairs else []
    blocks = [Block(pair, fused_files(plan, judged.work, store, pair)) for pair in pairs]
    if not blocks:
        return None
    line = f"{found.title}. Pairs on which methods differ most."
    if found.name in plan.suite.sheets.names:
        line = f"{found.title}."
    content = contact_sheet(found.name, line, (found.name_a, found.name_b), blocks, plan.suite.sheets.insets)
    path = store.folder / "sheets" / f"{as_file_name(found.name)}.png"
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(content)
    return path
