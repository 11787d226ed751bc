"""Sparse codes that are planted, then recovered: does FNet's l0 block find them better than its l1 twin?

    python benchmarks/planted_codes.py                                    # some minutes of one core
    python benchmarks/planted_codes.py --shrink 0                         # the l0 threshold without its shrinkage
    python benchmarks/planted_codes.py --steps 300 --seeds 1 --density 0.004

A dictionary of K random filters (Gaussian entries, unit length) is drawn once. Codes are drawn on it: each entry of the
K maps is used with a small probability, its magnitude is uniform between 0.5 and 1.5, its sign random. A picture is the
sum of the filtered maps, and noise. Two LZSC blocks of the same size, which differ in their threshold function alone
("sigmoidal", FNet's l0, and "soft", the l1 of ablation AE2), begin with the same weights, see the same pictures in the
same order, and learn to give back the codes: squared error over the energy of the codes, Adam, a rate that falls as a
cosine. They begin as the iteration that they are unrolled from, with the dictionary known, W_k = Q_k = 0.2 D^T and
P_k = D; with --start xavier at random, as FNet does. Then both code pictures that neither has seen:

    nonzero F1   of the entries above 0.001 in magnitude (below it is the "null" of `polyfuse explain`) as a guess of
                 the planted ones: the support as the theory means it
    support F1   of those above half of the smallest magnitude that is planted
    best F1      of those above the bound that suits each block best, chosen on other pictures
    bias         mean of (|recovered| - |planted|) over |planted|, on planted entries that are found with their sign;
                 0 is unbiased, below 0 is shrunk. Of the large ones (from 1 up) also alone
    error        root mean square of the code's error over that of the code

The theory says that the l0 threshold leaves large entries as they are while the l1 threshold takes the threshold off
each, and that it finds the support better. What is learned around the threshold may make up for either.

Prints each number as mean and standard deviation over the seeds (of weights, pictures and dictionary), and l0 - l1 with
its standard error, paired by seed.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.families.fnet.coder import LZSC, CoderConfig
from polyfuse.ops.threshold import SHRINK, ThresholdKind

SMALLEST, LARGEST, LARGE = 0.5, 1.5, 1.0
NULL = 1e-3
GAIN = 0.2
KINDS: dict[str, ThresholdKind] = {"l0 (sigmoidal)": "sigmoidal", "l1 (soft)": "soft"}
BOUNDS = torch.linspace(0.01, 1.0, 100).tolist()


@dataclass(frozen=True)
class Setting:
    """What is planted, and how it is learned."""

    atoms: int
    size: int
    density: float
    noise: float
    side: int
    batch: int
    steps: int
    rate: float
    start: str
    shrink: float


def draw_dictionary(setting: Setting, generator: torch.Generator) -> Tensor:
    """Random filters of unit length, (1, K, size, size)."""
    filters = torch.randn(1, setting.atoms, setting.size, setting.size, generator=generator)
    return filters / filters.flatten(2).norm(dim=2)[..., None, None]


def plant(setting: Setting, dictionary: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, side, side) and the codes (N, K, side, side) that they are made of."""
    shape = (count, setting.atoms, setting.side, setting.side)
    is_used = torch.rand(shape, generator=generator) < setting.density
    magnitude = SMALLEST + (LARGEST - SMALLEST) * torch.rand(shape, generator=generator)
    sign = torch.randint(0, 2, shape, generator=generator) * 2.0 - 1
    codes = is_used * magnitude * sign
    pictures = functional.conv2d(codes, dictionary, padding=setting.size // 2)
    return pictures + setting.noise * torch.randn(pictures.shape, generator=generator), codes


@torch.no_grad()
def start_from(block: LZSC, dictionary: Tensor) -> None:
    """Make the block the iteration x - gain D^T (D x - y) of this dictionary, momentum and thresholds as they are."""
    transposed = GAIN * dictionary[0, :, None].flip(2, 3)
    for convs, weight in (
        (block.input, transposed),
        (block.down, dictionary),
        (block.up, transposed),
        (block.down_prev, dictionary),
        (block.up_prev, transposed),
    ):
        for conv in convs.values():
            conv.weight.copy_(weight)


def train(kind: ThresholdKind, setting: Setting, dictionary: Tensor, seed: int) -> LZSC:
    """A block that has learned to give back the codes; everything but the threshold is the same for both kinds."""
    torch.manual_seed(seed)
    block = LZSC(
        1, CoderConfig(channels=setting.atoms, kernel_size=setting.size, threshold=kind, shrink=setting.shrink)
    )
    if setting.start == "dictionary":
        start_from(block, dictionary)
    optimiser = torch.optim.Adam(block.parameters(), setting.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, setting.steps, setting.rate / 100)
    generator = torch.Generator().manual_seed(1000 + seed)
    for _ in range(setting.steps):
        pictures, codes = plant(setting, dictionary, setting.batch, generator)
        loss = (block(pictures) - codes).square().sum() / codes.square().sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(block.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return block.eval()


def support_f1(recovered: Tensor, planted: Tensor, bound: float) -> float:
    """F1 of the entries above `bound` as a guess of the planted ones."""
    guessed, true = recovered.abs() > bound, planted != 0
    hits = float((guessed & true).sum())
    return 2 * hits / max(float(guessed.sum() + true.sum()), 1.0)


def bias(recovered: Tensor, planted: Tensor, smallest: float) -> float:
    """Mean relative error in magnitude of the planted entries from `smallest` up that are found with their sign."""
    magnitude = planted.abs()
    is_found = (magnitude >= smallest) & (recovered * planted.sign() > SMALLEST / 2)
    return float(((recovered.abs() - magnitude) / magnitude)[is_found].mean())


@torch.no_grad()
def measure(block: LZSC, setting: Setting, dictionary: Tensor, seed: int) -> dict[str, float]:
    """All numbers of a trained block, on pictures that it has not seen."""
    tuning, held_out = (torch.Generator().manual_seed(start + seed) for start in (2000, 3000))
    pictures, planted = plant(setting, dictionary, 16, tuning)
    recovered = block(pictures)
    best = max(BOUNDS, key=lambda bound: support_f1(recovered, planted, bound))
    pictures, planted = plant(setting, dictionary, 64, held_out)
    recovered = block(pictures)
    error = (recovered - planted).square().sum() / planted.square().sum()
    return {
        "nonzero F1": support_f1(recovered, planted, NULL),
        "support F1": support_f1(recovered, planted, SMALLEST / 2),
        "best F1": support_f1(recovered, planted, best),
        "its bound": best,
        "bias": bias(recovered, planted, SMALLEST),
        "bias, large": bias(recovered, planted, LARGE),
        "error": float(error.sqrt()),
        "last threshold": float(block.thresholds()[-1]),
    }


def lines(results: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """The table: a line per number, both blocks and their difference."""
    first, second = results
    yield f"{'':24}{first:>20}{second:>20}{'difference':>22}"
    for name in results[first][0]:
        ours, theirs = ([numbers[name] for numbers in results[kind]] for kind in (first, second))
        gaps = [x - y for x, y in zip(ours, theirs, strict=True)]
        cells = (_spread(ours), _spread(theirs), _spread(gaps, sign="+", error=True))
        yield f"{name:24}{cells[0]:>20}{cells[1]:>20}{cells[2]:>22}"


def _spread(values: list[float], *, sign: str = "", error: bool = False) -> str:
    """Mean and standard deviation, or standard error."""
    if len(values) < 2:
        return f"{values[0]:{sign}.4f}"
    spread = statistics.stdev(values) / (math.sqrt(len(values)) if error else 1)
    return f"{statistics.mean(values):{sign}.4f}±{spread:.4f}"


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--start", choices=["dictionary", "xavier"], default="dictionary", help="of the weights")
    parser.add_argument("--shrink", type=float, default=SHRINK, help="alpha of the l0 threshold, 0 for none")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--side", type=int, default=32, help="of the pictures, pixels")
    parser.add_argument("--atoms", type=int, default=12, help="filters of the dictionary, and maps of the code")
    parser.add_argument("--size", type=int, default=7, help="of a filter and of the block's convolutions, pixels")
    parser.add_argument("--density", type=float, default=0.002, help="share of entries that are not zero")
    parser.add_argument("--noise", type=float, default=0.05, help="standard deviation")
    values = vars(parser.parse_args())
    seeds = values.pop("seeds")
    setting = Setting(**values)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in KINDS}
    for seed in range(seeds):
        dictionary = draw_dictionary(setting, torch.Generator().manual_seed(seed))
        for name, kind in KINDS.items():
            results[name].append(measure(train(kind, setting, dictionary, seed), setting, dictionary, seed))
    print(f"{setting}, {seeds} seeds, torch {torch.__version__}")
    print("\n".join(lines(results)))


if __name__ == "__main__":
    main()
