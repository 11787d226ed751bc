"""From a model's name to a ready model: `load`, `list_models`, cards, and which one is the default.

A name is `family[-size].domain`, e.g. "fnet.road"; "fnet" alone is the architecture for weights of the user's own.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from polyfuse.errors import InputError, UsageError
from polyfuse.families.classic import Average, Laplacian, Maximum
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.fnet import official as official_fnet
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.families.fnet_t import FNetT, FNetTConfig
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet import official as official_smfnet
from polyfuse.families.spec import FusionModel, Provenance
from polyfuse.io.atomic import check_free, write_text
from polyfuse.ops.precision import Precision, best_precision
from polyfuse.weights.store import WeightsInfo, card, load_weights, save_weights

if TYPE_CHECKING:
    import torch

DEFAULT = "fnet.road"
"""What `model="auto"` stands for."""


@dataclass(frozen=True)
class ModelEntry:
    """One line of `list_models`."""

    name: str
    """What `load` takes."""
    family: str
    """Name of the family."""
    summary: str
    """What it does, in one line."""
    weights: str | None = None
    """File name of bundled weights; None for classic methods and bare architectures."""
    needs_weights: bool = False
    """Whether the user has to name a weights file."""


@dataclass(frozen=True)
class _Family:
    """How to build one family."""

    build: Callable[[dict[str, Any]], FusionModel]
    source: str


FAMILIES = {
    "average": _Family(lambda config: Average(), "pixel mean"),
    "maximum": _Family(lambda config: Maximum(), "pixel maximum"),
    "laplacian": _Family(lambda config: Laplacian(), "Burt and Adelson 1983"),
    "fnet": _Family(lambda config: FNet(FNetConfig.from_json(config)), "arXiv 2411.04519"),
    "fnet-t": _Family(lambda config: FNetT(FNetTConfig.from_json(config)), "a student of FNet"),
    "smfnet": _Family(lambda config: SMFNet(SMFNetConfig.from_json(config)), "the SMFNet paper"),
    "daefuse": _Family(lambda config: DAEFuse(DAEFuseConfig.from_json(config)), "arXiv 2409.10080"),
}

CLASSIC = (
    ModelEntry("average", "average", "mean of both pictures"),
    ModelEntry("maximum", "maximum", "larger of both pictures, pixel by pixel"),
    ModelEntry("laplacian", "laplacian", "Laplacian pyramid, larger detail wins"),
)
ARCHITECTURES = (
    ModelEntry("fnet", "fnet", "interpretable l0 sparse coding, with --weights FILE", needs_weights=True),
    ModelEntry("fnet-t", "fnet-t", "real time on a CPU, a student of fnet, with --weights FILE", needs_weights=True),
    ModelEntry("smfnet", "smfnet", "base, detail and graph features, with --weights FILE", needs_weights=True),
    ModelEntry(
        "daefuse", "daefuse", "adversarial autoencoder, also for clips, with --weights FILE", needs_weights=True
    ),
)


@cache
def _manifest() -> dict[str, dict[str, Any]]:
    """Bundled weights by registry name: file, sha256, size, summary."""
    text = resources.files("polyfuse.weights").joinpath("manifest.json").read_text(encoding="utf-8")
    return cast(dict[str, dict[str, Any]], json.loads(text)["weights"])


def list_models() -> list[ModelEntry]:
    """Every model this installation knows, bundled weights first.

    >>> "laplacian" in {entry.name for entry in list_models()}
    True
    """
    bundled = [
        ModelEntry(name, facts["family"], facts["summary"], weights=facts["file"])
        for name, facts in sorted(_manifest().items())
    ]
    return [*bundled, *CLASSIC, *ARCHITECTURES]


def read_card(name: str) -> str:
    """The card of bundled weights, Markdown: data, recipe, scores, limits.

    Raises:
        UsageError: If no weights of that name are bundled.
    """
    bundled = _manifest()
    if name not in bundled:
        raise UsageError(f"no weights {name!r} come with polyfuse: there are cards of {', '.join(sorted(bundled))}.")
    return resources.files("polyfuse.weights").joinpath(f"{name}.md").read_text(encoding="utf-8")


def load(
    name: str = "auto",
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    precision: Precision | Literal["auto"] = "float32",
    border: Literal["zeros", "reflect"] | None = None,
) -> FusionModel:
    """Return a ready model.

    Args:
        name: A name from `list_models`, or "auto".
        weights: A polyfuse weights file (safetensors) for an architecture such as "fnet".
        device: Where the model lives: "cpu", "cuda", ...
        precision: Arithmetic of learned models: "float32", "bf16" or, on CUDA, "tf32"; "auto" takes bf16 where the
            processor multiplies it itself.
        border: Borders of FNet; None as the weights were made; other families have no choice.

    Returns:
        An `nn.Module` with `spec` and `provenance`, in evaluation mode and frozen (`requires_grad_(True)` thaws it);
        call it with two (N, 1, H, W) tensors in [0, 1].

    Raises:
        UsageError: If the name is unknown (the nearest names are given) or weights are needed and missing.
        InputError: If the weights file is missing, damaged or made for another family.

    >>> load("average").spec.parameters
    0
    """
    if name == "auto":
        name = _family_of(Path(weights)) if weights is not None else DEFAULT
    entries = {entry.name: entry for entry in list_models()}
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0.4) or sorted(entries)
        raise UsageError(f"there is no model {name!r}: did you mean {', '.join(near)}? `polyfuse models list` has all.")
    entry = entries[name]
    if entry.needs_weights and weights is None:
        raise UsageError(
            f"model {name} needs weights: pass --weights FILE, made by `polyfuse train` or `polyfuse models import`."
        )
    if weights is not None and not entry.needs_weights:
        takers = ", ".join(other.name for other in entries.values() if other.needs_weights)
        raise UsageError(f"model {name} takes no weights file: drop --weights, or use --model {takers}.")
    model = _build(entry, None if weights is None else Path(weights))
    if model.precision is not None:
        model.precision = best_precision() if precision == "auto" else precision
    if isinstance(model, FNet):
        model.config = replace(model.config, border=border or model.config.border)
    elif border is not None:
        raise UsageError(f"model {name} has no choice of borders: drop --border.")
    return _moved(model, device).eval().requires_grad_(False)


def _moved(model: FusionModel, device: str | torch.device) -> FusionModel:
    """Put `model` on `device`."""
    try:
        return model.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"device {device} cannot be used ({reason}): use --device cpu.") from error


def _family_of(path: Path) -> str:
    """Family that a weights file was made for."""
    return load_weights(path)[1].family


def _build(entry: ModelEntry, path: Path | None) -> FusionModel:
    """Build the model of `entry` and fill in its weights, bundled or from `path`."""
    family = FAMILIES[entry.family]
    if entry.weights is not None:
        path = Path(str(resources.files("polyfuse.weights").joinpath(entry.weights)))
    if path is None:
        model = family.build({})
        model.provenance = Provenance(entry.name, source=family.source)
        return model
    expected = _manifest()[entry.name]["sha256"] if entry.weights is not None else None
    tensors, info, digest = load_weights(path, expected_sha256=expected)
    if info.family != entry.family:
        raise InputError(f"{path} holds weights of {info.family}, not of {entry.family}: pass --model {info.family}.")
    try:
        model = family.build(info.config)
    except (UsageError, AttributeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} has a configuration no {info.family} can have ({error}): get a fresh copy."
        ) from error
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip()
        raise InputError(f"{path} does not fit its own configuration ({problem}): get a fresh copy.") from error
    model.provenance = _provenance(info, digest)
    return model


def _provenance(info: WeightsInfo, digest: str) -> Provenance:
    """What `fusion` has to know of a weights file."""
    if info.luma not in ("full", "studio") or info.rendering not in ("safe", "clip", "official"):
        raise InputError(
            f"weights of {info.name} name luma {info.luma!r}, rendering {info.rendering!r}: get a newer polyfuse."
        )
    return Provenance(info.name, info.luma, info.rendering, digest, info.source, info.rounded_a)  # type: ignore[arg-type]


def import_fnet(checkpoint: Path, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Convert the published FNet checkpoint, or one of its layout, to a polyfuse weights file with a card beside it.

    Args:
        checkpoint: A pickled state dictionary of 74 tensors; read as data, it cannot run code.
        out: The safetensors file to write; the card gets the same name with `.md`.
        overwrite: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        InputError: If the checkpoint is not what it should be.
        OutputError: If a file exists or cannot be written.
    """
    tensors, digest = official_fnet.read_checkpoint(checkpoint)
    renamed = official_fnet.from_official(tensors, official_fnet.fnet_key_map())
    model = FNet()
    published = digest == official_fnet.PUBLISHED_SHA256
    info = WeightsInfo(
        name="fnet.official" if published else "fnet.imported",
        family="fnet",
        config=model.config.to_json(),
        luma="studio",
        rendering="official",
        source=f"imported from {checkpoint.name}, SHA-256 {digest}"
        + (", the checkpoint published with arXiv 2411.04519" if published else ""),
        licence="the publishing repository states none: do not redistribute" if published else "not stated",
    )
    return _save_imported(model, renamed, info, checkpoint, out, overwrite=overwrite)


def import_smfnet(checkpoint: Path, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Convert a checkpoint of the published SMFNet program to a polyfuse weights file with a card beside it.

    The tensors that the program keeps but never uses are left out; `export_smfnet` makes new ones.

    Args:
        checkpoint: A pickled dictionary of five state dictionaries, 334 tensors; read as data, it cannot run code.
        out: The safetensors file to write; the card gets the same name with `.md`.
        overwrite: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        InputError: If the checkpoint is not what it should be.
        OutputError: If a file exists or cannot be written.
    """
    tensors, digest = official_smfnet.read_checkpoint(checkpoint)
    renamed, _ = official_smfnet.from_official(tensors)
    model = SMFNet()
    info = WeightsInfo(
        name="smfnet.imported",
        family="smfnet",
        config=model.config.to_json(),
        rendering="clip",
        rounded_a=True,
        source=f"imported from {checkpoint.name}, SHA-256 {digest}",
        licence="not stated",
    )
    return _save_imported(model, renamed, info, checkpoint, out, overwrite=overwrite)


IMPORTERS = {"fnet": import_fnet, "smfnet": import_smfnet}
"""Families whose published checkpoints can be read."""


def _save_imported(
    model: FusionModel, tensors: dict[str, torch.Tensor], info: WeightsInfo, source: Path, out: Path, *, overwrite: bool
) -> list[Path]:
    """Write `tensors` of a checkpoint and their card, once they fit `model`."""
    _check_shapes(model, tensors, source)
    card_path = out.with_suffix(".md")
    check_free(card_path, overwrite=overwrite)
    info = save_weights(out, tensors, info, overwrite=overwrite)
    write_text(card_path, card(info, model.spec.parameters, out.name), overwrite=overwrite)
    return [out, card_path]


def _check_shapes(model: FusionModel, tensors: dict[str, torch.Tensor], source: Path) -> None:
    """Refuse tensors of other shapes than the model's, naming the first."""
    for name, own in model.state_dict().items():
        if name in tensors and tensors[name].shape != own.shape:
            raise InputError(f"{source}: {name} has shape {tuple(tensors[name].shape)}, not {tuple(own.shape)}.")


def export_smfnet(weights: Path, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write polyfuse weights of the published size as a checkpoint that the published SMFNet program can load.

    The tensors that the program keeps but never uses get the values they would start from. Options that are no weights,
    such as how messages are weighed, have no place in a checkpoint: the program uses its own.

    Args:
        weights: A polyfuse weights file of the family "smfnet".
        out: The checkpoint to write.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The file written.

    Raises:
        InputError: If the weights are damaged, of another family or of another size.
        OutputError: If the file exists or cannot be written.
    """
    state = load("smfnet", weights=weights).state_dict()
    _check_shapes(SMFNet(), state, weights)
    official_smfnet.write_checkpoint(out, official_smfnet.to_official(state), overwrite=overwrite)
    return [out]


EXPORTERS = {"smfnet": export_smfnet}
"""Families that can be written in the layout of their published program."""
