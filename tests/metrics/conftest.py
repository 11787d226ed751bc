"""Pictures that metric tests share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse.io import read_picture
from polyfuse.io.channels import GREY_NOTE

Trio = tuple[Tensor, Tensor, Tensor]


@cache
def load(path: Path) -> Tensor:
    """A picture with as many channels as its file stores, (1, C, H, W) uint8."""
    picture = read_picture(path)
    pixels = torch.from_numpy(np.atleast_3d(picture.array)).permute(2, 0, 1)[None]
    return pixels.expand(-1, 3, -1, -1) if GREY_NOTE in picture.notes else pixels


@pytest.fixture(scope="session")
def golden_trio(shared_dir: Path) -> Callable[[str, str, str], Trio]:
    """From set, pair and method of a golden row to (fused, a, b)."""
    folder = shared_dir / "reference" / "metrics" / "pictures"
    modalities = {"MRI_CT": "CT", "MRI_PET": "PET", "MRI_SPECT": "SPECT"}

    def find(group: str, pair: str, method: str) -> Trio:
        if group == "vifb":
            files = [f"vifb/{pair}_{part}.jpg" for part in (method, "ir", "vi")]
        elif group in ("tno42", "crop01"):
            files = [f"linfeng_tno/{pair}_{part}.png" for part in (method, "ir", "vi")]
        else:
            suffix = "jpg" if group == "RoadScene" else "png"
            first, second = (modalities[group], "MRI") if group in modalities else ("ir", "vi")
            sources = [f"fnet/{group}_{pair}_{part}.{suffix}" for part in (first, second)]
            files = [f"fnet/{group}_{pair}_{method}.png", *sources]
        fused, a, b = (load(folder / file) for file in files)
        return fused, a, b

    return find


@pytest.fixture(scope="session")
def scene() -> Trio:
    """Two pictures of one made-up scene and their mixture, (1, 1, 176, 181) uint8: large enough for every metric."""
    rows, columns = torch.meshgrid(torch.arange(176.0), torch.arange(181.0), indexing="ij")
    generator = torch.Generator().manual_seed(7)
    noise = torch.rand(2, 176, 181, generator=generator)
    blob = torch.exp(-((rows - 60) ** 2 + (columns - 110) ** 2) / 300)
    a = 40 + 190 * blob + 8 * torch.sin(rows / 9) + 6 * noise[0]
    b = 110 + 60 * torch.sin(columns / 3.1) * torch.cos(rows / 7.3) + 30 * (columns > 90) + 9 * noise[1]
    fused = torch.maximum(a, 0.4 * a + 0.6 * b)
    return tuple(x.round().clamp(0, 255).to(torch.uint8)[None, None] for x in (fused, a, b))  # type: ignore[return-value]
