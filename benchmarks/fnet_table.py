"""FNet's row of the paper's Table I, made again: published weights, our fusion, our metrics, protocol `fnet`.

    polyfuse models import fnet FNet.pth -o fnet.safetensors
    python benchmarks/fnet_table.py fnet.safetensors DATA                 # about 3 minutes on 2 cores
    python benchmarks/fnet_table.py fnet.safetensors DATA --sets mri_pet

DATA holds <set>/test/<modality>/<stem>.<suffix> of the CDDFuse test sets. The paper does not say which run of its
program each set was scored on, so the runs that come close are all made:

    grey         both sources read as grey
    grey, JPEG   the same, saved as JPEG before scoring, as the program does for RoadScene
    colour       the second source through the program's colour mode, grey files included

Prints the paper's number, ours, and * where they agree to the digits printed.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from polyfuse.families.spec import FusionModel
from polyfuse.fusion import FuseOptions, fuse
from polyfuse.io import Picture, find_pairs, read_picture, write_picture
from polyfuse.metrics import score
from polyfuse.registry import load

METRICS = ("MI", "CE", "VIF", "Qabf", "Qcb", "SSIM")
SETS = {
    "tno": ("TNO", "ir", "vi", ("grey", "colour")),
    "roadscene": ("RoadScene", "ir", "vi", ("grey", "grey, JPEG", "colour")),
    "mri_ct": ("CT-MRI", "mri", "ct", ("grey", "colour")),
    "mri_pet": ("PET-MRI", "mri", "pet", ("grey", "colour")),
    "mri_spect": ("SPECT-MRI", "mri", "spect", ("grey", "colour")),
}


def published() -> dict[tuple[str, str], str]:
    """(data set, metric) to FNet's number in Table I, as printed."""
    text = resources.files("polyfuse.evaluation").joinpath("published.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["table"] == "Table I"]
    return {(row["dataset"], row["metric"]): row["value"] for row in rows if row["method"] == "FNet (ours)"}


def fused(a: Picture, b: Picture, model: FusionModel, run: str) -> np.ndarray:
    """The fused picture as the program would save and read it again."""
    if run == "colour":
        colour = b.array if b.array.ndim == 3 else np.repeat(b.array[..., None], 3, axis=2)
        return fuse(a.array, colour, model=model).image
    image = fuse(a.array, b.array, model=model, options=FuseOptions(grey=True)).image
    if run == "grey":
        return image
    with TemporaryDirectory() as folder:
        return read_picture(write_picture(Path(folder) / "fused.jpg", image, quality=95)).array


def tensor(pixels: np.ndarray) -> torch.Tensor:
    """(1, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1)))[None]


def scores(data: Path, name: str, model: FusionModel) -> Iterator[tuple[str, dict[str, float], int]]:
    """Run, means of the six metrics, number of pairs."""
    _, modality_a, modality_b, runs = SETS[name]
    pairs = find_pairs(data / name / "test" / modality_a, data / name / "test" / modality_b)
    pictures = [(read_picture(pair.a), read_picture(pair.b)) for pair in pairs]
    for run in runs:
        rows = [
            score(*map(tensor, (fused(a, b, model, run), a.array, b.array)), metrics=METRICS, protocol="fnet").values
            for a, b in pictures
        ]
        yield run, {metric: float(torch.cat([row[metric] for row in rows]).mean()) for metric in METRICS}, len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the imported published weights")
    parser.add_argument("data", type=Path, help="folder with the test sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    options = parser.parse_args()
    model = load("fnet", weights=options.weights)
    paper = published()
    print(f"{'set, run':<36}" + "".join(f"{metric:>12}" for metric in METRICS))
    for name in options.sets:
        title = SETS[name][0]
        print(f"{title + ', paper':<36}" + "".join(f"{paper[title, metric]:>12}" for metric in METRICS))
        for run, means, count in scores(options.data, name, model):
            cells = [
                f"{means[metric]:.3f}" + ("*" if f"{means[metric]:.2f}" == paper[title, metric] else " ")
                for metric in METRICS
            ]
            print(f"{f'{title}, {run} ({count})':<36}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
