"""Configuration of SMFNet: sizes, the points in which paper and program differ, and the paper's ablations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from polyfuse.errors import UsageError
from polyfuse.families.spec import OutputMapping, check_fields

Mixing = Literal["dense", "depthwise"]
Messages = Literal["interleaved", "per_neighbour"]

MOST_BLOCKS = 64
"""Largest number of pairs of transformer blocks; the published network has 4."""
NUM_NODES = 3
"""Nodes of each source's graph."""


@dataclass(frozen=True)
class SMFNetConfig:
    """Configuration of SMFNet; the default is the network of the published program.

    Where paper and program differ, the field names the row that says how: spec ambiguities S1 to S30.
    """

    channels: int = 64
    """Width d of every feature. Source: official code."""
    heads: int = 8
    """Heads of every attention; channels / (2 heads) must be whole. Source: official code."""
    base_blocks: int = 2
    """Residual blocks of the base branch. Source: paper."""
    depth: int = 2
    """Pairs of transformer blocks in each residual block. Source: paper."""
    leff_channels: int | None = None
    """Hidden width of the locally enhanced feed-forward layers; None: as wide as `channels`, as published."""
    mixing: Mixing = "dense"
    """3x3 convolution of each second transformer block's attention; "depthwise" saves 55 % of all work (ours)."""
    dilations: tuple[int, int, int] = (4, 8, 16)
    """Dilations of the convolutions that make the three graph nodes, pixels. Source: official code."""
    exchange_rounds: int = 2
    """How often the two sources exchange, with the same gates each time. Source: official code."""
    message_iterations: int = 2
    """Rounds of message passing among the nodes of one source (spec ambiguities S29)."""
    messages: Messages = "interleaved"
    """Edge that weighs a neighbour's message: chosen by the parity of the channel, as in the official code, or the
    neighbour's own, as in the paper (spec ambiguities S6)."""
    train_gradients: bool = True
    """Whether the gradient convolutions learn, starting from Sobel's, or stay Sobel's as in the paper
    (spec ambiguities S14)."""
    scale_limit: float | None = None
    """Largest |rho| of the invertible node, whose scale is exp(rho); None is unbounded as published
    (spec ambiguities S22)."""
    base_residual: bool = True
    """Residual blocks around the transformer blocks; False is ablation 4, the transformer blocks alone."""
    cross_attention: bool = True
    """Cross attention before the invertible node; False is ablation 5."""
    graph: bool = True
    """Graph reasoning; False is ablation 6."""
    swap_fusion: bool = False
    """Base features go through the detail fusion layer and detail features through the base one: ablation 7."""
    output: OutputMapping = "minmax"
    """"minmax" stretches each result over [0, 1], as published; "clip" takes it as it is, the same for all frames
    (spec ambiguities S11)."""
    keep_black: bool = False
    """Set the result to 0 where both sources are exactly 0, for medical pictures (ours)."""

    def __post_init__(self) -> None:
        """Refuse values that describe no network."""
        check_fields(self, base_blocks=64, depth=64, exchange_rounds=64, message_iterations=64)
        if self.base_blocks * self.depth > MOST_BLOCKS:
            raise UsageError(f"base_blocks times depth is {self.base_blocks * self.depth}: use at most {MOST_BLOCKS}.")
        if self.channels < 4 or self.channels % 4 or self.heads < 1 or self.channels % (2 * self.heads):
            raise UsageError(
                f"{self.channels} channels cannot be cut for {self.heads} heads: "
                "use a multiple of 4 and of twice the heads, 64 and 8 as published."
            )
        if min(self.base_blocks, self.depth, self.hidden, *self.dilations) < 1:
            raise UsageError(
                "base_blocks, depth, leff_channels and dilations must be at least 1: use 2, 2, 64, 4 8 16."
            )
        if len(self.dilations) != NUM_NODES:
            raise UsageError(f"there are {len(self.dilations)} dilations: give three, one per graph node.")
        if min(self.exchange_rounds, self.message_iterations) < 0:
            raise UsageError("exchange_rounds and message_iterations must not be negative: use 2 and 2 as published.")
        for name, choices in (("mixing", Mixing), ("messages", Messages), ("output", OutputMapping)):
            if getattr(self, name) not in get_args(choices):
                allowed = " or ".join(map(repr, get_args(choices)))
                raise UsageError(f"{name} cannot be {getattr(self, name)!r}: use {allowed}.")
        if self.scale_limit is not None and self.scale_limit <= 0:
            raise UsageError(f"scale_limit {self.scale_limit} is not positive: use 2, or None for no limit.")

    @property
    def hidden(self) -> int:
        """Hidden width of the locally enhanced feed-forward layers."""
        return self.channels if self.leff_channels is None else self.leff_channels

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary."""
        return {**asdict(self), "dilations": list(self.dilations)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SMFNetConfig:
        """Inverse of `to_json`."""
        return cls(**{**values, "dilations": tuple(values["dilations"])})
