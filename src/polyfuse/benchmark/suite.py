"""A suite fixes a comparison: sets, methods, metrics, what is drawn. TOML in, frozen dataclasses out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from polyfuse import registry
from polyfuse.errors import InputError, UsageError
from polyfuse.io.source import read_bytes_of, shown
from polyfuse.train.strict import check_plain, read_strict

_MAX_BYTES = 1 << 20
_SUFFIX = ".toml"
_SIZE = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
NAME = "{name}"
"""In the pattern of a folder of results: the name of the pair."""
SET = "{set}"
"""In the path of a folder of results and in its pattern: the name of the set."""


@dataclass(frozen=True)
class SetConfig:
    """`[set.NAME]`: pairs of the user's own. Relative paths count from the suite's folder."""

    a: str = ""
    """Folder of the first sources; with `b`."""
    b: str = ""
    """Folder of the second sources, matched by stem."""
    pairs: str = ""
    """In place of both: a CSV file with the columns a, b and, if wanted, name."""
    folder: str = ""
    """In place of these: the folder of a data set in one of the layouts of `polyfuse data pack`."""
    split: str = "test"
    """With `folder`: which split."""
    groups: str = ""
    """A CSV file with the columns name and group: pairs of one scene, street or patient, which count as one when means
    are resampled and tested. Pairs that it does not name stand for themselves."""
    sha256: str = ""
    """Hash of the list of pairs, as reports print it; another list is an error then."""
    dataset: str = ""
    """What papers call it, to show their rows; empty: none are shown."""
    title: str = ""
    """A line on where it comes from."""
    name_a: str = "a"
    """What the first sources are: "infrared", "MRI"."""
    name_b: str = "b"
    """What the second sources are."""

    def __post_init__(self) -> None:
        """Refuse a set with no place, or with two."""
        places = [bool(self.a or self.b), bool(self.pairs), bool(self.folder)]
        if sum(places) != 1 or bool(self.a) != bool(self.b):
            raise UsageError("a set has one place: give a and b, or pairs, or folder.")


@dataclass(frozen=True)
class ModelConfig:
    """`[model.NAME]`: a model under a name of its own, with weights or options."""

    model: str
    """Name of the model, as `polyfuse models list` prints it; "auto": the one that the weights were made for."""
    weights: str = ""
    """Weights file, for an architecture; a relative path counts from the suite's folder."""
    precision: Literal["float32", "bf16", "tf32", "auto"] = "float32"
    """Arithmetic."""
    config: dict[str, Any] = field(default_factory=dict)
    """Options of the model, as `--config`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the fusion by their names in `polyfuse.fusion.FuseOptions`, e.g. gamut."""


@dataclass(frozen=True)
class FolderConfig:
    """`[fused.NAME]`: pictures that another program made."""

    folder: str
    """Their folder, with {set} for the name of the set or with a folder of that name in it; a relative path counts from
    the suite's folder."""
    pattern: str = NAME
    """Stem of the picture of a pair, with {name} for its name: "{name}_ADF"."""

    def __post_init__(self) -> None:
        """Refuse a pattern that gives every pair the same picture."""
        if NAME not in self.pattern or re.search(r"[/\\\0]", self.pattern):
            raise UsageError(
                f"pattern {shown(self.pattern)} is no name of a picture with {NAME} in it: write for example "
                f"{NAME}_ADF."
            )


@dataclass(frozen=True)
class TimingConfig:
    """`[timing]`: how long each model takes, all in one run, in turns."""

    sizes: tuple[str, ...] = ("640x480",)
    """Widths and heights; the first pair of the first set is brought to each."""
    repeats: int = 5
    """Turns of each model after one to warm up."""
    seconds: float = 20.0
    """After so many seconds a model has no more turns, but one."""
    reference: str = ""
    """Model whose time is 1; empty: the first one."""

    def __post_init__(self) -> None:
        """Refuse sizes that are none."""
        bad = next((size for size in self.sizes if not _SIZE.fullmatch(size)), None)
        if bad is not None or not self.sizes:
            raise UsageError(f"timing.sizes has {bad!r}: write WIDTHxHEIGHT, for example 640x480.")
        if self.repeats < 1 or self.seconds <= 0:
            raise UsageError("timing needs at least one repeat and some seconds: check both.")


@dataclass(frozen=True)
class SheetConfig:
    """`[sheets]`: the contact sheet of each set."""

    pairs: int = 4
    """Pairs on a sheet, those on which methods differ most; 0: no sheets."""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By set: the pairs themselves, in place of a number."""
    insets: tuple[str, ...] = ("auto",)
    """Regions that are magnified, "x,y,w,h" in pixels, two at most; "auto": where methods differ most; "none"."""


@dataclass(frozen=True)
class PageConfig:
    """`[page]`: the pictures of the results page, of which every method adds one to each pair."""

    pairs: int = 8
    """Pairs of each set, those on which methods differ most; 0: all."""
    maps: bool = True
    """Whether the page can show what a picture has lost, and which source each place came from; takes a moment each."""


@dataclass(frozen=True)
class DetectionConfig:
    """`[detection.NAME]`: a detector on every method's pictures of a set."""

    set: str
    """Name of the set."""
    labels: str
    """True boxes, as `polyfuse downstream detect --truth` takes them; a relative path counts from the data, then from
    the suite's folder."""
    detector: str
    """Description of the detector, as `--detector` takes it; a file ends in .toml."""
    onnx: str
    """Its file."""
    merge: dict[str, str] = field(default_factory=dict)
    """New name of a class by the old one."""


@dataclass(frozen=True)
class TargetsConfig:
    """`[targets.NAME]`: how well each method shows targets whose pixels are known."""

    set: str
    """Name of the set."""
    masks: str
    """Folder with a mask for some or all pairs; a relative path counts from the data, then from the suite's folder."""
    pattern: str = NAME
    """Stem of the mask of a pair."""


@dataclass(frozen=True)
class Suite:
    """A whole comparison."""

    title: str = ""
    """Heading of the report."""
    sets: tuple[str, ...] = ()
    """Names of known sets (`polyfuse benchmark` lists them) or of `[set.NAME]`; none: all of the latter."""
    models: tuple[str, ...] = ()
    """Names of models, patterns such as "*.road", "bundled" for all networks in the box, "classics" for all classic
    methods; beside them every `[model.NAME]`."""
    protocols: tuple[str, ...] = ("cddfuse",)
    """Whose conventions scores follow."""
    metrics: tuple[str, ...] = ()
    """Names of metrics; none: all of the protocol but the slow ones."""
    pairs: int = 0
    """Pairs of each set at most, spread evenly; 0: all."""
    compare: tuple[str, ...] = ("matching",)
    """Papers whose rows are shown: "matching" for those that tell the same set with the same number of pairs, names as
    of `polyfuse evaluate --compare`, or "none"."""
    diagrams: tuple[str, ...] = ("VIF", "Qabf", "VIS")
    """Metrics with a critical-difference diagram of their own, beside the one of all together."""
    pictures: bool = True
    """Whether fused pictures are kept; without them there are no sheets, no page to look at and no downstream tasks."""
    set: dict[str, SetConfig] = field(default_factory=dict)
    """Sets of the user's own."""
    model: dict[str, ModelConfig] = field(default_factory=dict)
    """Models with weights or options."""
    fused: dict[str, FolderConfig] = field(default_factory=dict)
    """Folders of results."""
    timing: TimingConfig | None = None
    """How timings are taken; without it there are none."""
    sheets: SheetConfig = field(default_factory=SheetConfig)
    """What the contact sheets show."""
    page: PageConfig = field(default_factory=PageConfig)
    """What the results page shows."""
    detection: dict[str, DetectionConfig] = field(default_factory=dict)
    """Detectors to run."""
    targets: dict[str, TargetsConfig] = field(default_factory=dict)
    """Targets to measure."""

    def __post_init__(self) -> None:
        """Refuse what no run could honour."""
        if min(self.pairs, self.sheets.pairs, self.page.pairs) < 0:
            raise UsageError("pairs must not be negative: give 0 for all.")
        if not self.protocols:
            raise UsageError('suite has no protocol: write for example protocols = ["cddfuse"].')
        tasks = {f"detection.{name}": task.set for name, task in self.detection.items()}
        tasks |= {f"targets.{name}": task.set for name, task in self.targets.items()}
        for where, name in tasks.items():
            if name not in self.set_names:
                raise UsageError(f"{where} is for the set {name!r}, which the suite does not have: add it to sets.")
        doubled = next((name for name in self.set_names if self.set_names.count(name) > 1), None)
        if doubled is not None:
            raise UsageError(f"sets names {doubled!r} twice: drop one.")

    @property
    def set_names(self) -> tuple[str, ...]:
        """The sets in order."""
        return self.sets or tuple(self.set)


def bundled_suites() -> dict[str, str]:
    """Name and title of the suites that come with polyfuse."""
    return {name: load_suite(name).title for name in _bundled_names()}


def _bundled_names() -> list[str]:
    folder = resources.files("polyfuse.benchmark").joinpath("suites")
    return sorted(entry.name.removesuffix(_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(_SUFFIX))


def load_suite(source: str | Path) -> Suite:
    """Read a suite; its paths come back absolute, those of masks and labels as they are.

    Args:
        source: A TOML file, or the name of a bundled suite.

    Raises:
        InputError: If there is no such suite or it is no TOML.
        UsageError: If a key is unknown (with the nearest name) or a value is wrong.
    """
    path, names = Path(source), _bundled_names()
    if str(source) in names:
        text = resources.files("polyfuse.benchmark").joinpath(f"suites/{source}{_SUFFIX}").read_text("utf-8")
        return read_suite(_parsed(text, path), Path())
    try:
        text = read_bytes_of(path, _MAX_BYTES, what="suite").decode("utf-8-sig")
    except (InputError, UnicodeDecodeError) as error:
        why = "" if not isinstance(error, InputError) or not path.exists() else f" ({str(error).partition(':')[0]})"
        raise InputError(
            f"{shown(path)} is no suite that can be read{why}: give a TOML file, or one of {', '.join(names)}."
        ) from error
    return read_suite(_parsed(text, path), path.absolute().parent)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{shown(path)} is no TOML ({reason}): correct it.") from error


def read_suite(values: Any, folder: Path) -> Suite:
    """The suite of a plain table.

    Args:
        values: What TOML gives.
        folder: From which relative paths count.

    Raises:
        UsageError: If a key is unknown or a value is wrong.
    """
    check_plain(values, "suite")
    suite: Suite = read_strict(Suite, values, "suite")
    return replace(
        suite,
        set={
            name: _located(config, folder, "a", "b", "pairs", "folder", "groups") for name, config in suite.set.items()
        },
        model={name: _located(config, folder, "weights") for name, config in suite.model.items()},
        fused={name: _located(config, folder, "folder") for name, config in suite.fused.items()},
        detection={
            name: _located(config, folder, "onnx", *(["detector"] if config.detector.endswith(_SUFFIX) else []))
            for name, config in suite.detection.items()
        },
    )


def _located(config: Any, folder: Path, *names: str) -> Any:
    """A table with absolute paths."""
    found = {name: getattr(config, name) for name in names}
    return replace(config, **{name: str((folder / path).absolute()) for name, path in found.items() if path})


def with_models(suite: Suite, named: Sequence[str]) -> Suite:
    """The suite with further models: NAME of one that needs no weights, or NAME=FILE with weights.

    With weights, a NAME that is no model's is a name to print: which model it is, the file says.

    Raises:
        UsageError: If a name is taken.
    """
    plain, tables = list(suite.models), dict(suite.model)
    known = {entry.name for entry in registry.list_models()} if named else set()
    for text in named:
        name, sign, path = text.partition("=")
        if not name or (sign and not path):
            raise UsageError(f"--model {text} lacks a name or a file: write NAME, or NAME=WEIGHTS.")
        if not sign:
            plain.append(name)
            continue
        if name in tables:
            raise UsageError(f"two models are called {name}: choose one of them, or a table [model.OTHER] in a suite.")
        model = name if name.lower() in known else "auto"
        tables[name] = ModelConfig(model, str(Path(path).absolute()))
    return replace(suite, models=tuple(plain), model=tables)


def with_folders(suite: Suite, named: Iterable[str], patterns: Iterable[str] = ()) -> Suite:
    """The suite with further folders of results, NAME=DIR, and patterns for their names, NAME=PATTERN.

    Raises:
        UsageError: If a name is missing or taken.
    """
    folders = dict(suite.fused)
    for text in named:
        name, sign, path = (part.strip() for part in text.partition("="))
        if not (name and sign and path):
            raise UsageError(f"--fused {text} lacks a name or a path: write NAME=DIR.")
        if name in folders:
            raise UsageError(f"two folders are called {name}: choose another name for one of them.")
        folders[name] = FolderConfig(str(Path(path).absolute()))
    for text in patterns:
        name, sign, pattern = text.partition("=")
        if not sign or name.strip() not in folders:
            raise UsageError(f"--pattern {text} belongs to no --fused: write NAME=PATTERN, with the name of a --fused.")
        folders[name.strip()] = replace(folders[name.strip()], pattern=pattern)
    return replace(suite, fused=folders)
