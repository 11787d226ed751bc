"""Carrying out a suite: what is not there yet is fused and scored, one set at a time; nothing is done twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from polyfuse._version import __version__
from polyfuse.benchmark.merge import copy_file
from polyfuse.benchmark.methods import FolderMethod, ModelMethod
from polyfuse.benchmark.plan import OnError, Plan, Work
from polyfuse.benchmark.results import Kept, Store, Unit, joined, read_kept
from polyfuse.errors import InputError, PolyfuseError
from polyfuse.evaluation import BASELINES, Item, Method, Scored, Task, score_items
from polyfuse.fusion.batch import Writing, fuse_pairs
from polyfuse.fusion.batch import is_done as fusion_is_done
from polyfuse.fusion.sidecar import sidecar_path
from polyfuse.io import Pair
from polyfuse.io.atomic import delete
from polyfuse.io.source import file_sha256, shown

_BASELINE = {"polyfuse": __version__, "baseline": True}


@dataclass(frozen=True)
class Done:
    """What became of one method on one pair."""

    unit: Unit
    """Which."""
    state: Literal["kept", "fused", "scored", "failed"]
    """Kept from before, fused (to be scored later), scored, or failed."""
    notes: tuple[str, ...] = ()
    """What the user should know."""
    error: PolyfuseError | None = None
    """Why it failed."""

    @property
    def is_baseline(self) -> bool:
        """Whether this is one of the rows that are always there."""
        return self.unit.method in {method.name for method in BASELINES}


def inputs_of(work: Work, pair: Pair, fused: Path | None = None) -> dict[str, str]:
    """The hashes that a result depends on."""
    a, b = work.digests[pair.name]
    return {"a": a, "b": b} if fused is None else {"a": a, "b": b, "fused": file_sha256(fused)}


def is_done(plan: Plan, work: Work, store: Store, method: ModelMethod | FolderMethod, pair: Pair) -> bool:
    """Whether an earlier run has this result, of these inputs, with these settings and all numbers."""
    unit = Unit(work.set.name, method.name, pair.name)
    if isinstance(method, FolderMethod):
        path = method.files[work.set.name].get(pair.name)
        if path is None:
            return False
        kept = store.read(unit, inputs_of(work, pair, path), method.made_by)
    else:
        kept = store.read(unit, inputs_of(work, pair), method.made_by)
        if plan.suite.pictures and not store.picture(unit).is_file():
            return False
    return kept is not None and kept.has(plan.metrics)


def fuse_missing(
    plan: Plan, work: Work, store: Store, *, device: str = "cpu", on_error: OnError = "stop"
) -> Iterator[Done]:
    """Fuse what the models have not fused yet of a set, a model at a time, and tell what is there already.

    Args:
        plan: Of the whole run.
        work: One of its sets.
        store: Where results are.
        device: Where models run.
        on_error: "stop" raises the first error, "skip" goes on.

    Raises:
        PolyfuseError: The first failure, with "stop".
    """
    twins = _twins(plan, work)
    for method in plan.models:
        units = {pair.name: Unit(work.set.name, method.name, pair.name) for pair in work.pairs}
        todo = []
        for pair in work.pairs:
            if is_done(plan, work, store, method, pair) or _taken_over(plan, work, store, method, pair, twins):
                yield Done(units[pair.name], "kept")
            else:
                path = store.picture(units[pair.name])
                earlier = read_kept(store.record(units[pair.name]))
                if earlier is not None and earlier.made_by.get("polyfuse") != __version__:
                    delete(sidecar_path(path))  # an earlier version may have fused it otherwise
                todo.append((pair, path))
        if not todo:
            continue
        model = method.load(device)
        outcomes = fuse_pairs(todo, model, method.options, writing=Writing(resume=True), on_error=on_error)
        for outcome in outcomes:
            unit = units[outcome.pair.name]
            if outcome.error is None:
                yield Done(unit, "fused", outcome.notes)
                continue
            if on_error == "stop":
                raise _named(outcome.error, unit) from outcome.error
            yield Done(unit, "failed", error=outcome.error)


def _twins(plan: Plan, work: Work) -> dict[tuple[str, str], tuple[Work, Pair]]:
    """The pairs of the sets before, by their hashes: sets may share pairs, as tno-25 and tno-42 do."""
    before = plan.works[: plan.works.index(work)]
    return {other.digests[pair.name]: (other, pair) for other in before for pair in other.pairs}


def _taken_over(
    plan: Plan,
    work: Work,
    store: Store,
    method: ModelMethod,
    pair: Pair,
    twins: Mapping[tuple[str, str], tuple[Work, Pair]],
) -> bool:
    """Whether the same pair of another set was fused and scored; its picture and result are copied then."""
    other, twin = twins.get(work.digests[pair.name], (None, None))
    if other is None or twin is None or not is_done(plan, other, store, method, twin):
        return False
    theirs, ours = (Unit(one.set.name, method.name, name) for one, name in ((other, twin.name), (work, pair.name)))
    kept = store.read(theirs, inputs_of(other, twin), method.made_by)
    if kept is None:
        return False
    if plan.suite.pictures:
        for name in (store.picture, lambda unit: sidecar_path(store.picture(unit))):
            copy_file(name(theirs), name(ours))
    store.write(ours, kept)
    return True


def score_missing(
    plan: Plan,
    work: Work,
    store: Store,
    *,
    workers: int | None = None,
    device: str = "cpu",
    on_error: OnError = "stop",
) -> Iterator[Done]:
    """Score what is fused and not scored yet of a set, and write a result file for each.

    Arguments and errors as of `fuse_missing`.

    Args:
        plan: Of the whole run.
        work: One of its sets.
        store: Where results are.
        workers: Processes, see `score_items`.
        device: Where metrics are computed.
        on_error: "stop" raises the first error, "skip" goes on.
    """
    items, baselines = _items(plan, work, store)
    todo = {(method.name, item.name) for item in items for method in (*item.fused, *item.missing)}
    for pair, folder in itertools.product(work.pairs, plan.folders):
        if folder.files.get(work.set.name) and (folder.name, pair.name) not in todo:
            yield Done(Unit(work.set.name, folder.name, pair.name), "kept")
    for protocol, names in plan.metrics.items():
        task = Task(tuple(names), protocol, baselines, device)
        is_last = protocol == list(plan.metrics)[-1]
        with closing(score_items(items, task, workers=workers, on_error="skip")) as runs:
            for scored in runs:
                yield from _kept(plan, work, store, scored, protocol, is_last=is_last, on_error=on_error)
    if not plan.suite.pictures:
        for pair in work.pairs:
            for method in plan.models:
                path = store.picture(Unit(work.set.name, method.name, pair.name))
                for file in (path, sidecar_path(path)):
                    delete(file)


def _items(plan: Plan, work: Work, store: Store) -> tuple[list[Item], bool]:
    """What has to be scored, and whether the rows that are always there are part of it."""
    items, baselines = [], False
    for pair in work.pairs:
        fused: dict[Method, Path] = {}
        missing: dict[Method, str] = {}
        for method in plan.methods_of(work.set.name):
            if is_done(plan, work, store, method, pair):
                continue
            if isinstance(method, ModelMethod):
                path = store.picture(Unit(work.set.name, method.name, pair.name))
                if _is_fused(method, pair, path):  # else it could not be, which was told then
                    fused[Method(method.name)] = path
            elif pair.name in method.files[work.set.name]:
                fused[Method(method.name)] = method.files[work.set.name][pair.name]
            else:
                missing[Method(method.name)] = method.missing[work.set.name][pair.name]
        lacks = any(not _has_baseline(plan, work, store, method, pair) for method in BASELINES)
        if fused or missing or lacks:
            items.append(Item(pair, fused, missing))
        baselines = baselines or lacks
    return items, baselines


def _is_fused(method: ModelMethod, pair: Pair, path: Path) -> bool:
    """Whether a picture is what the method makes of this pair, not what is left of another one's."""
    made_by = {name: value for name, value in method.made_by.items() if name != "polyfuse"}
    return fusion_is_done(pair.swapped() if method.options.swap else pair, path, made_by, Writing(resume=True))


def _has_baseline(plan: Plan, work: Work, store: Store, method: Method, pair: Pair) -> bool:
    kept = store.read(Unit(work.set.name, method.name, pair.name), inputs_of(work, pair), _BASELINE)
    return kept is not None and kept.has(plan.metrics)


def _kept(
    plan: Plan, work: Work, store: Store, scored: Scored, protocol: str, *, is_last: bool, on_error: OnError
) -> Iterator[Done]:
    """Write the results of one pair under one protocol; what is told comes with the last protocol."""
    pair, made = scored.item.pair, _made_by(plan, work)
    if scored.digests is not None and scored.digests != work.digests[pair.name]:
        raise InputError(f"{shown(pair.a)} or {shown(pair.b)} was changed meanwhile: start again")
    for method, evaluation in scored.evaluations.items():
        unit = Unit(work.set.name, method.name, pair.name)
        inputs = inputs_of(work, pair, scored.item.fused.get(method))
        earlier = store.read(unit, inputs, made[method.name])
        scores = {} if earlier is None else dict(earlier.scores)
        scores[protocol] = joined(scores.get(protocol), evaluation)
        store.write(unit, Kept(inputs, made[method.name], scores))
        if is_last:
            yield Done(unit, "scored", evaluation.notes if method.kind == "method" else ())
    failed = {**dict.fromkeys([*scored.item.fused, *scored.item.missing], scored.error), **scored.errors}
    for method, error in failed.items():
        if error is None:
            continue
        unit = Unit(work.set.name, method.name, pair.name)
        if on_error == "stop":
            raise _named(error, unit) from error
        if is_last:
            yield Done(unit, "failed", error=error)


def _made_by(plan: Plan, work: Work) -> dict[str, Mapping[str, Any]]:
    """How each row comes about."""
    made: dict[str, Mapping[str, Any]] = {method.name: _BASELINE for method in BASELINES}
    return {**made, **{method.name: method.made_by for method in plan.methods_of(work.set.name)}}


def _named(error: PolyfuseError, unit: Unit) -> PolyfuseError:
    """The error with what it is about."""
    return type(error)(f"{shown(unit.method)} on {shown(unit.set)}, {shown(unit.pair)}: {error}")


def collected(plan: Plan, work: Work, store: Store, pairs: Sequence[Pair]) -> dict[str, dict[str, Kept]]:
    """The results of a set, by pair and method; those that are not there are left out."""
    found: dict[str, dict[str, Kept]] = {}
    made = _made_by(plan, work)
    for pair in pairs:
        rows = found.setdefault(pair.name, {})
        for row in plan.rows_of(work.set.name):
            kept = store.read(Unit(work.set.name, row.name, pair.name), inputs_of(work, pair), made[row.name])
            if kept is not None and kept.has(plan.metrics):
                rows[row.name] = kept
    return found
