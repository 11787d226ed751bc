"""What DAE-Fuse's two encoders and its cross attention are said to do, as energies per frequency band and entropies.

The paper names a high- and a low-frequency encoder and says that the embeddings attend to each other; it prints no
number of either, so that the comparisons are its words and the bounds are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from torch import Tensor

from polyfuse.drawing.claims import Claim, Measured
from polyfuse.families.daefuse import DAEFuse
from polyfuse.families.daefuse.bands import BANDS, embedding_bands
from polyfuse.families.spec import FusionModel
from polyfuse.ops.frequencies import band_shares

UNDECIDED = 0.97
"""Entropy above which attention is as good as uniform (spec daefuse 7)."""


def measure(model: FusionModel, a: Tensor, b: Tensor) -> dict[str, dict[str, float]]:
    """Energy per band of the sources and of either branch, and entropy of the attention, of a pair (1, 1, H, W)."""
    network = cast(DAEFuse, model)
    measured: dict[str, dict[str, float]] = {}
    for source, picture in (("a", a), ("b", b)):
        shares = {"source": band_shares(picture, BANDS.edges)} | embedding_bands(network, picture, source)
        measured |= {f"{name} {source}": BANDS.named(share[0]) for name, share in shares.items()}
    for name, value in network.attention_statistics(a, b).items():
        kind, _, source = name.partition("_")
        if kind == "entropy":
            measured[f"attention {source}"] = {"entropy": float(value)}
    return measured


def _finer(place: str, other: str) -> Callable[[Measured], float]:
    """By how much the share of energy above the lowest band is larger at `place` than at `other`."""
    lowest = BANDS.names[0]
    return lambda measured: measured[other][lowest] - measured[place][lowest]


def _claims_of(s: str) -> Iterator[Claim]:
    """The claims about source `s`."""
    high, low, source, attention = f"high {s}", f"low {s}", f"source {s}", f"attention {s}"
    paper, ours = "names of the paper's encoders", "names of the paper's encoders; the comparison is ours"
    yield Claim(
        f"detail features of {s} are finer than its base features",
        paper,
        "share above 1/16, high - low",
        _finer(high, low),
        (high, low),
    )
    yield Claim(
        f"detail features of {s} are finer than the picture",
        ours,
        "share above 1/16, high - source",
        _finer(high, source),
        (high, source),
    )
    yield Claim(
        f"base features of {s} are coarser than the picture",
        ours,
        "share above 1/16, source - low",
        _finer(source, low),
        (low, source),
    )
    yield Claim(
        f"the attention of {s} chooses where to look",
        "cross attention of the paper; the bound is ours",
        f"{UNDECIDED} - entropy",
        lambda measured: UNDECIDED - measured[attention]["entropy"],
        (attention,),
    )


CLAIMS = (*_claims_of("a"), *_claims_of("b"))
"""How the work is shared between the encoders, and whether the attention is more than a mean."""
