"""One comparison from start to end: fuse, score, and write the page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from polyfuse._version import __version__
from polyfuse.comparison.fused import Tell, fuse_items
from polyfuse.comparison.request import Request, find_pictures
from polyfuse.comparison.scores import means_section, metric_column, report_of, scores_of, shown_columns
from polyfuse.comparison.showable import readable_items, scored_items
from polyfuse.comparison.together import brought_together_files
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.evaluation import Collected, Method, Report, Task
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
            collected, items = scored_items(items, task, request, tell)
            failures = collected.failures
            report = report_of(collected, task, [Method(name) for name in (*request.fused, *request.models)])
        else:
            failures, items = readable_items(items, request, tell)
        columns = shown_columns(metrics)
        scores = scores_of(collected, columns, request.protocol)
        if not items:
            raise InputError("no pair is left to show: see the lines above.")
        pairs = [
            Pair(
                item.name,
                *files.sources,
                fused=files.fused,
                scores=scores.get(item.name, {}),
                note="; ".join(dict.fromkeys(item.missing.values())),
            )
            for item, files in zip(items, brought_together_files(items, request, place), strict=True)
        ]
        collection = Collection(_name(request), tuple(pairs), request.name_a, request.name_b)
        index = write_page(
            out_dir,
            request.title or f"{_name(request)}: {', '.join([*request.fused, *request.models])}",
            [collection],
            [metric_column(column, request.protocol) for column in columns],
            [*([means_section(report, request)] if report else []), *_made_section(request)],
            subtitle=f"polyfuse {__version__}" + (f", protocol {request.protocol}" if metrics else ""),
            methods=[*request.fused, *request.models],
            maps=request.maps,
            one_file=one_file,
            overwrite=overwrite,
            max_pixels=request.max_pixels,
            on_pair=lambda name: tell(name, [], None),
        )
    return Made(index, len(pairs), (*request.fused, *request.models), report, tuple(failures))


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
