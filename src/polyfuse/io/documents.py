"""JSON of unknown origin: bounded, so that a hostile file cannot exhaust those who read it, and its fields checked."""

import json
import math
from typing import Any

from polyfuse.errors import InputError

MAX_DEPTH = 32
"""Tables within tables that a document may have; ours have at most six."""


def parse_json(content: str | bytes) -> Any:
    """What a JSON document holds.

    Raises:
        ValueError: If it is no JSON, holds a number of thousands of digits, or is nested deeper than `MAX_DEPTH`.
    """
    try:
        values = json.loads(content)
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


def finite_number(value: object, key: str, name: str) -> float:
    """A finite number of a document.

    Raises:
        InputError: If it is none; `key` says where it stands and `name` in which document.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name}: {key} must hold numbers: correct it or make it again")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name}: {key} must hold finite numbers: correct it or make it again")
    return number


def number_or_none(value: object, key: str, name: str) -> float | None:
    """A finite number, or nothing."""
    return None if value is None else finite_number(value, key, name)


def text(value: object, key: str, name: str) -> str:
    """Text of a document."""
    if not isinstance(value, str):
        raise InputError(f"{name}: {key} must be text: correct it or make it again")
    return value


def texts(value: object, key: str, name: str) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{name}: {key} must be a list of hashes: correct it or make it again")
    return tuple(value)
