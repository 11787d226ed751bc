"""What a service is started with: where it listens, who may ask, its models, and how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from polyfuse.errors import UsageError
from polyfuse.listening.address import LOCAL, is_local

SHORTEST_TOKEN = 16
"""Characters of a token; whoever can ask may guess as often as they like."""


@dataclass(frozen=True)
class Limits:
    """How much the service takes on."""

    queue: int = 16
    """Requests that wait for the one that is worked on; further ones are told to come back."""
    request_bytes: int = 64 << 20
    """Size of a request, pictures and fields together."""
    max_pixels: int = 1 << 26
    """Width times height of a picture, looked at before it is decoded."""
    seconds: float = 60.0
    """For one request, from its first byte to its answer."""
    memory: int | None = None
    """Bytes that fusing may take, as `--memory` of `polyfuse fuse`; None is half of what is free, at most 4 GiB."""

    def __post_init__(self) -> None:
        """Refuse limits that no request could keep.

        Raises:
            UsageError: Naming it.
        """
        if min(self.queue, self.request_bytes, self.max_pixels) < 1 or not 0 < self.seconds < float("inf"):
            raise UsageError("limits of a service are positive numbers: check --queue, --max-request and --timeout.")


@dataclass(frozen=True)
class Settings:
    """All that a service is started with."""

    models: tuple[str, ...] = ("auto",)
    """`NAME`, `NAME=WEIGHTS`, or an exported `FILE.onnx`; the first is taken where a request names none."""
    host: str = LOCAL
    """Address to listen at."""
    port: int = 8000
    """0 for any that is free."""
    token: str | None = field(default=None, repr=False)
    """What requests have to bring; needed where other machines can ask."""
    device: str = "cpu"
    """Where models compute."""
    precision: Literal["float32", "bf16", "tf32", "auto"] = "float32"
    """Arithmetic of the models."""
    engine: Literal["onnx", "openvino"] = "onnx"
    """What runs exported models."""
    threads: int | None = None
    """Threads of PyTorch or of the engine; None leaves their number to it."""
    log_format: Literal["json", "text"] = "json"
    """How the line of a request looks."""
    limits: Limits = Limits()
    """How much it takes on."""

    def __post_init__(self) -> None:
        """Refuse to be open to other machines without a token, and one that can be guessed.

        Raises:
            UsageError: In both cases.
        """
        if self.token is None and not is_local(self.host):
            raise UsageError(
                f"other machines can reach {self.host}: set a token (POLYFUSE_TOKEN, or --token), or drop --host."
            )
        if self.token is not None and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise UsageError(
                f"the token is too short or not of plain characters: take {SHORTEST_TOKEN} or more, such as what "
                "`openssl rand -hex 24` prints."
            )
