"""The options of `polyfuse benchmark` as named and typed values, and the suite that they make."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from polyfuse.cli.options import Arguments
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.benchmark.suite import Suite


@dataclass(frozen=True)
class BenchmarkArguments(Arguments):
    """The options of `polyfuse benchmark`."""

    suite: str
    data: Path | None
    out: Path
    sets: str | None
    only: str | None
    pairs: int | None
    models: tuple[str, ...]
    fused: tuple[str, ...]
    patterns: tuple[str, ...]
    insets: tuple[str, ...]
    shard: tuple[int, int]
    merge: tuple[Path, ...]
    no_pictures: bool
    no_timings: bool
    no_page: bool
    dry_run: bool
    device: str
    threads: int | None
    workers: int | None
    on_error: Literal["stop", "skip"]
    as_json: bool
    quiet: bool

    @property
    def is_share(self) -> bool:
        """Whether other machines do the rest."""
        return self.shard[1] > 1

    def read_suite(self) -> Suite:
        """The suite with what the options change."""
        from polyfuse.benchmark.sheets import parse_insets
        from polyfuse.benchmark.suite import load_suite, with_folders, with_models

        suite = with_folders(with_models(load_suite(self.suite), self.models), self.fused, self.patterns)
        names = listed(self.sets)
        unknown = [name for name in names if name not in suite.set_names]
        if unknown:
            raise UsageError(f"--sets names {unknown[0]}, not in the suite: use {', '.join(suite.set_names)}.")
        sheets = replace(suite.sheets, insets=self.insets or suite.sheets.insets)
        parse_insets(sheets.insets)
        return replace(
            suite,
            sets=tuple(names) or suite.sets,
            pairs=suite.pairs if self.pairs is None else self.pairs,
            pictures=suite.pictures and not self.no_pictures,
            timing=None if self.no_timings else suite.timing,
            sheets=sheets,
            detection={name: one for name, one in suite.detection.items() if not names or one.set in names},
            targets={name: one for name, one in suite.targets.items() if not names or one.set in names},
        )

    def command(self) -> str:
        """The command line that does the same, on one machine."""
        words = ["polyfuse", "benchmark", self.suite, "-o", str(self.out)]
        for option, value in (("--data", self.data), ("--sets", self.sets), ("--only", self.only),
                              ("--pairs", self.pairs), ("--threads", self.threads)):  # fmt: skip
            words += [] if value is None else [option, str(value)]
        for option, values in (("--model", self.models), ("--fused", self.fused), ("--pattern", self.patterns),
                               ("--inset", self.insets)):  # fmt: skip
            words += [part for value in values for part in (option, value)]
        words += [] if self.device == "cpu" else ["--device", self.device]
        words += ["--no-pictures"] if self.no_pictures else []
        return shlex.join(words)


def listed(text: str | None) -> list[str]:
    """Names parted by commas."""
    return [] if text is None else [name.strip() for name in text.split(",") if name.strip()]
