"""One comparison from start to end: fuse, score, and write the page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from polyfuse._version import __version__
from polyfuse.comparison.fused import Tell, fuse_items
from polyfuse.comparison.request import Request, find_pictures
from polyfuse.comparison.scores import means_section, metric_column, report_of, scores_of, shown_columns
from polyfuse.comparison.together import brought_together_files
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.evaluation import Collected, Item, Method, Report, Task, score_items
from polyfuse.io.source import shown
from polyfuse.pages import Collection, Command, Pair, Prose, Section, check_page, write_page


@dataclass(frozen=True)
class Made:
    """A page that was written."""

    index: Path
    """Its `index.html`."""
    num_pairs: int
    """Pairs that it shows."""
    methods: tuple[str, ...]
    """Methods that it shows."""
    report: Report | None
    """The scores; None where nothing was scored."""
    failures: tuple[tuple[str, PolyfuseError], ...]
    """Name of what failed, and why, where failures are skipped."""


def make_page(
    request: Request,
    out_dir: Path,
    *,
    overwrite: bool = False,
    one_file: bool = False,
    tell: Tell = lambda *_: None,
    begin: Callable[[int], None] = lambda _: None,
) -> Made:
    """Make the page of a comparison.

    Args:
        request: What is compared.
        out_dir: Folder of the page.
        overwrite: Whether an earlier page there may be replaced.
        one_file: Put everything into one file.
        tell: Is told of each step: the name of a pair and what was done, notes, and why it failed.
        begin: Is told the number of steps before the first.

    Raises:
        PolyfuseError: What is wrong with the request or, unless it skips failures, the first picture that failed.
    """
    metrics = request.chosen_metrics()
    items, notes = find_pictures(request)
    inputs = [path for item in items for path in (item.pair.a, item.pair.b, *item.fused.values())]
    folders = [path for path in (request.a, request.b, *request.fused.values()) if path is not None]
    check_page(out_dir, [*folders, *inputs], overwrite=overwrite)
    begin(len(items) * (len(request.models) + (2 if metrics else 1)))
    for note in notes:
        tell("pictures", [note], None)
    with tempfile.TemporaryDirectory(prefix="polyfuse-compare-") as folder:
        place = Path(folder)
        items = fuse_items(items, request, place, tell)
        collected, report = Collected(), None
        if metrics:
            task = _task(request, tuple(metric.name for metric in metrics))
            collected = _score(items, task, request, tell)
            failures = collected.failures
            report = report_of(collected, task, [Method(name) for name in (*request.fused, *request.models)])
        else:
            failures = list(_missing(items))
            for name, error in failures:
                tell(name, [], error)
        columns = shown_columns(metrics)
        scores = scores_of(collected, columns, request.protocol)
        shown_items = [item for item in items if _can_be_shown(item, failures)]
        if not shown_items:
            raise InputError("no pair is left to show: see the lines above.")
        pairs = [
            Pair(
                item.name,
                *files.sources,
                fused=files.fused,
                scores=scores.get(item.name, {}),
                note="; ".join(dict.fromkeys(item.missing.values())),
            )
            for item, files in zip(shown_items, brought_together_files(shown_items, request, place), strict=True)
        ]
        collection = Collection(_name(request), tuple(pairs), request.name_a, request.name_b)
        index = write_page(
            out_dir,
            request.title or f"{_name(request)}: {', '.join([*request.fused, *request.models])}",
            [collection],
            [metric_column(column, request.protocol) for column in columns],
            [*([means_section(report, request)] if report else []), *_made_section(request)],
            subtitle=f"polyfuse {__version__}" + (f", protocol {request.protocol}" if metrics else ""),
            maps=request.maps,
            one_file=one_file,
            overwrite=overwrite,
            max_pixels=request.max_pixels,
            on_pair=lambda name: tell(name, [], None),
        )
    return Made(index, len(pairs), (*request.fused, *request.models), report, tuple(failures))


def _missing(items: Sequence[Item]) -> Iterator[tuple[str, PolyfuseError]]:
    """Name of each picture that is not there, and why."""
    for item in items:
        for method, text in item.missing.items():
            yield f"{item.name} of {method.name}", InputError(text)


def _task(request: Request, metrics: tuple[str, ...]) -> Task:
    return Task(
        metrics,
        request.protocol,
        device=request.device,
        max_pixels=request.max_pixels,
        strict=request.strict,
        warp=request.warp,
        frame=request.frame,
    )


def _score(items: Sequence[Item], task: Task, request: Request, tell: Tell) -> Collected:
    """Score all pictures.

    Raises:
        PolyfuseError: The first failure, unless the request skips them.
    """
    collected = Collected()
    with closing(score_items(items, task, workers=request.workers, on_error=request.on_error)) as runs:
        for scored in runs:
            collected.add(scored)
            failed = scored.failures()
            if failed and request.on_error == "stop":
                raise type(failed[0][1])(f"{failed[0][0]}: {failed[0][1]}") from failed[0][1]
            notes = dict.fromkeys(note for evaluation in scored.evaluations.values() for note in evaluation.notes)
            tell(f"{scored.item.name}", list(notes), failed[0][1] if failed else None)
    return collected


def _can_be_shown(item: Item, failures: Sequence[tuple[str, PolyfuseError]]) -> bool:
    """Whether both sources are there and could be read."""
    failed = {name for name, _ in failures}
    return item.pair.a.is_file() and item.pair.b.is_file() and item.name not in failed and bool(item.fused)


def _name(request: Request) -> str:
    """What the set of pairs is called: the file or folder of a, or the one above it where that says nothing."""
    place = request.a.resolve()
    if place.is_dir() and place.name.lower() in ("ir", "a", "infrared", "thermal", "mri", "test") and place.parent.name:
        return shown(place.parent.name)
    return shown(place.name if place.is_dir() else place.stem)


def _made_section(request: Request) -> list[Section]:
    """How the page was made."""
    facts = [f"- {name}: {value}" for name, value in request.facts.items()]
    for name, model in request.models.items():
        sha = model.provenance.weights_sha256
        facts.append(f"- {name}: {model.provenance.name}" + (f", weights {sha[:16]}" if sha else ", no weights"))
    items: list[Prose | Command] = [Command(request.command)] if request.command else []
    items += [Prose("\n".join(facts))] if facts else []
    return [Section("How this page was made", items)] if items else []
