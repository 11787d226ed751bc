"""The page about the service, drawn from its OpenAPI document: one file, no scripts, nothing from other machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from textwrap import dedent
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy of the page."""
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { overflow-x: auto; padding: 0.75rem; background: #8882; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8884; }
.verb { color: #0a7; }
"""


def page_html(document: Mapping[str, Any]) -> str:
    """The page.

    Args:
        document: The OpenAPI document of the service.
    """
    info = document["info"]
    title = f"{info['title']} {info['version']}"
    body = "\n".join(_body(document))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><h1>{escape(title)}</h1>\n{_paragraphs(info['description'])}\n"
        f'<p>The same for programs: <a href="openapi.json">openapi.json</a>.</p>\n{body}\n</body></html>\n'
    )


def _body(document: Mapping[str, Any]) -> Iterator[str]:
    """Each request that the service answers."""
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            yield f'<h2><span class="verb">{escape(verb.upper())}</span> <code>{escape(path)}</code></h2>'
            yield f"<p>{escape(operation['summary'])}</p>"
            if "description" in operation:
                yield _paragraphs(operation["description"])
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                yield f"<h3>Fields <small>({escape(kind)})</small></h3>"
                yield _table(("field", "", "meaning"), _fields(content["schema"]))
            answers = operation["responses"].items()
            yield "<h3>Answers</h3>"
            yield _table(("status", "", "meaning"), ((code, _kinds(one), one["description"]) for code, one in answers))


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Rows of the fields of a request."""
    for name, facts in schema["properties"].items():
        kind = "file" if facts.get("format") == "binary" else facts["type"]
        words = ["needed"] if name in schema.get("required", ()) else []
        if "default" in facts:
            default = facts["default"]
            words.append(f"default {str(default).lower() if isinstance(default, bool) else default}")
        choices = f" One of {', '.join(facts['enum'])}." if "enum" in facts else ""
        yield name, ", ".join([kind, *words]), facts["description"] + choices


def _kinds(answer: Mapping[str, Any]) -> str:
    return ", ".join(answer.get("content", {}))


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A table whose first column is code."""
    lines = "\n".join(
        f"<tr><td><code>{escape(first)}</code></td>{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>\n{lines}</table>"


def _paragraphs(text: str) -> str:
    """Text with blank lines between paragraphs; what is indented is code."""
    parts = (part.strip("\n") for part in text.split("\n\n"))
    return "\n".join(
        f"<pre>{escape(dedent(part))}</pre>" if part.startswith("    ") else f"<p>{escape(part)}</p>" for part in parts
    )
