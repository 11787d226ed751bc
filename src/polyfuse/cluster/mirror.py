"""Files at addresses such as s3://bucket/ir/1.png, and the files of this machine that stand for them.

Everything else in polyfuse works with paths. So a path below one temporary folder stands for an address:
FOLDER/s3/bucket/ir/1.png. Listed, it is an empty file of that name, by which pairs are matched; fetched, it is the
content. Messages and results get the address back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from polyfuse.errors import DependencyError, InputError, OutputError, PolyfuseError, UsageError
from polyfuse.io.leftovers import temporary_name
from polyfuse.io.source import reason, shown

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)  # two letters at least: C: is a drive
_LOCAL = ("file", "local")
"""Protocols of this machine's own files."""
_ADVICE = "check the address, the network and your credentials"


def is_address(text: str) -> bool:
    """Whether a text is an address, PROTOCOL://..., and no path."""
    return _ADDRESS.match(text) is not None


class Mirror:
    """A folder whose files stand for addresses.

    Args:
        folder: An empty folder of this machine; who made it deletes it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._inside = re.compile(rf"{re.escape(str(folder))}{re.escape(os.sep)}([A-Za-z][A-Za-z0-9+.-]+)/")

    def place(self, text: str) -> Path:
        """The path that stands for an address; of file:// its own path, and a text that is no address is a path.

        Raises:
            UsageError: If the address names no bucket or host.
            InputError: If it leads upwards.
        """
        match = _ADDRESS.match(text)
        if match is None:
            return Path(text)
        protocol, rest = match[1].lower(), match[2]
        if protocol in _LOCAL:
            return Path(rest)
        rest = rest.lstrip("/") if protocol == "memory" else rest
        if rest.startswith("/") or not rest:
            raise UsageError(f"{shown(text)} names no bucket or host: write {protocol}://BUCKET/FOLDER.")
        if ".." in rest.split("/") or "\0" in rest:
            raise InputError(f"{shown(text)} leads upwards: name the folder itself.")
        return self.folder / protocol / rest

    def address(self, path: Path) -> str | None:
        """The address for which a path stands; None if it stands for none."""
        try:
            protocol, *rest = path.relative_to(self.folder).parts
        except ValueError:
            return None
        return f"{protocol}://{'/'.join(rest)}"

    def told(self, text: object) -> str:
        """A text with addresses where paths stand for them."""
        return self._inside.sub(lambda match: "/" if match[1] in _LOCAL else f"{match[1]}://", str(text))

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Have errors of the body name addresses."""
        try:
            yield
        except PolyfuseError as error:
            text = self.told(error)
            if text == str(error):
                raise
            raise type(error)(text) from error

    def listed(self, address: str, *, recursive: bool = True) -> Path:
        """Put an empty file for the file at an address, or for each of its folder; nothing where there is none.

        Args:
            address: A path is returned as it is.
            recursive: Whether subfolders are entered.

        Returns:
            The path that stands for the address.

        Raises:
            DependencyError: If a package is needed to open it.
            InputError: If it does not answer.
        """
        place = self.place(address)
        if self.address(place) is None:
            return place
        with _reaching(address, InputError):
            system, there = _opened(address)
            names = system.find(there, maxdepth=None if recursive else 1) if system.exists(there) else []
            base = there.rstrip("/")
            below = [str(name).removeprefix(base).lstrip("/") for name in names]
        for name in below:
            self.stand_in(self.place(f"{address.rstrip('/')}/{name}") if name else place)
        return place

    def stand_in(self, path: Path) -> None:
        """Put an empty file in the place of an address."""
        with suppress(FileExistsError, IsADirectoryError, NotADirectoryError):  # a bucket may name a/b beside a
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def fetch(self, path: Path) -> bool:
        """Get the content of the address that a path stands for, if it stands for one.

        Returns:
            Whether there is a file.

        Raises:
            DependencyError: If a package is needed to open it.
            InputError: If it does not answer.
        """
        address = self.address(path)
        if address is None:
            return path.exists()
        with _reaching(address, InputError):
            system, there = _opened(address)
            if not system.exists(there):
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(there, str(path))
        return True

    def deliver(self, path: Path) -> None:
        """Put a file at the address that its path stands for: under a temporary name first, then under its own.

        Raises:
            OutputError: If that fails; what was there before is there still.
        """
        address = self.address(path)
        if address is None:
            return
        with _reaching(address, OutputError):
            system, there = _opened(address)
            parent = there.rpartition("/")[0]
            with suppress(OSError):  # where there are no folders, or the bucket may not be looked at; writing tells
                system.makedirs(parent, exist_ok=True)
            temporary = f"{parent}/{temporary_name(path.suffix)}"
            try:
                system.put_file(str(path), temporary)
                system.mv(temporary, there)
            except BaseException:
                with suppress(Exception):
                    system.rm_file(temporary)
                raise


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and its path there."""
    from fsspec.core import url_to_fs

    system, there = url_to_fs(address)
    return system, str(there)


@contextmanager
def _reaching(address: str, kind: type[InputError] | type[OutputError]) -> Iterator[None]:
    """Turn what goes wrong on the way to an address into one line.

    Packages of fsspec raise nearly any type of exception, so all are caught; our own pass.
    """
    try:
        yield
    except PolyfuseError:
        raise
    except ImportError as error:
        wanted = re.search(r"[Ii]nstall '?\"?([\w-]+)", str(error))
        package = wanted[1] if wanted else reason(error)
        line = f"{shown(address)} needs the package {package}: pip install {package}, on every machine of the cluster"
        raise DependencyError(line) from error
    except ValueError as error:
        if "Protocol not known" not in str(error):
            raise kind(f"{shown(address)} cannot be used ({reason(error)}): {_ADVICE}") from error
        raise UsageError(f"{shown(address)} has a protocol that fsspec does not know: check the address") from error
    except Exception as error:
        done = "read" if kind is InputError else "written"
        raise kind(f"{shown(address)} cannot be {done} ({reason(error)}): {_ADVICE}") from error
