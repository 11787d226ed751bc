"""Learn the matrix L of MDLatLRR from pictures, and write it as a weights file.

    python tools/learn_mdlatlrr.py DATA/roadscene -o runs/mdlatlrr.safetensors
    python tools/bundle_weights.py runs/mdlatlrr.safetensors "details by low-rank projection, mean base"

Takes the luma of all pairs of the split train, both sources alike, draws patches of 16 x 16 pixels at random places of
random pictures until it has 1,000 smooth and 1,000 detailed ones, and finds their latent low-rank representation with
weight 0.4. A patch is smooth if its standard deviation is below 5 grey levels. Some minutes on one core.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from polyfuse.data.layouts import find_set
from polyfuse.data.pack import luma8
from polyfuse.families.classic.mdlatlrr import SIDE, MDLatLRRConfig
from polyfuse.io import read_picture
from polyfuse.ops.latent_low_rank import latent_low_rank
from polyfuse.weights.store import WeightsInfo, save_weights

WEIGHT = 0.4
"""Of the sparse errors; the paper's lambda, for pictures in [0, 1]."""
SMOOTH = 5 / 255
"""ours: standard deviation below which a patch is smooth."""
PATCHES_A_KIND = 1000


def draw_patches(pictures: Sequence[Tensor], patches_a_kind: int, seed: int) -> Tensor:
    """As many smooth as detailed patches at random places of random pictures.

    Args:
        pictures: Each (H, W) float64 in [0, 1], at least 16 x 16.
        patches_a_kind: How many of either kind; goes on until it has them.
        seed: Of the places.

    Returns:
        (256, 2 * patches_a_kind) float64, smooth ones first; a patch is a column, row by row.
    """
    draw = torch.Generator().manual_seed(seed)

    def below(end: int) -> int:
        return int(torch.randint(end, (), generator=draw))

    kinds: tuple[list[Tensor], list[Tensor]] = ([], [])
    while min(map(len, kinds)) < patches_a_kind:
        picture = pictures[below(len(pictures))]
        row, column = (below(length - SIDE + 1) for length in picture.shape)
        patch = picture[row : row + SIDE, column : column + SIDE].flatten()
        kind = kinds[int(patch.std() >= SMOOTH)]
        if len(kind) < patches_a_kind:
            kind.append(patch)
    return torch.stack([*kinds[0], *kinds[1]], dim=1)


def main() -> None:
    """Read, draw, solve, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a data set with a split train, e.g. train/ir and train/vi")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the weights file to write")
    parser.add_argument("--seed", type=int, default=0, help="of the places of the patches")
    args = parser.parse_args()
    found = find_set(args.folder, "train")
    paths = [path for pair in found.pairs for path in (pair.a, pair.b)]
    pictures = [torch.from_numpy(luma8(read_picture(path), "full")).double() / 255 for path in paths]
    patches = draw_patches(pictures, PATCHES_A_KIND, args.seed)
    representation = latent_low_rank(patches, WEIGHT)
    source = (
        f"latent low-rank representation, weight {WEIGHT}, of {PATCHES_A_KIND} smooth and {PATCHES_A_KIND} detailed "
        f"patches of {found.name}/{found.split} ({len(found.pairs)} pairs), seed {args.seed}; "
        "method of Li, Wu and Kittler 2020, arXiv 1811.02291"
    )
    info = WeightsInfo("mdlatlrr", "mdlatlrr", MDLatLRRConfig().to_json(), source=source)
    save_weights(args.out, {"projection": representation.projection.float()}, info)
    print(f"{args.out}: {representation.num_steps} steps, largest error {representation.errors.abs().max():.4f}")


if __name__ == "__main__":
    main()
