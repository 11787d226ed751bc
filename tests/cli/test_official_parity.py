"""The command with the published FNet weights against the pictures of the published program.

Tolerance, from the reference's own README: one grey level in fewer than 0.1 % of the pixels (float32 sums in another
order); in colour one level of luma can become two in R, G or B.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyfuse.io import read_picture

Runner = Callable[..., Any]
SHARE = 1e-3
SOURCES = {
    "tno_gray": ("tno/test/ir/{}.png", "tno/test/vi/{}.png"),
    "mri_ct_gray": ("mri_ct/test/mri/{}.png", "mri_ct/test/ct/{}.png"),
    "roadscene_color": ("roadscene/test/ir/{}.jpg", "roadscene/test/vi/{}.jpg"),
    "mri_pet_color": ("mri_pet/test/mri/{}.png", "mri_pet/test/pet/{}.png"),
    "mri_spect_color": ("mri_spect/test/mri/{}.png", "mri_spect/test/spect/{}.png"),
}
STEMS = {
    "tno_gray": ("07", "06", "08", "10", "19", "20"),
    "mri_ct_gray": ("11", "16", "21", "26"),
    "roadscene_color": ("FLIR_06974", "FLIR_00211", "FLIR_05064", "FLIR_07809"),
    "mri_pet_color": ("11", "21", "31", "41"),
    "mri_spect_color": ("11", "30", "50", "70"),
}
"""The smallest of each set first: it runs by default, the others are slow."""

CASES = [
    pytest.param(name, stem, marks=[] if stem == stems[0] else pytest.mark.slow)
    for name, stems in STEMS.items()
    for stem in stems
]


@pytest.fixture
def official(shared_dir: Path, polyfuse: Runner) -> Path:
    """The published checkpoint, imported through the command."""
    weights = Path("fnet.safetensors")
    assert polyfuse("models", "import", "fnet", shared_dir / "reference/fnet/FNet.pth", "-o", weights).code == 0
    return weights


@pytest.mark.parametrize(("name", "stem"), CASES)
def test_command_gives_the_published_picture(
    name: str, stem: str, shared_dir: Path, polyfuse: Runner, official: Path
) -> None:
    a, b = (shared_dir / "data" / pattern.format(stem) for pattern in SOURCES[name])
    ran = polyfuse("fuse", a, b, "--model", "fnet", "--weights", official)
    assert ran.code == 0
    ours = read_picture("fused.png").array
    theirs = read_picture(shared_dir / f"reference/fnet/{name}/{stem}.png").array
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs)
    if difference.ndim == 3:
        difference = difference.max(axis=2)
    assert difference.max() <= (1 if name.endswith("gray") else 2)
    assert np.count_nonzero(difference) < SHARE * difference.size


def test_published_checkpoint_is_recognised(official: Path) -> None:
    assert "fnet.official" in Path("fnet.md").read_text()
