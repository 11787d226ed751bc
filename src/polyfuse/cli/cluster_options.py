"""Options that part the work: among the workers of a cluster, or into shares that know nothing of each other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from polyfuse.cli.options import Arguments, Command, stack
from polyfuse.cli.values import SHARE, is_address
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.cluster.mirror import Mirror
    from polyfuse.cluster.session import Workers

RAY = "ray"
"""The engine that computes on several machines."""
Named = TypeVar("Named")


def cluster_options(command: Command) -> Command:
    """Which cluster, and which share; a verb has `--engine` and `--workers` of its own."""
    return stack(
        command,
        [
            click.option("--address", metavar="HOST:PORT",
                         help="With --engine ray: a cluster that is there, or auto; without it, this machine."),
            click.option("--shard", type=SHARE, default="1/1", metavar="I/N",
                         help="Do the I-th of N shares of the pairs, told by their names."),
        ],
    )  # fmt: skip


@dataclass(frozen=True)
class ClusterArguments(Arguments):
    """Where the work is done, and which share of it."""

    engine: str | None
    workers: int | None
    address: str | None
    shard: tuple[int, int]

    @property
    def on_ray(self) -> bool:
        """Whether the workers of a cluster do the work."""
        return self.engine == RAY

    @property
    def is_share(self) -> bool:
        """Whether others do the rest."""
        return self.shard[1] > 1

    def __post_init__(self) -> None:
        """Refuse a cluster for an engine that has none.

        Raises:
            UsageError: If it is one.
        """
        if self.address is not None and not self.on_ray:
            raise UsageError("--address names a cluster of Ray: pass --engine ray as well, or drop it.")

    def check_parts(self, what: str) -> None:
        """Refuse to part what is one piece of work.

        Raises:
            UsageError: If the user asks for it; `what` says of what.
        """
        if self.on_ray:
            raise UsageError(f"--engine ray parts folders and lists of pictures, not {what}: drop it.")
        if self.is_share:
            raise UsageError(f"--shard parts folders and lists of pictures, not {what}: drop it.")

    @contextmanager
    def opened(self) -> Iterator[Mirror]:
        """Lend what makes paths of addresses; errors of the body name addresses."""
        from polyfuse.cluster.mirror import Mirror

        if not self.on_ray:
            yield Mirror(Path(os.devnull))  # nothing lies below it, so no path stands for an address
            return
        with tempfile.TemporaryDirectory(prefix="pf-", ignore_cleanup_errors=True) as folder:
            mirror = Mirror(Path(folder))
            with mirror.telling():
                yield mirror

    def source(self, given: Path | str, mirror: Mirror, *, recursive: bool = False) -> Path:
        """The path of something to read; an address is looked at, and a list read, so that pairs can be found.

        Raises:
            UsageError: If it is an address and the engine opens none.
        """
        path = self.target(given, mirror, recursive=recursive)
        if self.on_ray and path.suffix.lower() == ".csv":
            from polyfuse.cluster.lists import mirrored_list

            return mirrored_list(path, mirror)
        return path

    def target(self, given: Path | str, mirror: Mirror, *, recursive: bool = True) -> Path:
        """The path of something to write; what is there at an address is listed.

        Raises:
            UsageError: If it is an address and the engine opens none.
        """
        if not is_address(given):
            return Path(given)
        if not self.on_ray:
            raise UsageError(f"{given} is an address: pass --engine ray, which opens it, or download it first.")
        return mirror.listed(str(given), recursive=recursive)

    def mine(self, items: Sequence[Named], name: Callable[[Named], str], say: Callable[[str], None]) -> list[Named]:
        """Those of the items that belong to this share, in their order."""
        from polyfuse.io.shards import in_shard
        from polyfuse.io.source import counted

        if not self.is_share:
            return list(items)
        chosen = [item for item in items if in_shard(name(item), self.shard)]
        say(f"share {self.shard[0]} of {self.shard[1]}: {len(chosen)} of {counted(len(items), 'pair')}")
        return chosen

    def on(self, device: str, threads: int = 1) -> Workers:
        """The workers of the cluster.

        Args:
            device: Where they compute.
            threads: Of each.

        Raises:
            UsageError: If a graphics card is named, which Ray chooses.
        """
        from polyfuse.cluster.session import Workers

        kind, _, which = device.partition(":")
        if which:
            raise UsageError(f"--device {device} names a card, which Ray chooses: pass --device {kind}.")
        return Workers(self.address, self.workers, threads, gpu=kind == "cuda")
