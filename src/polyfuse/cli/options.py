"""Options that several verbs share, spelled the same in each, and what they mean to the library.

click hands a command its options as untyped keyword arguments. The first thing a command does is to put them into one
of the frozen classes here (or one of its own), with `taken_from`; everything below the command gets those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import click

from polyfuse.cli.completion import complete_models
from polyfuse.cli.values import PATH, KeyValue, MemorySize
from polyfuse.errors import UsageError

if TYPE_CHECKING:
    from polyfuse.engines.sessions import Engine
    from polyfuse.families.spec import FusionModel
    from polyfuse.fusion import FuseOptions
    from polyfuse.fusion.models import Model

Command = TypeVar("Command", bound=Callable[..., Any])


TORCH = "torch"
EXPORTED = ("onnx", "openvino")
"""Engines that run exported models."""


def stack(command: Command, options: list[Callable[[Any], Any]]) -> Command:
    """Apply option decorators so that help lists them in the order given."""
    for option in reversed(options):
        command = option(command)
    return command


def model_options(command: Command) -> Command:
    """Which model, and where and how it computes."""
    return stack(
        command,
        [
            click.option("--model", default="auto", metavar="NAME", shell_complete=complete_models,
                         help="Model, see `polyfuse models list`; or a FILE.onnx of `polyfuse models export`."),
            click.option("--weights", type=PATH, metavar="FILE", help="Weights file for an architecture such as fnet."),
            click.option("--border", type=click.Choice(["zeros", "reflect"]),
                         help="FNet: as published, or mirrored; unless given, what the weights are for."),
            click.option("--config", type=KeyValue(), multiple=True, metavar="KEY=VALUE",
                         help="Change an option of the model, see `polyfuse models show`; repeat it."),
            click.option("--precision", type=click.Choice(["float32", "bf16", "tf32", "auto"]), default="float32",
                         show_default=True, help="Arithmetic; auto takes bf16 where this machine multiplies it fast."),
            click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, ..."),
            click.option("--threads", type=click.IntRange(1), metavar="N", help="Threads; default is all cores."),
        ],
    )  # fmt: skip


def two_cameras(command: Command) -> Command:
    """How sources of two cameras are brought together."""
    return stack(
        command,
        [
            click.option("--warp", type=PATH, metavar="FILE",
                         help="How A lies on B, a file of `polyfuse align`; of volumes, one of --register."),
            click.option("--frame", type=click.Choice(["a", "b"]), default="b", show_default=True,
                         help="With --warp: source whose size and pixels the result has."),
        ],
    )  # fmt: skip


def mapping_options(command: Command) -> Command:
    """How values of both sources and of the result are mapped, after `--range`."""
    return stack(
        command,
        [
            click.option("--range-b", default="full", metavar="SPEC", show_default=True, help="The same for B."),
            click.option("--polarity", type=click.Choice(["white-hot", "black-hot"]), default="white-hot",
                         show_default=True, help="Whether warm is bright or dark in A."),
            click.option("--swap", is_flag=True, help="Exchange the sources: the first is B, the second A."),
            click.option("--stretch", default="auto", metavar="SPEC", show_default=True,
                         help="Stretch of the result: auto (as published), none, minmax or percentile[:LO,HI]."),
            click.option("--grey", is_flag=True, help="Grey result although a source has colour."),
        ],
    )  # fmt: skip


def colour_source(command: Command) -> Command:
    """Which source gives the colour."""
    return stack(
        command,
        [
            click.option("--colour-from", type=click.Choice(["auto", "a", "b"]), default="auto", show_default=True,
                         help="Source of the colour; auto is B if it has any."),
        ],
    )  # fmt: skip


def size_options(command: Command) -> Command:
    """What is done about sources of different size or view."""
    return stack(
        command,
        [
            click.option("--resize", type=click.Choice(["a", "b"]), help="Resample it to the other one's size."),
            click.option("--resize-anyway", is_flag=True, help="Resize to another aspect ratio too, with distortion."),
            two_cameras,
        ],
    )  # fmt: skip


def picture_options(command: Command) -> Command:
    """How pictures are read, mapped and coloured."""
    return stack(
        command,
        [
            click.option("--range", "range_", default="auto", metavar="SPEC", show_default=True,
                         help="Values of A that become black and white: full, minmax, percentile[:LO,HI] or LO,HI; "
                         "auto is percentile for 16-bit grey, else full; in degrees for radiometric files: 10C,40C."),
            mapping_options,
            click.option("--luma", type=click.Choice(["auto", "full", "studio"]), default="auto", show_default=True,
                         help="Luma range of B; auto follows the weights."),
            click.option("--gamut", type=click.Choice(["auto", "safe", "clip", "official"]), default="auto",
                         show_default=True, help="How colour is put back; auto follows the weights."),
            colour_source,
            click.option("--bit-depth", type=click.Choice(["auto", "same", "8", "16"]), default="auto",
                         show_default=True, help="Depth of the result; same is the deeper source's."),
            size_options,
            click.option("--page", type=click.IntRange(0), default=0, metavar="N", help="Page of a TIFF, from 0."),
            click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Refuse pictures with more pixels."),
            click.option("--strict", is_flag=True, help="Refuse damaged JPEGs, which are filled in otherwise."),
            click.option("--tile", type=click.IntRange(16), metavar="SIZE", help="Work in tiles of this many pixels."),
            click.option("--memory", type=MemorySize(), metavar="SIZE",
                         help="Memory the process may use, e.g. 2GiB; default half of what is free, at most 4GiB."),
        ],
    )  # fmt: skip


def talk_options(command: Command) -> Command:
    """How much the command says."""
    return stack(
        command,
        [
            click.option("--quiet", is_flag=True, help="Nothing on stderr but errors."),
            click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
        ],
    )


def _check_stays(needed: Path | None, results: Iterable[Path], sidecars: bool, what: str) -> None:
    """Refuse a result, or its sidecar, that would replace a file which a run needs.

    Raises:
        OutputError: Naming it, and saying `what` it is.
    """
    if needed is None:
        return
    from polyfuse.fusion.sidecar import sidecar_path
    from polyfuse.io.atomic import check_all_apart

    written = list(results)
    written += [sidecar_path(path) for path in written] if sidecars else []
    check_all_apart(written, [needed], what)


@dataclass(frozen=True)
class Arguments:
    """Some of the options of a command, as named and typed values."""

    @classmethod
    def taken_from(cls, values: Mapping[str, Any]) -> Self:
        """Pick the fields of this class out of the keyword arguments that click gives a command.

        Args:
            values: May hold more than that; what a command has no option for keeps the default of its field.
        """
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


@dataclass(frozen=True)
class ModelArguments(Arguments):
    """What `model_options` asks for."""

    model: str
    weights: Path | None
    border: Literal["zeros", "reflect"] | None
    config: tuple[tuple[str, str], ...]
    device: str
    threads: int | None
    precision: Literal["float32", "bf16", "tf32", "auto"] = "float32"
    engine: str | None = None

    @property
    def is_exported(self) -> bool:
        """Whether the model is a file of `polyfuse models export onnx`."""
        return self.model.lower().endswith(".onnx")

    def __post_init__(self) -> None:
        """Refuse two values for one option of the model, and options that exported models do not have.

        Raises:
            UsageError: Naming both.
        """
        chosen: dict[str, tuple[str, str]] = {} if self.border is None else {"border": ("--border", self.border)}
        for key, value in self.config:
            option, earlier = chosen.setdefault(key, ("--config", value))
            if earlier != value:
                raise UsageError(f"{option} asks for {key} {earlier} and --config for {value}: drop one of them.")
        if self.engine in EXPORTED and not self.is_exported:
            raise UsageError(
                f"--engine {self.engine} runs exported models: `polyfuse models export onnx NAME -o FILE.onnx`, then "
                "--model FILE.onnx."
            )
        fixed = {"--weights": self.weights, "--border or --config": chosen, "--device": self.device != "cpu"}
        given = next((option for option, value in fixed.items() if value), None)
        if self.is_exported and self.engine not in (None, *EXPORTED):
            raise UsageError(f"--engine {self.engine} runs no exported models: name one of `polyfuse models list`.")
        if self.is_exported and given is not None:
            raise UsageError(f"{given} cannot change an exported model: drop it, or export the model so.")

    def check_weights_stay(self, results: Iterable[Path], *, sidecars: bool) -> None:
        """Refuse a result, or its sidecar, that would replace the file of weights.

        Raises:
            OutputError: Naming it.
        """
        _check_stays(self.weights, results, sidecars, "the file of weights and would be replaced")

    def set_threads(self) -> None:
        """Set the number of threads that was asked for."""
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)

    def ready(self, say: Callable[[str], None], *, for_clips: bool = False) -> Model:
        """The model in its engine: for an exported one onnxruntime unless another is asked for, else PyTorch.

        Args:
            say: As for `loader`.
            for_clips: As for `loader`.
        """
        if not self.is_exported:
            return self.load(say, for_clips=for_clips)
        from polyfuse.engines import load_exported

        engine: Engine = "openvino" if self.engine == "openvino" else "onnx"
        precision = None if self.precision == "auto" else self.precision
        return load_exported(self.model, engine, threads=self.threads, precision=precision)

    def loader(self, say: Callable[[str], None], *, for_clips: bool = False) -> partial[FusionModel]:
        """What loads the model of PyTorch, here or in another process.

        Args:
            say: Is told which model was taken where none is named.
            for_clips: Whether that is the one of clips.

        Raises:
            UsageError: If it is an exported one.
        """
        if self.is_exported:
            raise UsageError(f"{self.model} is an exported model, for `polyfuse fuse` and `live`: name another model.")
        from polyfuse import registry

        name = self.model
        if name.lower() == "auto" and self.weights is None:
            name = registry.CLIP_DEFAULT if for_clips else registry.DEFAULT
            say(f"model {name}: the default{' of clips' if for_clips else ''}")
        return partial(
            registry.load,
            name,
            weights=self.weights,
            device=self.device,
            precision=self.precision,
            config=dict(self.config),
            border=self.border,
        )

    def load(self, say: Callable[[str], None], *, for_clips: bool = False) -> FusionModel:
        """Set the number of threads and return the model, ready to run in PyTorch.

        Args:
            say: As for `loader`.
            for_clips: As for `loader`.

        Raises:
            UsageError: If it is an exported one.
        """
        import torch

        self.set_threads()
        model = self.loader(say, for_clips=for_clips)()
        if model.device.type != torch.device(self.device).type:
            say(f"model {model.provenance.name} has no weights that could be moved: it computes on the CPU")
        return model


@dataclass(frozen=True)
class PictureArguments(Arguments):
    """What `picture_options` asks for."""

    range_: str
    range_b: str
    polarity: Literal["white-hot", "black-hot"]
    swap: bool
    stretch: str
    grey: bool
    luma: Literal["auto", "full", "studio"]
    gamut: Literal["auto", "safe", "clip", "official"]
    colour_from: Literal["auto", "a", "b"]
    resize: Literal["a", "b"] | None
    resize_anyway: bool
    page: int
    max_pixels: int | None
    bit_depth: Literal["auto", "same", "8", "16"] = "auto"
    tile: int | None = None
    memory: int | None = None
    strict: bool = False
    warp: Path | None = None
    frame: Literal["a", "b"] = "b"

    def check_warp_stays(self, results: Iterable[Path], *, sidecars: bool) -> None:
        """Refuse a result, or its sidecar, that would replace the warp file.

        Raises:
            OutputError: Naming it.
        """
        _check_stays(self.warp, results, sidecars, "the warp file and would be replaced")

    def fuse_options(self, *, radiometric: bool = False, flow: bool = False) -> FuseOptions:
        """The same for the library.

        Args:
            radiometric: Whether the raw plane of A's file is wanted.
            flow: Whether small shifts that are left are looked for.

        Raises:
            UsageError: If a value has no meaning.
        """
        from polyfuse.fusion import FuseOptions
        from polyfuse.io import DEFAULT_MAX_PIXELS

        return FuseOptions(
            range=self.range_,
            range_b=self.range_b,
            polarity=self.polarity,
            swap=self.swap,
            stretch=self.stretch,
            grey=self.grey,
            luma=self.luma,
            gamut=self.gamut,
            colour_from=self.colour_from,
            bit_depth=self.bit_depth,
            resize=self.resize,
            resize_anyway=self.resize_anyway,
            tile=self.tile,
            memory=self.memory,
            page=self.page,
            max_pixels=DEFAULT_MAX_PIXELS if self.max_pixels is None else self.max_pixels,
            strict=self.strict,
            warp=self.warp,
            frame=self.frame,
            radiometric=radiometric,
            flow=flow,
        )
