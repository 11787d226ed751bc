"""JSON of unknown origin: bounded, so that a hostile file cannot exhaust the reader or those who walk through it."""

import json
from typing import Any

MAX_DEPTH = 32
"""Tables within tables that a document may have; ours have at most six."""


def parse_json(text: str | bytes) -> Any:
    """What a JSON document holds.

    Raises:
        ValueError: If it is no JSON, holds a number of thousands of digits, or is nested deeper than `MAX_DEPTH`.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    check_depth(values)
    return values


def check_depth(values: Any) -> None:
    """Refuse plain values that are nested deeper than `MAX_DEPTH`.

    Raises:
        ValueError: If they are.
    """
    level = [values]
    for _ in range(MAX_DEPTH):
        level = [item for value in level if isinstance(value, dict | list) for item in _items(value)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    """What a table or a list holds."""
    return list(value.values()) if isinstance(value, dict) else value
