"""The HTML file of a page: the sources in `site/` put together, so that one file holds markup, style and program."""

from __future__ import annotations

import html
from collections.abc import Sequence
from importlib import resources

SCRIPTS = (
    "core.js",
    "frame.js",
    "preference.js",
    "pictures.js",
    "tiles.js",
    "stage.js",
    "tables.js",
    "sections.js",
    "notes.js",
    "grid.js",
    "inspector.js",
    "viewer.js",
    "blind.js",
    "app.js",
)
"""In the order in which they are run."""
STYLES = ("base.css", "grid.css", "viewer.css", "blind.css")
VOLUME_SCRIPTS = ("core.js", "frame.js", "voxels.js", "planes.js", "volumes.js")
"""Of the page of volumes."""
VOLUME_STYLES = ("base.css", "viewer.css", "volumes.css")
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' file:; style-src 'unsafe-inline'; "
    "img-src 'self' file: data: blob:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
"""What the page may load: nothing from another place than its own."""


def site_file(name: str) -> str:
    """The text of a file of the site."""
    return resources.files("polyfuse.pages").joinpath("site", name).read_text(encoding="utf-8")


def page_html(title: str, data_script: str, scripts: Sequence[str] = SCRIPTS, styles: Sequence[str] = STYLES) -> str:
    """The whole file.

    Args:
        title: Shown by the browser's tab.
        data_script: Elements that load or hold the data, as HTML.
        scripts: Names of its programs in the order in which they are run.
        styles: Names of its styles.
    """
    parts = {
        "@title@": html.escape(title),
        "@policy@": html.escape(POLICY),
        "@style@": "\n".join(site_file(name) for name in styles),
        "@data@": data_script,
        "@script@": "\n".join(site_file(name) for name in scripts),
    }
    # In one pass over the template: no part can bring a mark of another.
    text, result = site_file("page.html"), []
    while text:
        places = [(text.index(mark), mark) for mark in parts if mark in text]
        if not places:
            break
        place, mark = min(places)
        result += [text[:place], parts[mark]]
        text = text[place + len(mark) :]
    return "".join([*result, text])
