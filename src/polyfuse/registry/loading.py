"""From a model's name to a ready model: `load`, `list_models`, cards, and which one is the default.

A name is `family[-size].domain`, e.g. "fnet.road"; "fnet" alone is the architecture for weights of the user's own.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from polyfuse.errors import InputError, UsageError
from polyfuse.families.spec import FusionModel, Provenance
from polyfuse.io.atomic import check_apart
from polyfuse.io.source import reason
from polyfuse.ops.devices import check_device
from polyfuse.ops.precision import Precision, best_precision
from polyfuse.registry.catalogue import FAMILIES, Family, names_with
from polyfuse.weights.store import WeightsInfo, check_fit, load_weights

if TYPE_CHECKING:
    import torch

    from polyfuse.weights.published import Published

DEFAULT = "pyrfuse.road"
"""The model of pictures, unless one is named."""
CLIP_DEFAULT = "pyrfuse-t.road"
"""The model of clips and running cameras, unless one is named."""
VOLUME_DEFAULT = "pyrfuse.brain"
"""The model of medical volumes, unless one is named."""
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
    # the classic methods first; one whose weights have its own name is there already
    families = sorted(FAMILIES.values(), key=lambda family: family.learned)
    return [*bundled, *(_bare(family) for family in families if family.name not in _manifest())]


def _bare(family: Family) -> ModelEntry:
    """A family by itself: a classic method, or an architecture for weights of the user's own."""
    summary = f"{family.summary}, with --weights FILE" if family.learned else family.summary
    return ModelEntry(family.name, family.name, summary, needs_weights=family.learned)


def read_card(name: str) -> str:
    """The card of bundled weights, Markdown: data, recipe, scores, limits.

    Raises:
        UsageError: If no weights of that name are bundled.
    """
    names = {known.lower(): known for known in _manifest()}
    if name.lower() not in names:
        known = ", ".join(sorted(names.values()))
        raise UsageError(f"no weights {name!r} come with polyfuse: there are cards of {known}.")
    name = names[name.lower()]
    return resources.files("polyfuse.weights").joinpath(f"{name}.md").read_text(encoding="utf-8")


def load(
    name: str = "auto",
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    precision: Precision | Literal["auto"] = "float32",
    config: Mapping[str, Any] | None = None,
    border: Literal["zeros", "reflect"] | None = None,
) -> FusionModel:
    """Return a ready model.

    Args:
        name: A name from `list_models`, or "auto"; case does not matter.
        weights: A polyfuse weights file (safetensors) for an architecture such as "fnet".
        device: Where the model lives: "cpu", "cuda", ...
        precision: Arithmetic of learned models: "float32", "bf16" or, on CUDA, "tf32"; "auto" takes bf16 where the
            processor multiplies it itself.
        config: Options to change, by name; `FusionModel.choices` says which a model has.
        border: The same as `config={"border": ...}`: borders of FNet; None as the weights were made.

    Returns:
        An `nn.Module` with `spec` and `provenance`, in evaluation mode and frozen (`requires_grad_(True)` thaws it);
        call it with two (N, 1, H, W) tensors in [0, 1].

    Raises:
        UsageError: If the name is unknown (the nearest names are given), weights are needed and missing, the device is
            not there, or there is no such precision or the model has no such option.
        InputError: If the weights file is missing, damaged or made for another family.

    >>> load("average").spec.parameters
    0
    """
    if name.lower() == "auto":
        name = _family_of(Path(weights)) if weights is not None else DEFAULT
    check_device(device)
    if precision not in (known := (*get_args(Precision), "auto")):
        raise UsageError(f"there is no precision {precision!r}: use {', '.join(known)}.")
    entries = {entry.name: entry for entry in list_models()}
    name = _known(name, entries)
    entry = entries[name]
    if entry.needs_weights and weights is None:
        raise UsageError(_advice(entry))
    if weights is not None and not entry.needs_weights:
        takers = ", ".join(other.name for other in entries.values() if other.needs_weights)
        raise UsageError(f"model {name} takes no weights file: drop --weights, or use --model {takers}.")
    model = _build(entry, None if weights is None else Path(weights))
    if model.precision is not None:
        model.precision = best_precision() if precision == "auto" else precision
    if border is not None and "border" not in model.choices:
        raise UsageError(f"model {name} has no choice of borders: drop --border.")
    model.reconfigure({**(config or {}), **({} if border is None else {"border": border})})
    return model.to(device).eval().requires_grad_(False)


def _advice(entry: ModelEntry) -> str:
    """What to do about a model that needs weights."""
    facts = published(entry.name)
    if facts is None:
        return (
            f"model {entry.name} needs weights: pass --weights FILE, made by `polyfuse train` or "
            "`polyfuse models import`."
        )
    return (
        f"model {entry.name} needs weights, which do not come with polyfuse: get {facts.label} ({facts.where}), run "
        f"`{facts.command}` and pass --weights {entry.name}.safetensors."
    )


def published(name: str) -> Published | None:
    """What is known of the published checkpoint of a network of other people; None for every other model.

    Args:
        name: Of a family.

    >>> published("densefuse").files
    ('densefuse_gray.model',)
    """
    if name not in names_with("import"):
        return None
    facts: Published | None = getattr(FAMILIES[name].module("official"), "PUBLISHED", None)
    return facts


def _known(name: str, names: Iterable[str]) -> str:
    """The one of `names` that is meant; case does not matter.

    Raises:
        UsageError: If there is none; the nearest are given.
    """
    by_lower = {known.lower(): known for known in names}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.4) or sorted(by_lower)
    words = ", ".join(by_lower[match] for match in near)
    raise UsageError(f"there is no model {name!r}: did you mean {words}? `polyfuse models list` has all.")


def _family_of(path: Path) -> str:
    """Family that a weights file was made for."""
    family = load_weights(path)[1].family
    if family not in FAMILIES:
        raise InputError(f"{path} holds weights of {family[:40]!r}, which is no family here: get a newer polyfuse.")
    return family


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
        _check_tensors(family, info, tensors, path)
        model = family.build(info.config)
    except (UsageError, AttributeError, KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(
            f"{path} has a configuration no {info.family} can have ({reason(error)}): get a fresh copy."
        ) from error
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip()
        raise InputError(f"{path} does not fit its own configuration ({problem}): get a fresh copy.") from error
    model.provenance = _provenance(info, digest)
    return model


def _check_tensors(family: Family, info: WeightsInfo, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Compare the tensors with a network without memory, so that nothing larger than the file is ever built.

    Raises:
        InputError: If they are not those of the configuration.
    """
    import torch

    try:
        with torch.device("meta"):
            shell = family.build(info.config)
    except (NotImplementedError, RuntimeError):  # a family from outside may read values while it is built
        return
    check_fit(shell, tensors, path)


def _provenance(info: WeightsInfo, digest: str) -> Provenance:
    """Origin and picture conventions of a weights file, for `fusion`."""
    if info.luma not in ("full", "studio") or info.rendering not in ("safe", "clip", "official"):
        raise InputError(
            f"weights of {info.name} name luma {info.luma!r}, rendering {info.rendering!r}: get a newer polyfuse."
        )
    return Provenance(
        info.name,
        info.luma,  # type: ignore[arg-type]  # both were looked at
        info.rendering,  # type: ignore[arg-type]
        digest,
        info.source,
        info.rounded_a,
        info.licence,
    )


def import_checkpoint(family: str, checkpoint: Path, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Convert a checkpoint of a family's published program to a polyfuse weights file with a card beside it.

    Args:
        family: One that can import, e.g. "fnet".
        checkpoint: A pickled state dictionary as the program writes it, or the folder of several that make one network;
            read as data, it cannot run code.
        out: The safetensors file to write; the card gets the same name with `.md`.
        overwrite: Whether existing files may be replaced.

    Returns:
        The files written.

    Raises:
        UsageError: If checkpoints of that family cannot be read.
        InputError: If the checkpoint is not what it should be.
        OutputError: If a file exists or cannot be written.
    """
    known = names_with("import")
    if family not in known:
        raise UsageError(f"there is no published checkpoint of {family!r} to import: use {' or '.join(known)}.")
    paths: list[Path] = FAMILIES[family].module("official").import_checkpoint(checkpoint, out, overwrite=overwrite)
    return paths


def export_checkpoint(family: str, weights: Path, out: Path, *, overwrite: bool = False) -> list[Path]:
    """Write polyfuse weights of the published size as a checkpoint that the family's published program can load.

    Options that are no weights, such as how messages are weighed, have no place in a checkpoint: the program uses its
    own.

    Args:
        family: "smfnet".
        weights: A polyfuse weights file of that family.
        out: The checkpoint to write.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The files written.

    Raises:
        UsageError: If weights of that family have no published layout.
        InputError: If the weights are damaged, of another family or of another size.
        OutputError: If the file exists or cannot be written.
    """
    known = names_with("export")
    if family not in known:
        raise UsageError(
            f"weights of {family!r} cannot be exported to a published layout: use {' or '.join(known)}, or "
            "onnx for an ONNX file of any model."
        )
    model, official = load(family, weights=weights), FAMILIES[family].module("official")
    check_apart(out, [weights])
    paths: list[Path] = official.export_checkpoint(model, weights, out, overwrite=overwrite)
    return paths
