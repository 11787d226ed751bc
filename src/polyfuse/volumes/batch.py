"""Fusing many studies, one after the other: a failed one leaves the others alone, an earlier run is gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from polyfuse.errors import InputError, PolyfuseError
from polyfuse.fusion import FuseOptions, Outcome
from polyfuse.fusion.models import Model
from polyfuse.volumes.fusing import OnSlice
from polyfuse.volumes.options import VolumeOptions
from polyfuse.volumes.run import Saving, fuse_volumes, made_by_of, recorded_of
from polyfuse.volumes.sources import made_before
from polyfuse.volumes.studies import Study

Jobs = Sequence[tuple[Study, Path]]
"""Studies with the files, or folders of slices, that their results go to."""


def fuse_studies(
    jobs: Jobs,
    model: Model,
    options: FuseOptions,
    volume_options: VolumeOptions,
    *,
    saving: Saving | None = None,
    resume: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
    on_slice: OnSlice | None = None,
) -> Iterator[Outcome]:
    """Fuse every study into its path, in order, yielding what became of each once it is on the disk.

    Args:
        jobs: Studies with the places of their results.
        model: A model from `load`.
        options: Those of every fusion.
        volume_options: Those of volumes.
        saving: How results are written.
        resume: Keep results that an earlier run made from the same files in the same way.
        on_error: "skip" goes on after a study that failed; "stop" does not.
        on_slice: Called after each slice of a study.
    """
    saving = saving or Saving()
    made_by = made_by_of(model, options, volume_options)
    if resume:
        saving = replace(saving, overwrite=True)
    for study, target in jobs:
        pair = study.pair
        if resume and study.error is None and made_before(recorded_of(target), {"a": pair.a, "b": pair.b}, made_by):
            yield Outcome(pair, target, "kept")
            continue
        try:
            if study.error is not None:
                raise study.error
            result = fuse_volumes(
                pair.a,
                pair.b,
                target,
                model=model,
                options=options,
                volume_options=volume_options,
                saving=saving,
                on_slice=on_slice,
            )
        except PolyfuseError as error:
            yield Outcome(pair, target, "failed", error)
        except MemoryError:
            too_large = InputError(f"{pair.name} does not fit into memory: pass a smaller --memory.")
            yield Outcome(pair, target, "failed", too_large)
        else:
            yield Outcome(pair, target, "fused", notes=result.notes)
            continue
        if on_error == "stop":
            return
