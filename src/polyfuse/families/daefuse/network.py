"""DAE-Fuse: a discriminative autoencoder that fuses by cross attention, assembled from its parts.

The infrared I of the paper is our a, the visible V our b. One encoder (by default) and one decoder serve all
modalities:

    s = shallow(x);  e = [high(s); low(s)]                   encode: high and low frequencies, at the picture's size
    phase 1:  x^ = decoder(e)                                reconstruction of each source
    phase 2:  fused = decoder(fusion(e_a, e_b))              cross attention both ways, then the merge gate

The paper says which parts there are, that the high-frequency encoder comes from ResNet18 and the low-frequency one from
a vision transformer, that the sources' embeddings are query, key and value for each other, and that discriminative
blocks work in both phases. It publishes neither code nor sizes: layers, widths and everything marked "ours" are ours.

Exact properties, all tested: a fresh fusion gives the mean of both embeddings; the pictures of a batch do not
influence each other; with `share_directions` swapping the sources changes nothing beyond rounding. An output depends on
the whole picture (attention among patches and to pooled keys), and only training with black pictures makes black give
black (`keep_black` forces it).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from polyfuse.errors import InputError
from polyfuse.families.daefuse.config import DAEFuseConfig, of_source, per_source
from polyfuse.families.daefuse.encoder import Decoder, HighBranch, Shallow
from polyfuse.families.daefuse.frame import Frame
from polyfuse.families.daefuse.fusion import Fusion
from polyfuse.families.daefuse.tokens import LowBranch
from polyfuse.families.spec import check_pair
from polyfuse.ops.black import keep_black
from polyfuse.ops.precision import Precision


class DAEFuseNetwork(nn.Module):
    """The network as plain modules; `DAEFuse` makes it a `FusionModel`.

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

    def fuse(self, a: Tensor, b: Tensor) -> Tensor:
        """The fused picture by the plain modules: what the fast form of `DAEFuse.forward` is tested against.

        Args:
            a: (N, 1, H, W) in [0, 1], any size from 1 x 1.
            b: Same shape.

        Returns:
            (N, 1, H, W) in (0, 1), or [0, 1) with `keep_black`.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        frame = self.frame(a)
        embedding_a, embedding_b = self.encode(frame.pad(a), "a"), self.encode(frame.pad(b), "b")
        return self.finish(frame.crop(self.decode(self.merge(embedding_a, embedding_b))), a, b)

    def reconstruct(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Phase 1: a and b, (N, 1, H, W), reconstructed each from its own embedding; the fusion takes no part.

        Raises:
            InputError: If the shapes differ or are not (N, 1, H, W).
        """
        check_pair(a, b)
        frame = self.frame(a)
        decoded_a = self.decode(self.encode(frame.pad(a), "a"))
        decoded_b = self.decode(self.encode(frame.pad(b), "b"))
        return frame.crop(decoded_a), frame.crop(decoded_b)

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

    def finish(self, fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """With `keep_black`, `fused` set to 0 where both sources are exactly 0; else `fused` itself."""
        return keep_black(fused, a, b) if self.config.keep_black else fused

    def _arithmetic(self, x: Tensor) -> AbstractContextManager[object]:
        """Autocast to bfloat16 for "bf16"; else nothing, so that an autocast around the model stays in force."""
        if self.precision != "bf16":
            return nullcontext()
        return torch.autocast(x.device.type, torch.bfloat16)
