"""IFNet: the inverse of FNet, which takes a fused picture apart into its two sources.

A training aid (stage I of FNet), FNet paper equations 12 to 14 and 24; no weights of it are published.

    Z_a = LZSC_a(fused)     a^ = H_a * Z_a
    Z_b = LZSC_b(fused)     b^ = H_b * Z_b
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional

from polyfuse.errors import InputError
from polyfuse.families.fnet.coder import CoderConfig
from polyfuse.ops.coding_forms import code_and_read, fast_form_for
from polyfuse.ops.precision import Precision, needs_plain_form


@dataclass(frozen=True)
class IFNetConfig:
    """Configuration of IFNet; the default follows the paper."""

    coder: CoderConfig = field(default_factory=CoderConfig)
    """Options of the two sparse-coding blocks."""
    shared_readout: bool = False
    """Read both codes with the first read-out, as the official code does; the second then never learns."""


class IFNet(nn.Module):
    """The inverse fusion network.

    Args:
        config: Configuration; default is the paper's.

    Source: FNet paper, equations 12 to 14 and 24.
    """

    precision: Precision = "float32"
    """Arithmetic of the fast forms, as in FNet."""

    def __init__(self, config: IFNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or IFNetConfig()
        coder = self.config.coder
        size = coder.kernel_size
        self.coder_a = coder.build(1)
        self.read_a = nn.Conv2d(coder.channels, 1, size, padding=size // 2, bias=False)
        self.coder_b = coder.build(1)
        self.read_b = nn.Conv2d(coder.channels, 1, size, padding=size // 2, bias=False)
        for conv in (self.read_a, self.read_b):
            nn.init.xavier_uniform_(conv.weight)

    @property
    def _read_b(self) -> nn.Conv2d:
        return self.read_a if self.config.shared_readout else self.read_b  # official: one read-out for both

    def forward(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """Take `fused`, (N, 1, H, W), apart into (a^, b^), each (N, 1, H, W).

        Raises:
            InputError: If `fused` is not (N, 1, H, W).
        """
        if fused.ndim != 4 or fused.shape[1] != 1:
            raise InputError(f"IFNet got a tensor of shape {tuple(fused.shape)}: pass (N, 1, H, W).")
        form = fast_form_for(fused, self.coder_a.steps(), self.precision, training=needs_plain_form(self, fused))
        if form is None:
            return self.forward_plain(fused)
        (a,) = code_and_read(form, fused, self.coder_a.steps(), self.read_a)
        (b,) = code_and_read(form, fused, self.coder_b.steps(), self._read_b)
        return a, b

    def forward_plain(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """The literal transcription, reference of the fast forms."""
        a: Tensor = self.read_a(self.coder_a(fused))
        read_b = self._read_b
        b = functional.conv2d(self.coder_b(fused), read_b.weight, padding=read_b.weight.shape[-1] // 2)
        return a, b
