"""SMFNet as a `FusionModel`: its declared facts, the fast form, tiles, and explanation."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import Any

import torch
from torch import Tensor

from polyfuse.families.smfnet.attention import macs_per_pixel
from polyfuse.families.smfnet.config import SMFNetConfig
from polyfuse.families.smfnet.explanation import explain_pair
from polyfuse.families.smfnet.fast import fuse_window, halo, survey_rounds
from polyfuse.families.smfnet.network import SMFNetNetwork
from polyfuse.families.smfnet.statistics import Matrices, Pending, Survey
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, Windows, check_pair
from polyfuse.layers.strips import STRIP_BYTES
from polyfuse.ops.precision import Precision, needs_plain_form

MAPS = 9
"""Maps of d channels that exist at once in full size, in evaluation mode: 7, the planes, and what wide strips take."""
STRIPS = 50
"""Memory needed beside these maps, in strips, measured with 24 and 64 channels."""


class SMFNet(SMFNetNetwork, FusionModel):
    """The fusion network: modules in the plain form, and `fast` for evaluation without gradients, equal to it.

    Args:
        config: Configuration; default is the published network.

    Source: SMFNet paper; details from the official code.
    """

    precision: Precision = "float32"
    """Arithmetic of evaluation: "bf16" keeps bfloat16 maps, statistics and norms are float32; "tf32" is for CUDA."""

    def __init__(self, config: SMFNetConfig | None = None) -> None:
        super().__init__(config)
        self.matrices: Matrices | None = None

    @classmethod
    def from_configuration(cls, values: dict[str, Any]) -> SMFNet:
        """A fresh network of a configuration as weights files hold it."""
        return cls(SMFNetConfig.from_json(values))

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        value = 2 if self.precision == "bf16" else 4  # bytes
        return ModelSpec(
            family="smfnet",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=sum(self.costs().values()),
            receptive_radius=None,
            halo=halo(self.config),
            surveys=survey_rounds(self.config),
            output=self.config.output,
            bytes_per_pixel=MAPS * self.config.channels * value,
            fixed_bytes=STRIPS * STRIP_BYTES,
            roles=("infrared or MRI", "visible, CT, PET or SPECT"),
        )

    def costs(self) -> dict[str, int]:
        """Multiply-accumulates per output pixel of each part, padding counted."""
        encoder = macs_per_pixel(self.encoder)
        if self.encoder.detail.cross is not None:
            encoder += macs_per_pixel(self.encoder.detail.cross)  # both directions
        costs = {"encoder": 2 * encoder, "decoder": macs_per_pixel(self.decoder)}
        if self.graph is not None:
            costs["graph"] = self.graph.macs_per_pixel + macs_per_pixel(self.graph.join)
        return costs | {"fuse_base": macs_per_pixel(self.fuse_base), "fuse_detail": macs_per_pixel(self.fuse_detail)}

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1 (in training batches of 1 x 1 fail).

        In evaluation mode without gradients by the fast form and with `precision`, else by the plain modules.

        Returns:
            (N, 1, H, W) in (0, 1), or [0, 1) with `keep_black`; not yet stretched.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        if self.training or needs_plain_form(self, a, b):
            return self.fuse(a, b)[0]
        with torch.no_grad(), torch.backends.cudnn.flags(allow_tf32=self.precision == "tf32"):
            fused = [
                fuse_window(self, x, y, self._dtype(a), self.matrices or Matrices())
                for x, y in zip(a[:, 0], b[:, 0], strict=True)
            ]
        return self.finish(torch.stack(fused)[:, None], a, b)

    def _dtype(self, like: Tensor) -> torch.dtype:
        """Type of maps in evaluation."""
        return torch.bfloat16 if self.precision == "bf16" else like.dtype

    @torch.no_grad()
    def surveyed(self, windows: Windows) -> SMFNet:
        """A model of the same weights that has the attention matrices of the whole picture that `windows` goes over.

        It fuses tiles of that picture alone; with `spec.halo` pixels of context they give the same as the whole.
        """
        survey = Survey()
        for _ in range(self.spec.surveys):
            for a, b, inner in windows():
                survey.open_window(inner)
                with suppress(Pending):
                    fuse_window(self, a[0, 0], b[0, 0], self._dtype(a), survey)
            survey.conclude()
        surveyed_model = copy(self)
        surveyed_model.matrices = survey
        return surveyed_model

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """All intermediate results, from one pass of the plain modules.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Not called: nothing here is too large to keep, some 25 maps of d channels in all.

        Returns:
            For each source s of "a" and "b": "shallow_s", "base_s", "detail_s", "graph_s" (N, d, H, W), its features;
            "reconstructed_s" (N, 1, H, W), decoded from them; "scale_s" (N, d / 2, H, W), exp(rho) of the invertible
            node; "exchange_s" (N, rounds, 3, H, W), what each node lets in from the other source; "edge_s" (N,
            iterations, 3, 2, H, W), weights of the messages to each node; "update_s" (N, iterations, 3), mean share of
            a node that its GRU renews; "gamma_s" (1,), weight of the messages.
            For the pair: "fused_base", "fused_detail", "fused_graph" (N, d, H, W), whose sum the decoder gets;
            "fused" (N, 1, H, W); "without_base", "without_detail", "without_graph", the same lacking one of them;
            "correlation_base", "correlation_detail", "correlation_graph" (N,) between the features of a and b (the
            paper wants the first high and the second low); "scale_fused" (N, 2, d, H, W), scales of the couplings,
            of the first half and of the second.
            For each attention at place p, e.g. encoder.shallow.attention: "attention.p" (N, calls, H, c / H, c / H),
            its matrices, a before b and, in cross attention, the first half before the second; "temperature.p" (H,).
            For each gradient block at place p, e.g. fuse_detail.dense: "gradient.p" (2, d, 3, 3), its kernels along x
            and along y, channel by channel.
            Without the graph its entries are missing.

        Source: spec smfnet 11.
        """
        check_pair(a, b)
        return explain_pair(self, a, b)
