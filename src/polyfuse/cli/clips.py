"""Two clips given to `polyfuse fuse`: its options become one call of the library."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from polyfuse.cli.fuse_options import ClipArguments, FuseArguments
from polyfuse.cli.output import print_path, speaker
from polyfuse.cli.progress import progress
from polyfuse.errors import PolyfuseError, UsageError


def are_clips(a: Path, b: Path | None, clips: ClipArguments) -> bool:
    """Whether A and B are clips by their names.

    Raises:
        UsageError: If only one is, or an option for clips came with something else.
    """
    from polyfuse.io import is_clip

    clip_paths = [path for path in (a, b) if path is not None and is_clip(path)]
    if len(clip_paths) == 1:
        raise UsageError(f"{clip_paths[0]} is a clip and has no partner: give two clips.")
    if clip_paths:
        return True
    option = clips.first_for_clips_alone()
    if option is not None:
        raise UsageError(f"{option} is for clips: drop it.")
    return False


def limit_flow(temporal: str, threads: int | None) -> None:
    """Let the search for optical flow take no more threads than the model."""
    if threads is None or not temporal.startswith("flow"):
        return
    with suppress(ImportError):  # the filter says what is missing
        import cv2

        cv2.setNumThreads(threads)


def let_threads_sleep() -> None:
    """Keep threads of the network that wait for work from taking the cores of decoder and encoder.

    OpenMP reads this variable when torch is loaded, so it must be set before; one that the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def fuse_clips(a: Path, b: Path, arguments: FuseArguments, document: dict[str, Any]) -> None:
    """Fuse two clips; `document` gets what became of them."""
    let_threads_sleep()
    from polyfuse.io.source import counted, is_recording
    from polyfuse.video import ClipOptions, fuse_clip

    files, clips = arguments.files, arguments.clips
    if files.keep_temperature:
        raise UsageError(
            "--keep-temperature is for pictures: `polyfuse data inspect FILE -o FOLDER` writes those of a recording."
        )
    if files.radiometric and not any(is_recording(path) for path in (a, b)):
        raise UsageError("clips hold no temperatures: drop --radiometric and degrees in --range.")
    if files.flow:
        raise UsageError("--flow is for pictures: make a warp with `polyfuse align --flow` and pass --warp.")
    say = speaker(files.quiet)
    options = arguments.pictures.fuse_options(radiometric=files.radiometric)
    clip = ClipOptions(clips.temporal, clips.codec, clips.crf, not clips.no_sound)
    target = files.target("fused.mp4", a.stem, ".mp4")
    in_a, in_b = (b, a) if options.swap else (a, b)
    pair = {"name": a.stem, "a": str(in_a), "b": str(in_b), "out": str(target)}
    if files.dry_run:
        document["pairs"] = [pair]
        if not files.as_json:
            print_path(f"{in_a}  +  {in_b}  ->  {target}")
        return
    arguments.model.check_weights_stay([target], sidecars=not files.no_sidecar)
    arguments.pictures.check_warp_stays([target], sidecars=not files.no_sidecar)
    limit_flow(clips.temporal, arguments.model.threads)
    model = arguments.model.ready(say, for_clips=True)
    document["model"] = model.provenance.name
    try:
        with progress(0, say, tell_failures=False, quiet=files.quiet, unit="frame") as shown:
            result = fuse_clip(
                a,
                b,
                target,
                model=model,
                clip=clip,
                options=options,
                overwrite=files.overwrite,
                resume=files.resume,
                verify=files.verify,
                sidecar=not files.no_sidecar,
                on_frame=shown.frame,
            )
    except PolyfuseError as error:
        document["results"] = [{**pair, "state": "failed", "error": str(error), "notes": []}]
        raise
    num_fused = result.num_frames - result.num_resumed
    speed = num_fused / result.seconds if result.seconds else 0.0
    document["results"] = [
        {
            **pair,
            "state": "kept" if result.kept else "fused",
            "error": None,
            "notes": list(result.notes),
            "frames": result.num_frames,
            "frames_per_second": round(speed, 2),
        }
    ]
    for note in result.notes:
        say(f"{a.stem}: {note}")
    if not result.kept:
        say(f"{a.stem}: {counted(num_fused, 'frame')} in {result.seconds:.1f} s, {speed:.1f} frames/s")
    if not files.as_json:
        print_path(result.path)
