"""Show doctests in docstrings as code on the documentation site: mkdocstrings' reader of docstrings calls this.

Without it a line that begins with `>>>` outside a section `Examples:` is Markdown, three quotations within each other.
Named in mkdocs.yml under `extensions`.
"""

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"(?:^>>>.*\n?(?:^(?!>>>|\s*$).*\n?)*)+", re.MULTILINE)
"""Lines from a `>>>` to the next empty line."""


class DoctestFences(griffe.Extension):
    """Puts fences around doctests."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one module, class, function or attribute as it is read."""
        if obj.docstring and "Examples:" not in obj.docstring.value:
            obj.docstring.value = DOCTEST.sub(
                lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", obj.docstring.value
            )
