"""FNet: interpretable fusion by learned l0 convolutional sparse coding.

Panda, Kundu, Bhattacharya, Routray, "l0-Regularized Sparse Coding-based Interpretable Network for Multi-Modal Image
Fusion" (arXiv 2411.04519, IEEE TPAMI). Equations 7 to 11 and 22, 23; the blocks are in `coder.py`.

The paper's first picture I1 with its unique code U is our a (infrared, near-infrared, MRI); the second, I2 with V, is
our b (visible, CT, PET, SPECT). The official program takes them in the same order.

    U = LZSC_u(a)      V = LZSC_v(b)                 features only one picture has
    Z = LZSC_z([a - D_u * U, b - D_v * V])           features common to both
    fused = G_u * U + G_v * V + G_z * Z

Exact properties, all tested: any size from 1 x 1, odd to the bit, zero for zero, shift equivariant 80 pixels away from
every border. It is not symmetric in a and b, and it brightens identical inputs by 4 to 18 percent, because its losses
reward the maximum of both pictures.

Differences from the paper are marked where they stand; the official code counts five thresholded estimates per block
where the paper speaks of four modules.  # official: only this count has the published 420 K parameters
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from polyfuse.errors import UsageError
from polyfuse.families.fnet.coder import CoderConfig, CoderTrace, SparseCoder
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_fields, check_pair
from polyfuse.ops.black import keep_black
from polyfuse.ops.coding_forms import code_and_read, fast_form_for
from polyfuse.ops.padding import reflect_pad
from polyfuse.ops.precision import Precision, needs_plain_form
from polyfuse.ops.recording import is_recording

BYTES_PER_CODE_VALUE = 16  # two codes of float32, bands of a third, row sums and planes: 1003 bytes per pixel measured


@dataclass(frozen=True)
class FNetConfig:
    """Configuration of FNet; the default is the published network."""

    coder: CoderConfig = field(default_factory=CoderConfig)
    """Options of the three sparse-coding blocks."""
    border: Literal["zeros", "reflect"] = "zeros"
    """Zero padding as published, or mirrored pictures, which removes the brighter rim of about 16 pixels (ours)."""
    margin: int = 48
    """Pixels by which "reflect" mirrors the picture on each side. Those beyond 48 change less than 3e-7; beyond 24,
    which costs less, below 5e-4 on noise and 1e-4 on real pictures (`fnet.road`, measured; ours)."""
    keep_black: bool = False
    """Exactly black wherever both sources are, for medical pictures (ours)."""

    def __post_init__(self) -> None:
        """Refuse unknown borders and margins of less than a pixel."""
        check_fields(self)
        if self.border not in ("zeros", "reflect"):
            raise UsageError(f"unknown border {self.border!r}: use 'zeros' or 'reflect'.")
        if self.margin < 1:
            raise UsageError(f"a margin of {self.margin} mirrors nothing: give at least 1, or border 'zeros'.")

    def to_json(self) -> dict[str, Any]:
        """Plain nested dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FNetConfig:
        """Inverse of `to_json`."""
        newer = {name: values[name] for name in ("margin", "keep_black") if name in values}
        return cls(coder=CoderConfig(**values["coder"]), border=values["border"], **newer)


class FNet(FusionModel):
    """The fusion network. Calling it takes the fastest form this machine has; `forward_plain` is the reference.

    Args:
        config: Configuration; default is the published network.

    Source: FNet paper, equations 7 to 11; layer sizes from the official code.
    """

    choices = {"border": ("zeros", "reflect")}  # noqa: RUF012 - a ClassVar in the base class
    precision: Precision = "float32"
    """Arithmetic of the fast forms: "float32", or "bf16" operands with float32 sums and thresholds."""

    def __init__(self, config: FNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or FNetConfig()
        coder = self.config.coder
        self.coder_u = coder.build(1)
        self.explain_u = self._read_out()
        self.coder_v = coder.build(1)
        self.explain_v = self._read_out()
        self.coder_z = coder.build(2)
        self.decode_u = self._read_out()
        self.decode_z = self._read_out()
        self.decode_v = self._read_out()

    def _read_out(self) -> nn.Conv2d:
        """K -> 1 convolution without bias."""
        coder = self.config.coder
        conv = nn.Conv2d(coder.channels, 1, coder.kernel_size, padding=coder.kernel_size // 2, bias=False)
        nn.init.xavier_uniform_(conv.weight)
        return conv

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> FNet:
        """A fresh network of a configuration as weights files hold it."""
        return cls(FNetConfig.from_json(values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        coder = self.config.coder
        reach = coder.kernel_size // 2
        radius = 2 * ((2 * coder.iterations + 1) * reach + reach)
        coders = (self.coder_u, self.coder_v, self.coder_z)
        reads = 5 * coder.channels * coder.kernel_size**2
        return ModelSpec(
            family="fnet",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=sum(block.macs_per_pixel for block in coders) + reads,
            receptive_radius=radius,
            halo=radius,
            bytes_per_pixel=BYTES_PER_CODE_VALUE * coder.channels,
            margin=self.config.margin if self.config.border == "reflect" else 0,
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1].

        Returns:
            (N, 1, H, W), neither clamped nor bounded: values from about -0.3 to 1.8 occur.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        if self.config.border == "reflect":  # ours
            height, width, margin = *a.shape[-2:], self.config.margin
            fused = self._forward_fast(reflect_pad(a, margin), reflect_pad(b, margin))
            fused = fused[..., margin : margin + height, margin : margin + width]
        else:
            fused = self._forward_fast(a, b)
        return keep_black(fused, a, b) if self.config.keep_black else fused

    def _forward_fast(self, a: Tensor, b: Tensor) -> Tensor:
        """`forward_plain` in the fastest form there is for these tensors, or itself where there is none."""
        if is_recording():
            return self.forward_plain(a, b)
        form = fast_form_for(a, self.coder_u.steps(), self.precision, training=needs_plain_form(self, a, b))
        if form is None:
            return self.forward_plain(a, b)
        explained_a, fused_u = code_and_read(form, a, self.coder_u.steps(), self.explain_u, self.decode_u)
        explained_b, fused_v = code_and_read(form, b, self.coder_v.steps(), self.explain_v, self.decode_v)
        residual = torch.cat([a - explained_a, b - explained_b], dim=1)
        (fused_z,) = code_and_read(form, residual, self.coder_z.steps(), self.decode_z)
        return fused_u + fused_z + fused_v

    def forward_plain(self, a: Tensor, b: Tensor) -> Tensor:
        """The literal transcription of the paper with zero borders: the reference every fast form is tested against."""
        code_u = self.coder_u(a)  # eq. (9)
        code_v = self.coder_v(b)
        residual = torch.cat([a - self.explain_u(code_u), b - self.explain_v(code_v)], dim=1)  # eq. (10)
        code_z = self.coder_z(residual)  # eq. (11)
        fused: Tensor = self.decode_u(code_u) + self.decode_z(code_z) + self.decode_v(code_v)
        return fused

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """All intermediate results, from one pass of the literal form.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Called with name and value of every "before_c.k" and "after_c.k", which are then not returned. All
                of them together take 30 K floats per pixel.

        Returns:
            For each code c of "u" (unique to a), "v" (unique to b), "z" (common):
            "code_c" (N, K, H, W); "fused_c" (N, 1, H, W), its share of the fused picture (the three add up to "fused");
            "before_c.k" and "after_c.k", values entering and leaving the threshold of estimate k; "thresholds_c" and
            "momenta_c" (n + 1,). Further "explained_a", "explained_b" (what the unique codes explain of each picture),
            "residual_a", "residual_b" (what is left for the common code) and "fused", all (N, 1, H, W).

        Source: FNet paper, figures 8 to 10.
        """
        check_pair(a, b)
        estimates: dict[str, Tensor] = {}
        note = observe or estimates.__setitem__
        if self.config.border == "reflect":  # ours
            height, width, margin = *a.shape[-2:], self.config.margin

            def crop(value: Tensor) -> Tensor:
                within = (slice(margin, margin + height), slice(margin, margin + width))
                return value[..., *within] if value.ndim == 4 else value

            a, b = reflect_pad(a, margin), reflect_pad(b, margin)
            results = self._explain_plain(a, b, lambda name, value: note(name, crop(value)))
            return {name: crop(value) for name, value in results.items()} | estimates
        return self._explain_plain(a, b, note) | estimates

    def _explain_plain(self, a: Tensor, b: Tensor, note: Observer) -> dict[str, Tensor]:
        """`explain` with zero borders; the estimates go to `note`."""
        results: dict[str, Tensor] = {}
        code_u = self._traced("u", self.coder_u, a, results, note)
        code_v = self._traced("v", self.coder_v, b, results, note)
        results["explained_a"], results["explained_b"] = self.explain_u(code_u), self.explain_v(code_v)
        results["residual_a"], results["residual_b"] = a - results["explained_a"], b - results["explained_b"]
        residual = torch.cat([results["residual_a"], results["residual_b"]], dim=1)
        code_z = self._traced("z", self.coder_z, residual, results, note)
        results["fused_u"], results["fused_z"] = self.decode_u(code_u), self.decode_z(code_z)
        results["fused_v"] = self.decode_v(code_v)
        if self.config.keep_black:
            results |= {name: keep_black(results[name], a, b) for name in ("fused_u", "fused_z", "fused_v")}
        results["fused"] = results["fused_u"] + results["fused_z"] + results["fused_v"]
        return results

    @staticmethod
    def _traced(name: str, coder: SparseCoder, planes: Tensor, results: dict[str, Tensor], note: Observer) -> Tensor:
        """Run one block; its code, thresholds and momenta go to `results`, its estimates to `note`, under `name`."""
        code: Tensor = coder(planes, _NamedTrace(name, note))
        results[f"code_{name}"] = code
        results[f"thresholds_{name}"], results[f"momenta_{name}"] = coder.thresholds(), coder.momenta()
        return code


class _NamedTrace(CoderTrace):
    """Passes the estimates of block `name` on under their documented names and keeps none."""

    def __init__(self, name: str, observe: Observer) -> None:
        super().__init__([], [])
        self._name, self._observe, self._num_seen = name, observe, 0

    def note(self, before: Tensor, after: Tensor) -> None:
        self._observe(f"before_{self._name}.{self._num_seen}", before)
        self._observe(f"after_{self._name}.{self._num_seen}", after)
        self._num_seen += 1
