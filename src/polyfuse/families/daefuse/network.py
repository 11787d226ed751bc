"""DAE-Fuse: a discriminative autoencoder that fuses by cross attention, assembled from its parts.

The infrared I of the paper is our a, the visible V our b. One encoder (unless told otherwise) and one decoder serve all
modalities:

    s = shallow(x);  e = [high(s); low(s)]                   encode: high and low frequencies, at the picture's size
    phase 1:  x^ = decoder(e)                                reconstruction of each source
    phase 2:  fused = decoder(fusion(e_a, e_b))              cross attention both ways, then the merge gate

The paper says which parts there are, that the high-frequency encoder comes from ResNet18 and the low-frequency one from
a vision transformer, that the sources' embeddings are query, key and value for each other, and that discriminative
blocks work in both phases. It publishes neither code nor sizes: layers, widths and everything marked "ours" are ours.

Exact properties, all tested: a fresh fusion gives the mean of both embeddings; the pictures of a batch do not touch
each other; with `share_directions` swapping the sources changes nothing beyond rounding. Not so: it reaches over the
whole picture (attention among patches and to pooled keys), and nothing forces black to give black but training with
black pictures (`keep_black` does).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from polyfuse.errors import InputError
from polyfuse.families.daefuse.config import DAEFuseConfig
from polyfuse.families.daefuse.contributions import block_contributions
from polyfuse.families.daefuse.costs import costs
from polyfuse.families.daefuse.decoder import Decoder
from polyfuse.families.daefuse.encoder import HighBranch, Shallow
from polyfuse.families.daefuse.explanation import attention_statistics, explain_pair
from polyfuse.families.daefuse.fast import fuse_planes
from polyfuse.families.daefuse.frame import Frame
from polyfuse.families.daefuse.fusion import Fusion
from polyfuse.families.daefuse.sources import of_source, per_source
from polyfuse.families.daefuse.tokens import LowBranch
from polyfuse.families.spec import FusionModel, ModelSpec, Observer, check_pair
from polyfuse.layers.strips import STRIP_BYTES
from polyfuse.ops.black import keep_black
from polyfuse.ops.precision import Precision, needs_gradients

HALO = 32
"""Half of the pixels over which tiles fade into each other. Source: spec, section 2.2."""
MAPS = 6
"""Maps of C channels at once in full size, in evaluation mode: 3.5 to 6 were measured, by size and precision."""
STRIPS = 50
"""Strips that the memory beside these maps comes to, with some to spare."""


class DAEFuse(FusionModel):
    """The fusion network; discriminators are separate, see `Discriminator`.

    Args:
        config: Configuration; default is the size "base".

    Source: DAE-Fuse paper (arXiv 2409.10080) for the parts and their order.
    """

    precision: Precision = "float32"
    """"bf16" computes convolutions and products in bfloat16, norms and the tokens' sums in float32; "tf32" changes
    nothing here."""

    def __init__(self, config: DAEFuseConfig | None = None) -> None:
        super().__init__()
        self.config = config or DAEFuseConfig()
        shared, branches = self.config.shared_encoder, self.config.branches
        self.shallow = per_source(lambda: Shallow(self.config), shared=shared)
        self.high = per_source(lambda: HighBranch(self.config), shared=shared) if branches != "vit" else None
        self.low = per_source(lambda: LowBranch(self.config), shared=shared) if branches != "cnn" else None
        self.fusion = Fusion(self.config)
        self.decoder = Decoder(self.config)

    @property
    def spec(self) -> ModelSpec:
        """Declared facts of this configuration."""
        value = 2 if self.precision == "bf16" else 4  # bytes
        return ModelSpec(
            family="daefuse",
            parameters=sum(p.numel() for p in self.parameters()),
            macs_per_pixel=sum(self.costs().values()),
            receptive_radius=None,
            halo=HALO,
            blended=True,
            multiple_of=self.config.patch,
            bytes_per_pixel=MAPS * self.config.channels * value,
            fixed_bytes=STRIPS * STRIP_BYTES,
            roles=("infrared or MRI", "visible, CT, PET or SPECT"),
        )

    def costs(self) -> dict[str, int]:
        """Multiply-accumulates per pixel of a pair, by part; see `polyfuse.families.daefuse.costs`."""
        return costs(self)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Fuse a and b, each (N, 1, H, W) in [0, 1], any size from 1 x 1.

        On a CPU, in evaluation mode without gradients, by the fast form, else by the plain modules.

        Returns:
            (N, 1, H, W) in (0, 1), or [0, 1) with `keep_black`.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        if self._wants_plain(a, b):
            return self.fuse(a, b)
        frame = self.frame(a)
        dtype = torch.bfloat16 if self.precision == "bf16" else a.dtype
        with torch.no_grad():
            pairs = zip(frame.pad(a)[:, 0], frame.pad(b)[:, 0], strict=True)
            fused = torch.stack([fuse_planes(self, *pair, dtype) for pair in pairs])
        return self.finish(frame.crop(fused[:, None]), a, b)

    def _wants_plain(self, a: Tensor, b: Tensor) -> bool:
        """Whether there is work that the fast form is not made for."""
        device = a.device.type
        return self.training or device != "cpu" or torch.is_autocast_enabled(device) or needs_gradients(self, a, b)

    def fuse(self, a: Tensor, b: Tensor) -> Tensor:
        """`forward` by the plain modules.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        frame = self.frame(a)
        embedding_a, embedding_b = self.encode(frame.pad(a), "a"), self.encode(frame.pad(b), "b")
        return self.finish(frame.crop(self.decode(self.merge(embedding_a, embedding_b))), a, b)

    def reconstruct(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Phase 1: a and b made again, each from its own embedding; the fusion takes no part.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        frame = self.frame(a)
        found_a = self.decode(self.encode(frame.pad(a), "a"))
        found_b = self.decode(self.encode(frame.pad(b), "b"))
        return frame.crop(found_a), frame.crop(found_b)

    def frame(self, picture: Tensor) -> Frame:
        """How pictures of this size are put into a work size; a margin on all sides outside training only."""
        height, width = picture.shape[-2:]
        return Frame(height, width, self.config.patch, 0 if self.training else self.config.patch)

    def encode(self, picture: Tensor, source: str = "a") -> Tensor:
        """Embedding (N, C, H, W) of (N, 1, H, W): `high_width` channels of details, then `low_width` of base.

        Args:
            picture: At a work size, whose sides are multiples of the patch, see `frame`.
            source: Modality; without effect where one encoder serves all.

        Raises:
            InputError: If a side is no multiple of the patch.
        """
        height, width = picture.shape[-2:]
        if height % self.config.patch or width % self.config.patch:
            raise InputError(f"{height}x{width} is no work size: pad both sides to multiples of {self.config.patch}.")
        with self._arithmetic(picture):
            shallow = of_source(self.shallow, source)(picture)
            branches = (branch for branch in (self.high, self.low) if branch is not None)
            return torch.cat([of_source(branch, source)(shallow) for branch in branches], dim=1)

    def merge(self, embedding_a: Tensor, embedding_b: Tensor) -> Tensor:
        """Embedding of the fused picture from those of a and of b."""
        with self._arithmetic(embedding_a):
            merged: Tensor = self.fusion(embedding_a, embedding_b)
        return merged

    def decode(self, embedding: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 1, H, W) in (0, 1)."""
        with self._arithmetic(embedding):
            decoded: Tensor = self.decoder(embedding)
        return decoded

    @torch.no_grad()
    def attention_statistics(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """How the cross attention works on a pair, as scalars; nothing without cross attention.

        Returns:
            For each source s of "a" and "b", which asks the other: "entropy_s", mean entropy of its probabilities, 1
            where all are uniform; "contribution_s", the norm of what it gets over the norm of its own embedding.
        """
        check_pair(a, b)
        return attention_statistics(self, a, b)

    @torch.no_grad()
    def explain(self, a: Tensor, b: Tensor, observe: Observer | None = None) -> dict[str, Tensor]:
        """Everything the network found, in one plain pass.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.
            observe: Not called: nothing here is too large to keep, all but numbers are (N, 1, H, W).

        Returns:
            For each source s of "a" and "b": "reconstructed_s", decoded from its embedding, and "error_s", that less
            the source; "detail_s" and "base_s", what the decoder makes of the high and of the low frequencies alone,
            less what it makes of nothing, and "remainder_s", what this sum lacks, for the decoder is not linear;
            "band_high_s" and "band_low_s" (N,), shares of energy above 1/16 cycle per pixel in the channels of either
            branch; "received_s", how much s looks at each place of the other source, 1 everywhere where it does not
            choose; "entropy_s", at each pixel of s how undecided it is, 1 where uniform.
            Of the pair: "fused"; "shift_cross" and "shift_merge", by how much at each pixel cross attention and merge
            gate move the embedding away from the mean of both.
            What a branch or the cross attention would give is missing where the network has none.

        Source: spec section 10.
        """
        check_pair(a, b)
        return explain_pair(self, a, b)

    @torch.no_grad()
    def block_contributions(self, a: Tensor, b: Tensor) -> dict[str, Tensor]:
        """Which source each place of the fused picture depends on, in blocks of 16x16 pixels; up to 32 passes.

        Args:
            a: (N, 1, H, W) in [0, 1].
            b: Same shape.

        Returns:
            "weight_s" for each source s of "a" and "b", by how much the fused picture changes around each block where
            s loses the structure of that block, root mean square; "share_a", the weight of a over that of both, 0.5
            where neither counts. All (N, 1, rows, columns), a value for each block.

        Source: spec section 10, see `polyfuse.families.daefuse.contributions`.
        """
        check_pair(a, b)
        return block_contributions(self, a, b)

    def finish(self, fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Keep black black where the configuration says so."""
        return keep_black(fused, a, b) if self.config.keep_black else fused

    def _arithmetic(self, x: Tensor) -> AbstractContextManager[object]:
        """Operands of `precision`; in float32 what surrounds the model decides."""
        if self.precision != "bf16":
            return nullcontext()
        return torch.autocast(x.device.type, torch.bfloat16)
