"""`polyfuse.compare`: a comparison from Python, as a page that a notebook shows."""

from __future__ import annotations

import html
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from polyfuse import registry
from polyfuse.comparison.request import Request
from polyfuse.comparison.run import Made, make_page
from polyfuse.errors import OutputError, UsageError
from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, Result, Source
from polyfuse.fusion.sources import as_picture
from polyfuse.io import read_picture, write_picture
from polyfuse.io.atomic import atomic_path
from polyfuse.io.source import shown
from polyfuse.pages.shown import levels_of

HEIGHT = 760
"""Of the frame in which a notebook shows a page, CSS pixels."""
_MOST_SHOWN = 1 << 25
"""Bytes of a page that a notebook takes into its file; a larger one is shown as pictures."""
_TILE = 320


class ComparePage:
    """A page of a comparison. A notebook shows it; `save` writes it to a file of its own.

    Args:
        made: The page, in one file.
        pictures: Names and files of the first pair's pictures, for where no page can be shown.
        folder: Deleted with the page; None where the page was asked for in a folder.
    """

    def __init__(self, made: Made, pictures: Mapping[str, Path], folder: Path | None) -> None:
        self.made = made
        self._picture = _sheet(pictures)
        if folder is not None:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The page's file, which a browser opens."""
        return self.made.index

    def __repr__(self) -> str:
        """How many pairs and which methods."""
        pairs = f"{self.made.num_pairs} pair{'s' * (self.made.num_pairs != 1)}"
        return f"ComparePage({pairs}, {', '.join(self.made.methods)})"

    def _repr_html_(self) -> str | None:
        """The page in a frame; None, so that the notebook takes the PNG, where it is large or in several files."""
        if self.path.stat().st_size > _MOST_SHOWN or any(self.path.parent.glob("files-*")):
            return None
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        style = f"box-sizing:border-box;width:100%;height:{HEIGHT}px;border:1px solid #8884;border-radius:6px"
        return f'<iframe title="polyfuse compare" style="{style}" srcdoc="{page}"></iframe>'

    def _repr_png_(self) -> bytes:
        """The pictures of the first pair beside each other."""
        return self._picture

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the page to one HTML file.

        Raises:
            OutputError: If the file exists or cannot be written, or the page has several files.
        """
        if any(self.path.parent.glob("files-*")):
            raise OutputError(f"the page has several files: copy the folder {shown(self.path.parent)}.")
        with atomic_path(path, overwrite) as temporary:
            shutil.copyfile(self.path, temporary)
        return Path(path)


def compare(
    a: Source,
    b: Source,
    fused: Mapping[str, Source] | None = None,
    *,
    models: Iterable[str | FusionModel] | None = None,
    out: str | os.PathLike[str] | None = None,
    metrics: Iterable[str] | None = None,
    protocol: str = "cddfuse",
    device: str = "cpu",
    name_a: str = "a",
    name_b: str = "b",
    overwrite: bool = False,
    **changes: Any,
) -> ComparePage:
    """Compare what several methods made of a pair of pictures, or of two folders, on a page to look at.

    Args:
        a: Infrared, near-infrared or MRI: anything `fuse` accepts, or a folder.
        b: Visible, CT, PET or SPECT, the same kind.
        fused: By method, a fused picture (a `Result`, a path, an array, ...), or a folder of them.
        models: Names from `list_models`, or models from `load`, that fuse the sources. None: the default model if
            nothing fused is given.
        out: Folder for the page. None: one file in a temporary folder, which goes when the returned page does.
        metrics: Names of metrics; none at all scores nothing.
        protocol: Whose conventions the metrics follow.
        device: Where models run and scores are computed.
        name_a: What the page calls the first sources, for example "infrared".
        name_b: What it calls the second ones.
        overwrite: Whether an earlier page in `out` may be replaced.
        **changes: Other fields of `polyfuse.comparison.Request` by name, for example `on_error="skip"`.

    Returns:
        The page; a notebook shows it.

    Raises:
        InputError: If a picture cannot be read, sizes differ or names do not match.
        UsageError: If a model or metric is unknown, or there is nothing to compare.
        OutputError: If the page cannot be written.
    """
    given = dict(fused or {})
    chosen = models if models is not None else ([] if given else ["auto"])
    folder = Path(tempfile.mkdtemp(prefix="polyfuse-page-"))
    try:
        loaded = _models(chosen, device)
        sources = {name: _as_path(source, name, folder) for name, source in (("a", a), ("b", b))}
        pictures = {name: _as_path(source, f"m{n}", folder) for n, (name, source) in enumerate(given.items())}
        request = Request(
            sources["a"],
            sources["b"],
            pictures,
            loaded,
            metrics=None if metrics is None else tuple(metrics),
            protocol=protocol,
            device=device,
            name_a=name_a,
            name_b=name_b,
            **{"title": f"Compared: {', '.join([*pictures, *loaded])}", **changes},
        )
        place = folder / "page" if out is None else Path(out)
        made = make_page(request, place, overwrite=overwrite, one_file=out is None)
        shown_pictures = {name_a: sources["a"], name_b: sources["b"], **pictures}
        return ComparePage(made, shown_pictures, folder if out is None else None)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        if out is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _models(models: Iterable[str | FusionModel], device: str) -> dict[str, FusionModel]:
    """The models by the names that the page shows."""
    loaded: dict[str, FusionModel] = {}
    for model in models:
        ready = registry.load(model, device=device) if isinstance(model, str) else model
        name = ready.provenance.name
        if name in loaded:
            raise UsageError(f"the model {name} is given twice: drop one.")
        loaded[name] = ready
    return loaded


def _as_path(source: Source | Result, name: str, folder: Path) -> Path:
    """A path as it is; what is no path is written as a picture, in its own depth."""
    if isinstance(source, str | os.PathLike):
        return Path(source)
    picture = as_picture(source, FuseOptions(), "a" if name == "a" else "b")
    return write_picture(folder / f"{name}.tif", picture.array)


def _sheet(pictures: Mapping[str, Path]) -> bytes:
    """Pictures beside each other, as PNG; of folders the first one."""
    tiles = []
    for path in pictures.values():
        file = next((one for one in sorted(path.iterdir()) if one.is_file()), None) if path.is_dir() else path
        if file is None or not file.is_file():
            continue
        picture = Image.fromarray(levels_of(read_picture(file))[0]).convert("RGB")
        picture.thumbnail((_TILE, _TILE))
        tiles.append(picture)
    sheet = Image.new("RGB", (max(1, sum(tile.width for tile in tiles)), max([1, *(tile.height for tile in tiles)])))
    place = 0
    for tile in tiles:
        sheet.paste(tile, (place, 0))
        place += tile.width
    content = BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
