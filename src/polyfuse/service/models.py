"""The models of a service: loaded once, in PyTorch or exported, and what it tells of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from polyfuse import registry
from polyfuse.engines import ExportedModel, load_exported
from polyfuse.errors import UsageError
from polyfuse.fusion.models import Model
from polyfuse.service.settings import Settings

EXPORTED = ".onnx"


def load_models(settings: Settings, say: Callable[[str], None]) -> dict[str, Model]:
    """The models of a service by name, in the order given.

    Raises:
        DependencyError: If the engine of an exported model is not installed.
        InputError: If a file cannot be read.
        UsageError: If one is unknown, or there are two of a name.
    """
    models: dict[str, Model] = {}
    for text in settings.models:
        model = _exported(text, settings) if text.lower().endswith(EXPORTED) else _loaded(text, settings)
        called = model.provenance.name
        if called in models:
            raise UsageError(f"--model names {called} twice: drop one.")
        models[called] = model
        say(f"model {called}" + (": the default" if len(models) == 1 else ""))
    return models


def _loaded(text: str, settings: Settings) -> Model:
    """A model in PyTorch, by `NAME` or `NAME=WEIGHTS`."""
    name, sign, weights = (part.strip() for part in text.partition("="))
    if not name or (sign and not weights):
        raise UsageError(f"--model {text!r} is no model: write NAME, or NAME=WEIGHTS.")
    path = Path(weights) if weights else None
    if path is None and name.lower() in {entry.name for entry in registry.list_models() if entry.needs_weights}:
        raise UsageError(
            f"model {name} needs weights: pass --model {name}=FILE, made by `polyfuse train` or "
            "`polyfuse models import`."
        )
    return registry.load(name, weights=path, device=settings.device, precision=settings.precision)


def _exported(text: str, settings: Settings) -> Model:
    """A model of a file of `polyfuse models export onnx`."""
    if settings.device != "cpu":
        raise UsageError("--device cannot change an exported model: drop it.")
    precision = None if settings.precision == "auto" else settings.precision
    return load_exported(text, settings.engine, threads=settings.threads, precision=precision)


def set_threads(settings: Settings, models: Mapping[str, Model]) -> None:
    """Give PyTorch in this thread the number of threads that was asked for, where a model needs it at all."""
    if settings.threads is None or all(isinstance(model, ExportedModel) for model in models.values()):
        return
    import torch

    torch.set_num_threads(settings.threads)


def model_facts(model: Model) -> dict[str, Any]:
    """What `GET /models` says of a model."""
    facts = {
        "name": model.provenance.name,
        "family": model.spec.family,
        "weights_sha256": model.provenance.weights_sha256,
        "precision": model.precision or "float32",
    }
    if isinstance(model, ExportedModel):
        return {**facts, "device": "cpu", "engine": model.engine, "exported_sha256": model.sha256}
    return {**facts, "device": str(model.device), "engine": "torch"}
