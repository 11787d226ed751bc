"""Kinds of values that options and arguments take: paths, addresses, shares, sizes, KEY=VALUE."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import click

from polyfuse.errors import UsageError


class NamedPath(click.Path):
    """A path of this machine: neither empty, as of a variable that is not set, nor an address of the network."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path that the text says."""
        if value == "":
            self.fail("the path is empty: name a file or a folder.", param, ctx)
        check_no_address(value)
        return super().convert(value, param, ctx)


class NamedPlace(NamedPath):
    """A path, or an address, which stays a text; `ClusterArguments.opened` refuses it or makes it a path."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path that the text says, or the address."""
        return str(value) if is_address(value) else super().convert(value, param, ctx)


def is_address(value: object) -> bool:
    """Whether a text is an address of the network."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(value)) is not None  # two letters at least: C: is a drive


def check_no_address(value: object) -> None:
    """Refuse an address of the network.

    Raises:
        UsageError: Naming it.
    """
    if is_address(value):
        raise UsageError(f"{value} is an address, which `polyfuse live` alone opens: download it first.")


PATH = NamedPath(path_type=Path)
PLACE = NamedPlace(path_type=Path)


class Share(click.ParamType):  # type: ignore[type-arg]
    """Which share of the pairs, of how many: 1/4."""

    name = "i/n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return both numbers."""
        if isinstance(value, tuple):  # click asks for this: what is converted stays as it is
            return value
        if value == "1/1":  # the default: no reason to import NumPy, as all of `polyfuse.io` does
            return 1, 1
        from polyfuse.io.shards import parse_shard

        shard = parse_shard(str(value))
        if shard is None:
            self.fail(f"{value!r} is no share: write I/N, for example 1/4 to 4/4.", param, ctx)
        return shard


SHARE = Share()


class MemorySize(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: 2GiB, 512MiB, 1.5GB, or a plain number."""

    name = "size"
    _UNITS: ClassVar = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes that the text says."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9.]+)\s*([KMG]?)(i?B)?", str(value), re.IGNORECASE)
        try:
            if match is None:
                raise ValueError(value)
            return int(float(match[1]) * self._UNITS[match[2].upper()])
        except ValueError:
            self.fail(f"{value!r} is no size: write for example 2GiB or 512MiB.", param, ctx)


class KeyValue(click.ParamType):  # type: ignore[type-arg]
    """The name of an option of a model and its new value: border=zeros."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split the text at its first equals sign."""
        if isinstance(value, tuple):  # click asks for this: what is converted stays as it is
            return value
        key, equals, text = (part.strip() for part in str(value).partition("="))
        if not (key and equals and text):
            example = "write for example border=zeros; `polyfuse models show NAME` prints the choices of a model."
            self.fail(f"{value!r} is no KEY=VALUE: {example}", param, ctx)
        return key, text
