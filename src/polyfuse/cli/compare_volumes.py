"""Medical volumes given to `polyfuse compare`: a page of three planes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyfuse.cli.output import print_path, speaker
from polyfuse.cli.progress import progress

if TYPE_CHECKING:
    from polyfuse.comparison.volumes import VolumeRequest


def compare_volumes(
    request: VolumeRequest, out: Path, document: dict[str, Any], *, overwrite: bool, quiet: bool, as_json: bool
) -> None:
    """Make the page; `document` gets what `--json` prints."""
    from polyfuse.comparison.volumes import make_volume_page

    say = speaker(quiet)
    with progress(0, say, tell_failures=False, quiet=quiet, unit="step") as shown:
        made = make_volume_page(
            request, out, overwrite=overwrite, tell=lambda name, notes, error: shown.done(name, notes, error)
        )
    say(f"{len(made.names)} volumes: open the page in a browser")
    document.update(page=str(made.index), volumes=list(made.names), notes=list(made.notes))
    if not as_json:
        print_path(made.index)
