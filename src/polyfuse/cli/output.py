"""What `--json` prints, in every verb the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from polyfuse.errors import PolyfuseError

SCHEMA = 1


@contextmanager
def json_document(wanted: bool) -> Iterator[dict[str, Any]]:
    """What `--json` prints: filled by the body, printed however that ends, with the error if there was one."""
    document: dict[str, Any] = {"schema": SCHEMA}
    try:
        yield document
    except PolyfuseError as error:
        document["error"] = {"message": str(error), "exit_code": error.exit_code}
        raise
    finally:
        if wanted:
            click.echo(json.dumps(document, indent=2))
