"""SMFNet: semantic-aware, multi-guided network for infrared-visible fusion, assembled from its five parts.

The visible luminance V of the paper is our b, the infrared I is our a. One encoder and one decoder serve both.

    S, B, D = encoder(x)                             of either source: shallow, base (shared), detail (its own)
    G_a, G_b = graph(S_a, S_b)                       what each learned from the other
    stage I:   x^ = decoder(D_x + B_x + G_x)         reconstruction of either source
    stage II:  fused = decoder(fuse_detail(D_a + D_b) + fuse_base(B_a + B_b) + graph.join([G_a; G_b]))

Exact properties, all tested: the pictures of a batch do not influence each other in evaluation mode; without the
graph, swapping the sources changes nothing; with gamma = 0 the messages within the graph have no effect. An output
depends on the whole picture (attention is over channels, with statistics of all pixels), flips are not equivariant, and
a black pair need not give black (`keep_black` forces it).

Departures of the program from the paper are marked where they stand. The program's unused tensors exist in its
checkpoints alone, see `polyfuse.families.smfnet.official`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from polyfuse.families.smfnet.config import SMFNetConfig
from polyfuse.families.smfnet.decoder import Decoder, DetailFusion
from polyfuse.families.smfnet.encoder import Encoded, Encoder
from polyfuse.families.smfnet.graph import GraphReasoning
from polyfuse.families.smfnet.transformer import first_block
from polyfuse.families.spec import Observer, check_pair
from polyfuse.ops.black import keep_black


@dataclass(frozen=True, eq=False)
class Features:
    """What both stages of training compare, each (N, d, H, W)."""

    base_a: Tensor
    """B of a; both bases should correlate."""
    base_b: Tensor
    """B of b."""
    detail_a: Tensor
    """D of a; the details should not correlate."""
    detail_b: Tensor
    """D of b."""
    graph_a: Tensor | None
    """G of a; None without the graph."""
    graph_b: Tensor | None
    """G of b."""

    def of(self, source: str) -> Tensor:
        """Sum of the features of source "a" or "b", which the decoder turns into that picture."""
        if source == "a":
            return _added(self.detail_a + self.base_a, self.graph_a)
        return _added(self.detail_b + self.base_b, self.graph_b)


class SMFNetNetwork(nn.Module):
    """The network as plain modules; `SMFNet` makes it a `FusionModel`.

    Args:
        config: Configuration; default is the published network.

    Source: SMFNet paper; details from the official code.
    """

    def __init__(self, config: SMFNetConfig | None = None) -> None:
        super().__init__()
        self.config = config or SMFNetConfig()
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.graph = GraphReasoning(self.config) if self.config.graph else None
        self.fuse_base = first_block(self.config)
        self.fuse_detail = DetailFusion(self.config)

    def fuse(self, a: Tensor, b: Tensor) -> tuple[Tensor, Features]:
        """Stage II: the fused picture, (N, 1, H, W), not stretched, and the features it was made from."""
        check_pair(a, b)
        features = self.features(self.encoder(a), self.encoder(b))
        base, detail, graph = self.branches(features)
        return self.finish(self.decoder(_added(detail + base, graph)), a, b), features

    def reconstruct(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Features]:
        """Stage I: a and b, (N, 1, H, W), reconstructed each from its own features, and these features."""
        check_pair(a, b)
        features = self.features(self.encoder(a), self.encoder(b))
        return self.decoder(features.of("a")), self.decoder(features.of("b")), features

    def features(self, a: Encoded, b: Encoded, observe: Observer | None = None) -> Features:
        """All features of both sources: those of the encoder, and those that the graph makes of its shallow ones."""
        graph = (None, None) if self.graph is None else self.graph(a.shallow, b.shallow, observe)
        return Features(a.base, b.base, a.detail, b.detail, *graph)

    def branches(self, features: Features, observe: Observer | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Summands of the decoder's input: base, detail and graph; `observe` gets "scale" of each coupling."""
        base, detail = features.base_a + features.base_b, features.detail_a + features.detail_b
        if self.config.swap_fusion:
            base, detail = self.fuse_detail(base, observe), self.fuse_base(detail)
        else:
            base, detail = self.fuse_base(base), self.fuse_detail(detail, observe)
        if self.graph is None or features.graph_a is None or features.graph_b is None:
            return base, detail, None
        return base, detail, self.graph.join(torch.cat([features.graph_a, features.graph_b], dim=1))

    def finish(self, fused: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """With `keep_black`, `fused` set to 0 where both sources are exactly 0; else `fused` itself."""
        return keep_black(fused, a, b) if self.config.keep_black else fused


def _added(total: Tensor, graph: Tensor | None) -> Tensor:
    """`total` plus the graph's feature where there is one."""
    return total if graph is None else total + graph
