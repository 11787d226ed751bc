"""The log: one line for each request, for programs or for people. It holds no token and no address's query."""

from __future__ import annotations

import datetime
import json
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO

from polyfuse.io.source import shown


class Journal:
    """Writes lines.

    Args:
        form: "json", one document a line, or "text".
        stream: Where to; None for stderr as it is when a line is written.
    """

    def __init__(self, form: Literal["json", "text"], stream: TextIO | None = None) -> None:
        self._form, self._stream = form, stream

    def request(self, facts: Mapping[str, Any]) -> None:
        """Tell of an answer."""
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in facts.items()}
        if self._form == "json":
            self._write(json.dumps({"time": _now(), "event": "request", **rounded}))
            return
        head = f"{_now()} {facts['client']} {facts['method']} {shown(facts['path'], most=80)} {facts['status']}"
        told = ("client", "method", "path", "status", "error")
        rest = " ".join(f"{key}={value}" for key, value in rounded.items() if key not in told)
        error = f" {shown(facts['error'])}" if "error" in facts else ""
        self._write(f"{head} {rest}{error}")

    def event(self, name: str, **facts: Any) -> None:
        """Tell of the service itself: that it starts or stops."""
        if self._form == "json":
            self._write(json.dumps({"time": _now(), "event": name, **facts}))
        else:
            self._write(" ".join([_now(), name, *(f"{key}={value}" for key, value in facts.items())]))

    def fault(self, error: BaseException) -> None:
        """Tell of an error that nobody expected, with its traceback."""
        lines = "".join(traceback.format_exception(error))
        if self._form == "json":
            self._write(json.dumps({"time": _now(), "event": "fault", "traceback": lines}))
        else:
            self._write(lines.rstrip())

    def _write(self, text: str) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        with suppress(OSError, ValueError):  # a log that nobody can take stops no service
            stream.write(f"{text}\n")
            stream.flush()


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
