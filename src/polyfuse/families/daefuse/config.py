"""Configuration of DAE-Fuse: its two sizes, the choices that the paper leaves open, and its ablations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from torch import nn

from polyfuse.errors import UsageError
from polyfuse.families.spec import check_fields

Branches = Literal["both", "cnn", "vit"]
Size = Literal["base", "tiny"]

SOURCES = ("a", "b")
"""Names of the modalities."""
ALL = "all"
"""Name of a part that all modalities share."""
NUM_STAGES = 4
"""Stages of the high-frequency encoder, as in ResNet18."""
_TUPLES = ("high_channels", "disc_channels")
_TINY: dict[str, Any] = {
    "shallow_channels": 16,
    "shallow_blocks": 1,
    "high_channels": (16, 16, 16, 16),
    "high_blocks": 1,
    "high_out": 16,
    "token_channels": 48,
    "depth": 2,
    "token_heads": 3,
    "low_out": 16,
    "cross_heads": 2,
    "cross_grid": 8,
    "decoder_channels": 16,
    "decoder_blocks": 2,
    "disc_channels": (16, 32, 32, 32),
}


@dataclass(frozen=True)
class DAEFuseConfig:
    """Configuration of DAE-Fuse; the default is the size "base".

    No field has a published value: the paper names the parts and gives no sizes. All values are ours.
    """

    shallow_channels: int = 32
    """Width of the shallow encoder."""
    shallow_blocks: int = 2
    """Residual blocks of the shallow encoder."""
    high_channels: tuple[int, ...] = (32, 32, 48, 48)
    """Widths of the four stages of the high-frequency encoder."""
    high_blocks: int = 2
    """Residual blocks of each stage, as in ResNet18."""
    high_out: int = 32
    """Channels of the embedding that carry high frequencies."""
    patch: int = 8
    """Side of a patch of the low-frequency encoder, pixels; the work size is a multiple of it."""
    token_channels: int = 128
    """Size of a token."""
    depth: int = 4
    """Transformer blocks of the low-frequency encoder."""
    token_heads: int = 4
    """Heads of the attention in these blocks."""
    mlp_ratio: int = 2
    """Hidden width of the feed-forward layers in these blocks, in multiples of `token_channels`."""
    low_out: int = 32
    """Channels of the embedding that carry low frequencies."""
    cross_heads: int = 4
    """Heads of the cross attention."""
    cross_grid: int = 16
    """Keys and values of the cross attention are pooled to at most this number of rows and columns."""
    decoder_channels: int = 32
    """Width of the decoder."""
    decoder_blocks: int = 3
    """Residual blocks of the decoder."""
    disc_channels: tuple[int, ...] = (32, 64, 128, 128)
    """Widths of the discriminators, which are no part of the fusion network."""
    shared_encoder: bool = True
    """One encoder for all modalities, or one each; there is always one decoder."""
    dhe_highpass: bool = False
    """Whether the high-frequency encoder sees the shallow feature less its blur, sigma 4 pixels."""
    share_directions: bool = False
    """One cross attention for both directions; fuse(a, b) is then fuse(b, a)."""
    qk_norm: bool = True
    """Queries and keys of unit length times a learned factor; without it the attention stays near uniform."""
    cross_attention: bool = True
    """Cross attention before the merge gate; False is the ablation "no-cross"."""
    branches: Branches = "both"
    """Encoders used: "cnn" lacks the low-frequency one, "vit" the high-frequency one; both are ablations."""
    keep_black: bool = False
    """Set the result to 0 where both sources are exactly 0, for medical pictures."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        check_fields(self, shallow_blocks=64, high_blocks=64, depth=64, decoder_blocks=64, mlp_ratio=64)
        numbers = {name: value for name, value in asdict(self).items() if not isinstance(value, bool | str)}
        for name, value in numbers.items():
            if min(value if name in _TUPLES else (value,), default=0) < 1:
                raise UsageError(f"{name} must be at least 1: correct it, or use DAEFuseConfig.of_size.")
        if len(self.high_channels) != NUM_STAGES:
            raise UsageError(f"high_channels has {len(self.high_channels)} widths: give four, one per stage.")
        if self.token_channels % self.token_heads:
            raise UsageError(f"tokens of {self.token_channels} cannot be cut for {self.token_heads} heads: use 128, 4.")
        if self.channels % self.cross_heads:
            raise UsageError(
                f"{self.channels} embedding channels cannot be cut for {self.cross_heads} heads: "
                "let high_out + low_out be a multiple of cross_heads."
            )
        if self.branches not in get_args(Branches):
            allowed = " or ".join(map(repr, get_args(Branches)))
            raise UsageError(f"branches cannot be {self.branches!r}: use {allowed}.")

    @classmethod
    def of_size(cls, size: Size = "base", **changes: Any) -> DAEFuseConfig:
        """The configuration of a size, with some fields changed.

        Raises:
            UsageError: If there is no such size or field.
        """
        if size not in get_args(Size):
            raise UsageError(f"there is no size {size!r} of DAE-Fuse: use {' or '.join(get_args(Size))}.")
        return cls.from_json({**(_TINY if size == "tiny" else {}), **changes})

    @property
    def channels(self) -> int:
        """Channels of an embedding, whatever branches there are."""
        return self.high_out + self.low_out

    @property
    def high_width(self) -> int:
        """Channels of an embedding that come from the high-frequency encoder."""
        return {"both": self.high_out, "cnn": self.channels, "vit": 0}[self.branches]

    @property
    def low_width(self) -> int:
        """Channels of an embedding that come from the low-frequency encoder."""
        return self.channels - self.high_width

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return {name: list(value) if name in _TUPLES else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DAEFuseConfig:
        """Inverse of `to_json`; fields left out keep their default.

        Raises:
            UsageError: If a field is unknown or impossible.
        """
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            raise UsageError(f"DAE-Fuse has no option {unknown[0]!r}: use {', '.join(cls.__dataclass_fields__)}.")
        fields: dict[str, Any] = {name: tuple(value) if name in _TUPLES else value for name, value in values.items()}
        return cls(**fields)


def per_source(build: Callable[[], nn.Module], *, shared: bool) -> nn.ModuleDict:
    """Build one part for all modalities, named "all", or one for each, named "a" and "b"."""
    return nn.ModuleDict({name: build() for name in ((ALL,) if shared else SOURCES)})


def of_source(parts: nn.ModuleDict, source: str) -> nn.Module:
    """The part that serves `source`."""
    return parts[ALL if ALL in parts else source]
