"""The methods of a suite: models by name, pattern or with weights, and folders of results."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from polyfuse import registry
from polyfuse._version import __version__
from polyfuse.benchmark.sets import FoundSet
from polyfuse.benchmark.suite import NAME, SET, FolderConfig, ModelConfig, Suite
from polyfuse.errors import InputError, PolyfuseError, UsageError
from polyfuse.evaluation import BASELINES
from polyfuse.families.spec import FusionModel
from polyfuse.fusion.options import FuseOptions
from polyfuse.fusion.record import settings
from polyfuse.io import Pair, peek_size
from polyfuse.io.pairs import list_pictures, listed
from polyfuse.io.source import counted, shown

BUNDLED, CLASSICS = "bundled", "classics"
_ALWAYS = {method.name for method in BASELINES}


@dataclass(frozen=True)
class ModelMethod:
    """A model that fuses here."""

    name: str
    """As tables print it."""
    config: ModelConfig
    """Which model, with what."""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    """All that determines its results but the sources, as plain values."""

    @property
    def options(self) -> FuseOptions:
        """How pictures are read and fused."""
        return FuseOptions().changed(self.config.options)

    def load(self, device: str = "cpu") -> FusionModel:
        """The model, ready to run.

        Raises:
            PolyfuseError: If it cannot be, with the name of the method.
        """
        config = self.config
        try:
            return registry.load(
                config.model,
                weights=config.weights or None,
                device=device,
                precision=config.precision,
                config=config.config,
            )
        except PolyfuseError as error:
            raise type(error)(f"method {shown(self.name)}: {error}") from error


@dataclass(frozen=True)
class FolderMethod:
    """Pictures that were made elsewhere."""

    name: str
    """As tables print it."""
    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    """By set and pair."""
    missing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By set and pair: why there is none."""

    @property
    def made_by(self) -> Mapping[str, Any]:
        """What is recorded of how its results came about."""
        return {"polyfuse": __version__, "folder": True}


def choose_models(suite: Suite, only: Sequence[str] = ()) -> list[ModelMethod]:
    """The models of a suite, each once, loaded once to see that they can be.

    Args:
        suite: Which models.
        only: Names or patterns; others are left out. None: all are taken.

    Raises:
        UsageError: If one is unknown, is a row that is always there, or needs weights; or `only` asks for a method that
            the suite does not have.
        InputError: If weights cannot be used.
    """
    entries = registry.list_models()
    ready = [entry.name for entry in entries if not entry.needs_weights and entry.name not in _ALWAYS]
    learned = {entry.name for entry in entries if registry.FAMILIES[entry.family].learned}
    words = {
        BUNDLED: [entry.name for entry in entries if entry.weights is not None and entry.name in learned],
        CLASSICS: [name for name in ready if name not in learned],
    }
    chosen: dict[str, ModelMethod] = {}
    for text in suite.models:
        if text.lower() in words:
            names = words[text.lower()]
        elif any(sign in text for sign in "*?["):
            names = [name for name in ready if fnmatch.fnmatchcase(name.lower(), text.lower())]
            if not names:
                raise UsageError(f"no model is called like {text!r}: `polyfuse models list` has all.")
        elif text.lower() in _ALWAYS:
            raise UsageError(f"{text} is a row that is always there: leave it out of models.")
        else:
            names = [_known(text, [entry.name for entry in entries])]
            if names[0] not in ready:
                raise UsageError(
                    f"model {names[0]} needs weights: pass --model {names[0]}=FILE, or write a table "
                    f"[model.{names[0]}] with weights."
                )
        for name in names:
            chosen.setdefault(name, ModelMethod(name, ModelConfig(name)))
    for name, config in suite.model.items():
        if name in chosen:
            raise UsageError(f"two models are called {name}: rename the table [model.{name}], or drop it from models.")
        chosen[name] = ModelMethod(name, config)
    _check_names([*chosen, *suite.fused])
    for text in only:
        if not any(is_wanted(name, [text]) for name in (*chosen, *suite.fused)):
            raise UsageError(f"--only names {text}, not in the suite: use {', '.join((*chosen, *suite.fused))}.")
    return [
        replace(method, made_by={"polyfuse": __version__, **settings(method.load(), method.options)})
        for method in chosen.values()
        if is_wanted(method.name, only)
    ]


def is_wanted(name: str, only: Sequence[str]) -> bool:
    """Whether a name is one of `only`, or like a pattern there; case does not matter."""
    return not only or any(fnmatch.fnmatchcase(name.lower(), text.lower()) for text in only)


def _known(text: str, names: Sequence[str]) -> str:
    """The model that is meant; case does not matter."""
    by_lower = {name.lower(): name for name in names}
    if text.lower() not in by_lower:
        near = difflib.get_close_matches(text.lower(), [*by_lower, BUNDLED, CLASSICS], n=2, cutoff=0.4)
        advice = (
            f"did you mean {' or '.join(by_lower.get(n, n) for n in near)}?" if near else "see `polyfuse models list`."
        )
        raise UsageError(f"there is no model {text!r}: {advice}")
    return by_lower[text.lower()]


def _check_names(names: Sequence[str]) -> None:
    """Refuse two names that would be one folder, and names of rows that are always there."""
    seen: dict[str, str] = {}
    for name in names:
        if name.casefold() in _ALWAYS:
            raise UsageError(f"{name} is the name of a row that is always there: choose another one.")
        if name.casefold() in seen:
            raise UsageError(f"two methods are called {name}: choose another name for one of them.")
        if not name.strip() or not name.isprintable():
            raise UsageError(f"{name!a} is no name of a method: choose one that can be printed.")
        seen[name.casefold()] = name


def find_folders(suite: Suite, sets: Sequence[FoundSet], *, skip_missing: bool = False) -> list[FolderMethod]:
    """The folders of results, with the picture of every pair.

    Args:
        suite: Which folders.
        sets: What is compared on.
        skip_missing: Keep a method that lacks pictures or has some of another size, to be reported pair by pair.

    Raises:
        InputError: If a folder is missing, has nothing for any set, or lacks pictures; all are named.
    """
    return [_folder(name, config, sets, skip_missing) for name, config in suite.fused.items()]


def _folder(name: str, config: FolderConfig, sets: Sequence[FoundSet], skip_missing: bool) -> FolderMethod:
    files: dict[str, dict[str, Path]] = {}
    missing: dict[str, dict[str, str]] = {}
    for found in sets:
        place = _place(config, found.name, alone=len(sets) == 1)
        if place is None or not place.is_dir():
            continue
        files[found.name], missing[found.name] = _pictures(place, config, found)
        if missing[found.name] and not skip_missing:
            reasons = missing[found.name]
            raise InputError(
                f"{shown(name)} lacks {len(reasons)} of {counted(len(found.pairs), 'picture')} of {shown(found.name)} "
                f"({next(iter(reasons.values()))}): add them, correct its pattern, or pass --on-error skip"
            )
    if not any(files.values()):
        where = shown(config.folder)
        if not Path(config.folder.partition(SET)[0]).is_dir():
            raise InputError(f"{where} of {shown(name)} is no folder: check the path")
        raise InputError(
            f"{where} of {shown(name)} has no pictures for any set: give it a folder for each set "
            f"({listed([found.name for found in sets])}), or put {SET} into its path"
        )
    return FolderMethod(name, files, missing)


def _place(config: FolderConfig, name: str, *, alone: bool) -> Path | None:
    """The folder of a set's pictures."""
    if SET in config.folder:
        return Path(config.folder.replace(SET, name))
    below = Path(config.folder) / name
    return below if below.is_dir() else Path(config.folder) if alone else None


def _pictures(place: Path, config: FolderConfig, found: FoundSet) -> tuple[dict[str, Path], dict[str, str]]:
    """The picture of each pair, and why others have none."""
    by_stem: dict[str, list[Path]] = {}
    for path in list_pictures(place):
        by_stem.setdefault(path.stem, []).append(path)
    files, missing = {}, {}
    for pair in found.pairs:
        stem = config.pattern.replace(SET, found.name).replace(NAME, pair.name)
        there = by_stem.get(stem, [])
        if len(there) != 1:
            missing[pair.name] = (
                f"{shown(place)} has no picture named {shown(stem)}"
                if not there
                else f"{shown(place)} has {len(there)} pictures named {shown(stem)}"
            )
        elif (problem := _problem(there[0], pair)) is not None:
            missing[pair.name] = problem
        else:
            files[pair.name] = there[0]
    return files, missing


def _problem(path: Path, pair: Pair) -> str | None:
    """Why a picture cannot be that of a pair, from its header; None if it can."""
    try:
        size, wanted = peek_size(path), peek_size(pair.a)
    except InputError as error:
        return str(error).rstrip(".")
    if size == wanted:
        return None
    return f"{shown(path)} is {size[0]}x{size[1]} and its pair {wanted[0]}x{wanted[1]}"
