"""The state of a run between two steps: networks, their average, optimisers, how far it is; and undoing a step."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch

from polyfuse.errors import InputError, UsageError
from polyfuse.train.attached import stages_of
from polyfuse.train.optimiser import MOMENTS, Average, build_optimiser
from polyfuse.train.recipe import Recipe, first_difference, read_recipe
from polyfuse.train.stage import FUSER, LoadFrozen, Parts, Stage, Training
from polyfuse.train.turns import turn_parameters


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators for the body of the `with`; the caller's state comes back after it."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def step_seed(*numbers: int) -> int:
    """A seed of 32 bits for one turn of one step: the same on every machine and in every version of Python."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:4])


def _frozen_in(parts: Parts) -> tuple[str, ...]:
    """Parameters that the family froze, as `Turn.frozen` names them."""
    named = ((f"{part}.{name}", value) for part, module in parts.items() for name, value in module.named_parameters())
    return tuple(name for name, value in named if not value.requires_grad)


def _without(stage: Stage, frozen: tuple[str, ...]) -> Stage:
    """The stage, none of whose turns trains the parameters `frozen`."""
    return replace(stage, turns=tuple(replace(turn, frozen=(*turn.frozen, *frozen)) for turn in stage.turns))


class RunState:
    """Everything that changes while a run goes on.

    Args:
        training: How the family is trained.
        recipe: The run.
        data: Hashes of the training packs.
        device: Where the networks live.
        load_frozen: Loads networks that stages learn from.
    """

    def __init__(
        self, training: Training, recipe: Recipe, data: list[str], device: torch.device, load_frozen: LoadFrozen
    ) -> None:
        self.recipe, self._data, self._device, self._training = recipe, data, device, training
        self.stages = stages_of(training, recipe, load_frozen)
        self.parts = {name: part.to(device) for name, part in self._fresh_parts().items()}
        self.stages = [_without(stage, _frozen_in(self.parts)) for stage in self.stages]
        self.average = Average(self.parts[FUSER], recipe.ema)
        self.stage_index = 0
        self.stage_step = 0
        self.seconds = 0.0
        self.passes_due = False
        """Whether the passes over validation pictures that belong to the last step are not done yet."""
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        self.enter_stage()

    def _fresh_parts(self) -> dict[str, torch.nn.Module]:
        """The networks as they are at the beginning of a run, on the CPU."""
        with seeded(self.recipe.seed, torch.device("cpu")):
            return self._training.build(self.recipe)

    def enter_stage(self) -> None:
        """Begin the current stage: optimisers, new unless a turn keeps its moments; `fresh` parts; no best score."""
        self.best = math.inf
        if not self.finished:
            if self.stage.fresh:
                fresh = self._fresh_parts()
                for name in self.stage.fresh:
                    self.parts[name].load_state_dict(fresh[name].state_dict())
            before, self.optimisers = self.optimisers, {}
            for turn in self.stage.turns:
                kept = before.get(turn.name) if turn.keeps_moments else None
                self.optimisers[turn.name] = kept or build_optimiser(
                    turn.optimiser, turn_parameters(self.parts, turn).values()
                )

    @property
    def finished(self) -> bool:
        """Whether all stages are done."""
        return self.stage_index == len(self.stages)

    @property
    def stage(self) -> Stage:
        """The current stage."""
        return self.stages[self.stage_index]

    @property
    def step(self) -> int:
        """Steps done in all stages together."""
        return sum(stage.steps for stage in self.stages[: self.stage_index]) + self.stage_step

    @property
    def num_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def to_dict(self) -> dict[str, Any]:
        """The content of a checkpoint. Crops and random numbers follow from seed and step."""
        return {
            "recipe": self.recipe.to_json(),
            "data": self._data,
            "origins": self._origins(),
            "stage": self.stage_index,
            "step": self.stage_step,
            "seconds": self.seconds,
            "best": self.best,
            "passes_due": self.passes_due,
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "average": self.average.network.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }

    def _origins(self) -> list[str]:
        """`Stage.origin` of each stage."""
        return [stage.origin for stage in self.stages]

    def load_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: If it is not what `to_dict` makes; the state may then be half that of the checkpoint.
            UsageError: If it is of another recipe, naming the first difference, of other data, or of another teacher.
        """
        before = _check_content(state)
        difference = first_difference(before, self.recipe)
        if difference is not None:
            raise UsageError(
                f"the checkpoint is of another recipe, {difference}: resume with the recipe.json of its folder."
            )
        if state["data"] != self._data:
            raise UsageError("the checkpoint was trained on other data: resume with the packs named in its recipe.")
        if state.get("origins", self._origins()) != self._origins():
            raise UsageError(
                "the checkpoint was made with another teacher: resume with the weights named in its recipe."
            )
        for index, (done, wanted) in enumerate(zip(before.stages[: state["stage"]], self.recipe.stages, strict=False)):
            if done.steps != wanted.steps:
                raise UsageError(
                    f"stage {index} ({wanted.kind}) is over after {done.steps} steps and cannot have {wanted.steps}: "
                    "give it as many as before, or train anew in another folder."
                )
        self.stage_index, self.stage_step = state["stage"], state["step"]
        self.passes_due = state.get("passes_due", False)
        if not 0 <= self.stage_index <= len(self.stages) or self.stage_step < 0:
            raise InputError(f"it is at step {self.stage_step} of stage {self.stage_index}")
        if not self.finished and self.stage_step >= self.stage.steps + self.passes_due:
            raise UsageError(
                f"stage {self.stage.name} has {self.stage_step} steps behind it: give it more, or as before."
            )
        self.enter_stage()
        self.seconds, self.best = state["seconds"], state["best"]
        _check_keys("parts", state["parts"], self.parts)
        for name, part in self.parts.items():
            _fill(part, state["parts"][name], name)
        _fill(self.average.network, state["average"], "the average")
        if not self.finished:
            _check_keys("optimisers", state["optimisers"], self.optimisers)
            for name, optimiser in self.optimisers.items():
                _fill_optimiser(optimiser, state["optimisers"][name], name)


def _check_content(state: dict[str, Any]) -> Recipe:
    """Check the types of what a checkpoint holds beside tensors; returns its recipe, newer keys by their defaults.

    Raises:
        InputError: Naming what is missing or wrong.
    """
    kinds = {"recipe": dict, "data": list, "stage": int, "step": int, "seconds": float, "best": float}
    kinds |= {"parts": dict, "average": dict, "optimisers": dict}
    for name, kind in kinds.items():
        if not isinstance(state.get(name), kind) or isinstance(state[name], bool):
            raise InputError(f"its {name} is missing or of a wrong type")
    if type(state.get("passes_due", False)) is not bool:
        raise InputError("its passes_due is of a wrong type")
    if not 0 <= state["seconds"] < math.inf or math.isnan(state["best"]):
        raise InputError("its clock or best loss is wrong")
    try:
        return read_recipe(state["recipe"])
    except UsageError as error:
        raise InputError("its recipe is wrong") from error


def _check_keys(what: str, values: dict[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse tables of a checkpoint with other names than those of the run."""
    if values.keys() != own.keys() or not all(isinstance(value, dict) for value in values.values()):
        raise InputError(f"its {what} are not those of the run")


def _fill(network: torch.nn.Module, values: dict[str, Any], name: str) -> None:
    """Fill a network, once all tensors are known to fit."""
    own = network.state_dict()
    if values.keys() != own.keys() or not all(_like(values[key], own[key]) for key in own):
        raise InputError(f"its tensors of {name} are not those of the run")
    network.load_state_dict(values)


def _fill_optimiser(optimiser: torch.optim.Optimizer, values: dict[str, Any], name: str) -> None:
    """Fill an optimiser's moments; its settings are those of the recipe."""
    own = optimiser.state_dict()["param_groups"]
    trained = [value for group in optimiser.param_groups for value in group["params"]]
    wanted = MOMENTS[type(optimiser)]
    try:
        groups = [group["params"] if isinstance(group, dict) else None for group in values["param_groups"]]
        fits = groups == [group["params"] for group in own] and all(
            state.keys() == wanted
            and all(_like(v, torch.tensor(0.0) if key == "step" else trained[index]) for key, v in state.items())
            for index, state in values["state"].items()
        )
        if fits:
            optimiser.load_state_dict({"state": values["state"], "param_groups": own})
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"its moments of {name} are wrong") from error
    if not fits:
        raise InputError(f"its moments of {name} are not those of the run")


def _like(value: Any, own: torch.Tensor) -> bool:
    """Whether `value` can take the place of a tensor."""
    return isinstance(value, torch.Tensor) and (value.shape, value.dtype) == (own.shape, own.dtype)


class Undo:
    """Copies of all that the turns before the last one change; a turn that fails does not change its own weights.

    Args:
        state: The run, before the step.
    """

    def __init__(self, state: RunState) -> None:
        earlier = state.stage.turns[:-1]
        trained = {name for turn in earlier for name in turn.parts}
        self._values = [
            (value, value.clone())
            for name, part in state.parts.items()
            for value in (part.state_dict().values() if name in trained else part.buffers())
        ]
        optimisers = [state.optimisers[turn.name] for turn in earlier]
        self._optimisers = [(optimiser, deepcopy(optimiser.state_dict())) for optimiser in optimisers]

    def put_back(self) -> None:
        """Restore the state before the step."""
        for value, kept in self._values:
            value.copy_(kept)
        for optimiser, kept in self._optimisers:
            optimiser.load_state_dict(kept)
