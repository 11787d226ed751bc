"""Changes of plain values: JSON, TOML, and what carries them with a checksum, which is made right again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

HUGE, DEEP = "@a number of many digits@", "@lists within lists@"
"""Stand for what Python cannot write or copy, until it is text."""
_WRITTEN = {HUGE: "9" * 5000, DEEP: "[" * 5000 + "]" * 5000}


def nested(depth: int) -> list[Any]:
    """Lists within lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _strange(rng: Random) -> Any:
    """A value that nobody expects here."""
    numbers = (0, 1, -1, 2, 3, 17, 255, 4096, 65536, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, HUGE)
    floats = (0.5, -0.0, 1e-320, 1e39, -1e39, 1e308, float("nan"), float("inf"), float("-inf"))
    texts = (
        "",
        "x",
        "nan",
        "1",
        "x" * 3000,
        "two\nlines",
        "\r",
        "\x1b[2J",
        "a\u2028b",
        "\0",
        "\udcff",
        "../../x",
        "/",
        "é",
    )
    others: tuple[Any, ...] = (None, True, False, [], {}, [[]], [0] * 300, {"x": 1}, [None], {"": {}}, nested(40), DEEP)
    return copy.deepcopy(rng.choice((numbers, floats, texts, others)[rng.randrange(4)]))


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    """Collect (table or list, key or place) of everything in a tree."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in pairs:
        if isinstance(value, dict | list):
            found.append((value, key))
        _places(item, found)


def change_tree(rng: Random, tree: Any) -> Any:
    """A copy of a tree of plain values with one or a few of them replaced, left out, renamed, exchanged or repeated."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places: list[tuple[Any, Any]] = []
        _places(tree, places)
        if not places:
            return _strange(rng)
        holder, key = rng.choice(places)
        how = rng.random()
        if how < 0.5:
            holder[key] = _strange(rng)
        elif how < 0.65 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = rng.choice(
                (holder[key] + 1, holder[key] - 1, -holder[key], holder[key] * 1000, float(holder[key]))
            )
        elif how < 0.8:
            del holder[key]
        elif how < 0.9:
            other, place = rng.choice(places)
            holder[key] = copy.deepcopy(other.get(place) if isinstance(other, dict) else other[place : place + 1])
        elif isinstance(holder, dict):
            holder[rng.choice(("x", "", "name", f"{key}s", "é\n"))] = holder.pop(key)
        else:
            holder.extend(copy.deepcopy(holder) * rng.choice((1, 20)))
    return tree if rng.random() < 0.98 else _strange(rng)


def to_json(tree: Any) -> str:
    """JSON as Python writes it, NaN and infinity included."""
    text = json.dumps(tree)
    for mark, written in _WRITTEN.items():
        text = text.replace(json.dumps(mark), written)
    return text


def change_json(rng: Random, content: bytes) -> bytes:
    """Change a JSON document."""
    return to_json(change_tree(rng, json.loads(content))).encode()


def to_toml(tree: Any) -> str:
    """A TOML document of plain values; what TOML cannot say is left as it comes."""
    if not isinstance(tree, dict):
        return _toml(tree)
    return "".join(f"{json.dumps(str(key))} = {_toml(value)}\n" for key, value in tree.items())


def _toml(value: Any) -> str:
    """One value, in a line."""
    if isinstance(value, str) and value in _WRITTEN:
        return _WRITTEN[value]
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    return "true" if value is True else "false" if value is False else repr(value).replace("None", '"none"')


def change_stored(change: Callable[[Random, dict[str, Any]], dict[str, Any]]) -> Callable[[Random, bytes], bytes]:
    """A change of the header of a safetensors file, the JSON before its tensors; its length is right again."""

    def apply(rng: Random, content: bytes) -> bytes:
        length = int.from_bytes(content[:8], "little")
        header = change(rng, json.loads(content[8 : 8 + length]))
        text = to_json(header).encode()
        return len(text).to_bytes(8, "little") + text + content[8 + length :]

    return apply


def change_header(rng: Random, header: dict[str, Any]) -> dict[str, Any]:
    """Change any value of the header: types, shapes and places of tensors."""
    changed: dict[str, Any] = change_tree(rng, header)
    return changed


def change_words(rng: Random, header: dict[str, Any]) -> dict[str, Any]:
    """Change the JSON document that our files hold as text in the header."""
    words = json.loads(header["__metadata__"]["polyfuse"])
    return {**header, "__metadata__": {"polyfuse": to_json(change_tree(rng, words))}}
