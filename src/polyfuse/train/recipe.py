"""A recipe fixes a training run: data, network, stages, optimisers, seed. TOML in, frozen dataclasses out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from polyfuse.data.batches import CropConfig
from polyfuse.errors import InputError, UsageError
from polyfuse.io.documents import parse_json
from polyfuse.io.source import read_bytes_of, shown
from polyfuse.ops.precision import Precision
from polyfuse.train.strict import check_known, check_plain, read_strict
from polyfuse.train.strict import shown as shown_value

_MAX_BYTES = 1 << 20
_FREE = ("rhythm", "data.train", "data.val", "teacher")
"""Keys that have no effect on the weights: how often things are done, and the paths of data and teacher."""
MOST_RATE = 1e3
"""Largest learning rate. With it and finite gradients a step of Adam or RMSprop keeps float32 weights finite."""
MOST_STEPS = 10**9
MOST_PIXELS = 2**28
"""Pixels of one batch of each source: 1 GiB in float32."""


def check_range(where: str, values: Any, **ranges: tuple[float, float]) -> None:
    """Refuse fields out of their ranges, both ends included; what is not a number is out of every range.

    Raises:
        UsageError: Naming the first.
    """
    for name, (least, most) in ranges.items():
        value = getattr(values, name)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{where}{name} is {value}: give {least:g} to {most:g}.")


@dataclass(frozen=True)
class DataConfig:
    """Pictures to train and to validate on."""

    train: tuple[str, ...] = ()
    """Packs made by `polyfuse data pack`; relative paths count from the recipe's folder."""
    val: tuple[str, ...] = ()
    """Packs for the validation pass; without packs there is no such pass."""
    luma: Literal["full", "studio"] = "studio"
    """Luma of b that the packs must have. Source: official code trains on studio luma."""
    batch: int = 16
    """Crops of one step, over all processes together. Source: official code."""
    crop: CropConfig = field(default_factory=CropConfig)
    """How crops are made."""

    def __post_init__(self) -> None:
        """Refuse batches of no crops, and of more than fit into memory."""
        if self.batch < 1 or self.batch * self.crop.cut**2 > MOST_PIXELS:
            raise UsageError(
                f"a batch of {self.batch} crops of {self.crop.cut}x{self.crop.cut} is empty or too large: give "
                f"at least 1, and at most {MOST_PIXELS:,} pixels."
            )


@dataclass(frozen=True)
class OptimiserConfig:
    """Optimiser and its rate over time. Defaults: official code of FNet."""

    kind: Literal["adam", "rmsprop"] = "adam"
    """Adam, or RMSprop without momentum, which has no use for `betas` and `weight_decay`."""
    rate: float = 1e-4
    """Highest learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the two moments."""
    eps: float = 1e-8
    """Added to the denominator of the update."""
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW) where positive."""
    clip: float | None = None
    """Largest gradient norm, to which larger gradients are scaled down; None does not limit it."""
    schedule: Literal["constant", "cosine", "halving"] = "constant"
    """Rate after the warm-up."""
    warmup: int = 0
    """Steps of linear rise from zero."""
    final: float = 0.0
    """Last rate of the cosine and least of the halvings, as a share of `rate`."""
    halvings: int = 3
    """How often the rate is halved, evenly spread over the stage: 3 halve it at 25, 50 and 75 % of the steps."""

    def __post_init__(self) -> None:
        """Refuse values that would have no effect, or would leave weights that are no numbers."""
        tiny = 1e-30
        check_range("", self, rate=(0, MOST_RATE), eps=(tiny, 1), weight_decay=(0, MOST_RATE), clip=(tiny, 1e30))
        check_range("", self, warmup=(0, MOST_STEPS), final=(0, 1), halvings=(0, 64))
        if not all(0 <= beta < 1 for beta in self.betas):
            raise UsageError(f"betas are {self.betas}: give two decays in [0, 1).")
        if self.kind == "rmsprop" and self.weight_decay:
            raise UsageError("rmsprop has no weight_decay here: drop it.")


@dataclass(frozen=True)
class StageConfig:
    """One stage. Its family defines which kinds of stages there are, and their losses and options."""

    kind: str
    """Name that the family knows the stage by."""
    steps: int
    """Optimiser steps."""
    losses: dict[str, float] = field(default_factory=dict)
    """Weights of losses that differ from the family's defaults."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of this kind of stage that differ from the family's defaults, e.g. the optimiser of discriminators."""
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    """Optimiser of the fusion network."""
    crop: dict[str, Any] = field(default_factory=dict)
    """Keys of data.crop, all but the size, that this stage changes."""
    steadiness: float = 0.0
    """Weight of the change from crop to twin, see `CropConfig.twin`; 0 is off.  # ours"""

    def __post_init__(self) -> None:
        """Refuse weights of losses that are no numbers."""
        check_range("", self, steadiness=(0, 1e9))
        for name, weight in self.losses.items():
            if not abs(weight) <= 1e9:
                raise UsageError(f"the weight of {name} is {weight}: give a number of at most 1e9.")


@dataclass(frozen=True)
class RhythmConfig:
    """How often things are done that do not change how the weights develop."""

    log_every: int = 50
    """Steps from one line of the log to the next, which holds means over them."""
    validate_every: int = 500
    """Steps from one validation pass to the next."""
    validation_crop: int = 128
    """Side of the validation crops, pixels: large, for weights meant for whole pictures."""
    draw_every: int = 2000
    """Steps from one set of sample pictures to the next."""
    monitor_every: int = 50
    """Steps from one reading of the monitors to the next, in stages that have any."""
    checkpoint_minutes: float = 10.0
    """Time from one checkpoint to the next."""


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a run."""

    name: str
    """Registry name of the weights, e.g. "fnet.road"."""
    family: str
    """Family of the networks and stages, e.g. "fnet"."""
    stages: tuple[StageConfig, ...]
    """The stages, in the order in which they are run."""
    data: DataConfig = field(default_factory=DataConfig)
    """Pictures to train and to validate on."""
    model: dict[str, Any] = field(default_factory=dict)
    """Options of the network that differ from the family's defaults."""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Options of the networks that only help in training, by part, where they differ from the family's defaults."""
    seed: int = 0
    """Fixes initial weights, crops and their order. Source: official code uses 0."""
    ema: float = 0.999
    """Decay per step of the averaged weights, which are the ones exported. Source: official code."""
    precision: Precision = "float32"
    """Arithmetic of the convolutions."""
    start: str | None = None
    """Weights file to begin from instead of random weights."""
    teacher: str | None = None
    """Weights file of the frozen network that a stage imitates."""
    rhythm: RhythmConfig = field(default_factory=RhythmConfig)
    """How often things are done that do not change how the weights develop."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        steps = [stage.steps for stage in self.stages]
        if not steps or min(steps) < 1 or max(steps) > MOST_STEPS:
            raise UsageError(
                f"the recipe has no stage, or one without steps or with more than {MOST_STEPS:,}: give [[stages]] with "
                "steps of 1 or more."
            )
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed is {self.seed}: give 0 or more, below 2^63.")
        if not 0 <= self.ema < 1:
            raise UsageError(f"ema {self.ema} is no decay: give a number in [0, 1).")
        rhythm = self.rhythm
        if min(rhythm.log_every, rhythm.validate_every, rhythm.draw_every, rhythm.monitor_every) < 1:
            raise UsageError("rhythm has an interval below 1 step: give 1 or more.")
        check_range("rhythm.", rhythm, validation_crop=(1, 2**14), checkpoint_minutes=(0, 1e9))
        for index in range(len(self.stages)):
            if self.crop_of(index).twin and self.data.batch % 2:
                raise UsageError(f"a batch of {self.data.batch} is no number of twins: give an even one.")

    def crop_of(self, stage: int) -> CropConfig:
        """How crops are made in a stage, counted from 0.

        Raises:
            UsageError: If the stage changes the size, or a key that crops do not have.
        """
        where, changes = f"stages.{stage}.crop", self.stages[stage].crop
        if "size" in changes:
            raise UsageError(f"{where} has a size: all stages have that of data.crop, change it there.")
        read_strict(CropConfig, changes, where)
        return replace(self.data.crop, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain nested dictionary, as JSON would give it back."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with polyfuse."""
    folder = resources.files("polyfuse.train").joinpath("recipes")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_recipe(source: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        source: A TOML file, the recipe.json of a run folder, or the name of a bundled recipe.
        settings: Changes as "key=value" with dotted keys, e.g. "stages.0.optimiser.rate=2e-4"; a value is read as
            TOML, or as plain text where it is not TOML. Relative paths in them count from the current folder.

    Raises:
        InputError: If there is no such recipe or it is no TOML.
        UsageError: If a key is unknown (with the nearest name) or a value is wrong.
    """
    path = Path(source)
    if str(source) in bundled_recipes():
        text, folder = resources.files("polyfuse.train").joinpath(f"recipes/{source}.toml").read_text("utf-8"), Path()
    else:
        try:
            text, folder = read_bytes_of(path, _MAX_BYTES, what="recipe").decode("utf-8"), path.parent
        except (InputError, UnicodeDecodeError) as error:
            names = ", ".join(bundled_recipes())
            why = "" if not isinstance(error, InputError) or not path.exists() else f" ({str(error).partition(':')[0]})"
            advice = f"give a TOML file, or one of {names}"
            raise InputError(f"{shown(path)} is no recipe that can be read{why}: {advice}.") from error
    is_json = path.suffix == ".json"
    try:
        values = parse_json(text) if is_json else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{source} is no {'JSON' if is_json else 'TOML'} ({reason}): correct it.") from error
    recipe = _located(read_recipe(values), folder)
    settings = list(settings)
    if not settings:
        return recipe
    values = recipe.to_json()
    for setting in settings:
        _set(values, setting)
    return _located(read_recipe(values), Path())


def read_recipe(values: Any) -> Recipe:
    """The recipe of a plain table, as TOML or JSON gives it.

    Raises:
        UsageError: If a key is unknown, a value is wrong, or a number is not finite.
    """
    check_plain(values, "recipe")
    recipe: Recipe = read_strict(Recipe, values, "recipe")
    return recipe


def _located(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with absolute paths; relative ones count from `folder`."""
    data = recipe.data
    data = replace(data, train=_absolute(data.train, folder), val=_absolute(data.val, folder))
    start, teacher = (
        None if path is None else _absolute((path,), folder)[0] for path in (recipe.start, recipe.teacher)
    )
    return replace(recipe, data=data, start=start, teacher=teacher)


def _absolute(paths: Iterable[str], folder: Path) -> tuple[str, ...]:
    """Absolute paths, relative ones counted from `folder`."""
    return tuple(str((folder / path).resolve()) for path in paths)


def _set(values: dict[str, Any], setting: str) -> None:
    """Apply one "key=value"."""
    key, equals, text = setting.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise UsageError(f"--set {setting} is no key=value: write for example seed=1.")
    table: Any = values
    for parent in parents:
        if isinstance(table, list):
            check_known(parent, [str(index) for index in range(len(table))], f"--set {key}")
            table = table[int(parent)]
        else:
            table = table.setdefault(parent, {})
        if not isinstance(table, dict | list):
            raise UsageError(f"--set {key} goes below a plain value: shorten the key.")
    if isinstance(table, list):
        raise UsageError(f"--set {key} replaces an entry of a list: set the key of the list, or a key of the entry.")
    try:
        table[last] = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        table[last] = text


def first_difference(old: Recipe, new: Recipe, *, compare_steps: bool = False) -> str | None:
    """The first key whose values differ, as text; None if all keys that affect the weights agree.

    Args:
        old: Recipe of a run that was begun.
        new: Recipe that is to go on with it.
        compare_steps: Whether the length of a stage counts; a run may be made longer (its schedule is stretched).
    """
    return _difference(old.to_json(), new.to_json(), "", compare_steps)


def _difference(old: Any, new: Any, key: str, compare_steps: bool) -> str | None:
    if key in _FREE or (key.endswith(".steps") and not compare_steps):
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted({*old, *new})
        differences = (_difference(old.get(n), new.get(n), f"{key}.{n}".lstrip("."), compare_steps) for n in names)
        return next((text for text in differences if text is not None), None)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        differences = (_difference(o, n, f"{key}.{i}", compare_steps) for i, (o, n) in pairs)
        return next((text for text in differences if text is not None), None)
    return None if old == new else f"{key} was {shown_value(old)} and is {shown_value(new)}"
