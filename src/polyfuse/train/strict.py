"""From plain dictionaries to frozen dataclasses: an unknown key or a wrong type is an error that says what to do."""

from __future__ import annotations

import difflib
import math
import types
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from polyfuse.errors import UsageError
from polyfuse.io.documents import check_depth

LARGEST = 2**63
"""Whole numbers must be smaller than this; larger ones fit no generator, tensor or file."""
LONGEST = 4096
"""Characters of a text; the longest is a path."""
_SHOWN = 60


def check_plain(values: Any, where: str) -> None:
    """Refuse what no table of settings can hold.

    Those are tables nested without end, numbers that are not finite or too long, texts that are longer than a path, and
    keys that are longer than a name or no line.

    Args:
        values: What TOML or JSON gives.
        where: Name of the table, for messages.

    Raises:
        UsageError: Naming the key.
    """
    try:
        check_depth(values)
    except ValueError as error:
        raise UsageError(f"{where} holds tables within tables without end: flatten it.") from error
    waiting = [(where, values)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            strange = next((name for name in value if len(name) > _SHOWN or not name.isprintable()), None)
            if strange is not None:
                raise UsageError(f"{key} has the key {shown(strange)}, which is none: correct it.")
            waiting += [(f"{key}.{name}", item) for name, item in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{key}.{index}", item) for index, item in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{key} is {value}: give a finite number.")
        elif isinstance(value, int) and abs(value) >= LARGEST:
            raise UsageError(f"{key} has {value.bit_length()} bits: give a number below 2^63.")
        elif isinstance(value, str) and ("\0" in value or len(value) > LONGEST):
            what = "a null character" if "\0" in value else f"{len(value)} characters, too many for a text or a number"
            raise UsageError(f"{key} holds {what}: correct it.")


def shown(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def read_strict(kind: type[Any], values: Any, where: str) -> Any:
    """Build the dataclass `kind` from a dictionary.

    Args:
        kind: A dataclass whose fields are numbers, texts, flags, literals, tuples, dictionaries, or dataclasses.
        values: What a TOML or JSON table gives.
        where: Name of the table, for messages.

    Raises:
        UsageError: Naming the key that is unknown (with the nearest name), missing, or of a wrong type.
    """
    if not isinstance(values, dict):
        raise UsageError(f"{where} is {shown(values)}, not a table: write its keys below [{where}].")
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    for key in values:
        check_known(key, known, where)
    for name, field in known.items():
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise UsageError(f"{where} lacks {name!r}: add it.")
    return kind(**{key: _read(hints[key], value, f"{where}.{key}") for key, value in values.items()})


def check_known(key: str, known: Any, where: str) -> None:
    """Refuse a key that is not among `known`.

    Raises:
        UsageError: With the nearest names.
    """
    if key not in known:
        near = difflib.get_close_matches(key[:_SHOWN], list(known), n=1, cutoff=0.4) or sorted(known)
        raise UsageError(f"{where} has no {shown(key)}: did you mean {' or '.join(near)}?")


def _read(kind: Any, value: Any, where: str) -> Any:
    """`value` converted to the type `kind`; `where` names it in messages."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind):
        return read_strict(kind, value, where)  # type: ignore[arg-type]
    if origin in (Union, types.UnionType):  # only X | None occurs
        wanted = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _read(wanted, value, where)
    if origin is Literal and value in arguments:
        return value
    if kind == tuple[str, ...] and isinstance(value, str):  # one path is a list of one
        return (value,)
    if origin is tuple and isinstance(value, list | tuple):
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise UsageError(f"{where} has {len(value)} values: give {len(arguments)}.")
        return tuple(_read(arguments[0], item, f"{where}.{index}") for index, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    wanted = " or ".join(map(repr, arguments)) if origin is Literal else getattr(kind, "__name__", str(kind))
    raise UsageError(f"{where} is {shown(value)}: give {wanted}.")
