"""Draw the sheets of the page "What you get": one pair fused by every model in the box, cut out at 100 %.

    python tools/what_you_get.py                              # the drawn scenes, to docs/assets/what-you-get/
    python tools/what_you_get.py --data DATA -o sheets/       # real pairs

Real pictures have no licence that lets them be shown here; the second line makes their sheets out of a folder that has
SET/test/MODALITY, such as tno/test/ir.
A pair that is not there is passed over, with a line. Half a minute a pair.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import polyfuse
from polyfuse.io import read_picture, write_picture
from polyfuse.scenes import SceneConfig, render_scene

OUT = Path(__file__).parents[1] / "docs/assets/what-you-get"
QUALITY = 82
COLUMNS = 5
ROAD = ("pyrfuse.road", "laplacian", "fnet.road", "fnet-t.road", "fnet-t16.road", "smfnet-s.road", "daefuse-t.road",
        "average")  # fmt: skip
BRAIN = ("pyrfuse.brain", "laplacian", "fnet.brain", "smfnet-s.brain", "daefuse-t.brain", "average")
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawn:
    """A drawn scene, and the part of it that is shown: left, top, right, bottom."""

    config: SceneConfig
    part: Box


@dataclass(frozen=True)
class Real:
    """A real pair of DATA, and the part of it that is shown; None for all."""

    folder: str
    modalities: tuple[str, str]
    stem: str
    part: Box | None
    models: tuple[str, ...] = ROAD


DRAWN = {
    "dusk": Drawn(SceneConfig(seed=0, smoke=False, glare=False, daylight=0.4), (200, 200, 440, 380)),
    "night": Drawn(SceneConfig(seed=3, smoke=False, glare=False, daylight=0.0), (200, 180, 440, 360)),
    "smoke": Drawn(SceneConfig(seed=3, kind="yard", smoke=True, glare=False, daylight=1.0), (60, 190, 300, 370)),
    "glare": Drawn(SceneConfig(seed=0, smoke=False, glare=True, daylight=0.1), (160, 190, 400, 370)),
    "mist": Drawn(SceneConfig(seed=11, smoke=False, glare=False, haze=0.8, daylight=0.7), (200, 180, 440, 360)),
    "noise": Drawn(SceneConfig(seed=5, smoke=False, glare=False, daylight=0.1, noise=3.0), (200, 180, 440, 360)),
}
_SCENE = ("ir", "vi")
REAL = {
    "tno-23": Real("tno/test", _SCENE, "23", (80, 290, 400, 500)),
    "tno-02": Real("tno/test", _SCENE, "02", None),
    "tno-11": Real("tno/test", _SCENE, "11", None),
    "roadscene-06430": Real("roadscene/test", _SCENE, "FLIR_06430", (0, 0, 320, 240)),
    "roadscene-04484": Real("roadscene/test", _SCENE, "FLIR_04484", (0, 0, 320, 240)),
    "vifb-carLight": Real("vifb/test", _SCENE, "carLight", None),
    "vifb-elecbike": Real("vifb/test", _SCENE, "elecbike", None),
    "llvip-190003": Real("llvip/test", _SCENE, "190003", (480, 380, 800, 620)),
    "msrs-night": Real("msrs/test", _SCENE, "00016N", (160, 160, 480, 400)),
    "nirscene": Real("nirscene/test", ("nir", "vi"), "205", (300, 200, 620, 440)),
    "mri-pet-20": Real("mri_pet/test", ("mri", "pet"), "20", None, BRAIN),
    "mri-spect-55": Real("mri_spect/test", ("mri", "spect"), "55", None, BRAIN),
}


def sheet(a: NDArray[np.uint8], b: NDArray[np.uint8], models: tuple[str, ...], part: Box | None) -> NDArray[np.uint8]:
    """Both sources and what each model makes of them, cut out and put side by side under their names.

    Args:
        a: (H, W) or (H, W, 3).
        b: Same height and width.
        models: Names of models.
        part: Left, top, right, bottom of what is shown; None for all.

    Returns:
        (H', W', 3).
    """
    shown = {"a": a, "b": b} | {name: polyfuse.fuse(a, b, model=name).image for name in models}
    left, top, right, bottom = part or (0, 0, a.shape[1], a.shape[0])
    cells = [_labelled(name, picture[top:bottom, left:right]) for name, picture in shown.items()]
    height, width = cells[0].height, cells[0].width
    rows = -(-len(cells) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * (width + 4) - 4, rows * (height + 4) - 4), "white")
    for index, cell in enumerate(cells):
        page.paste(cell, (index % COLUMNS * (width + 4), index // COLUMNS * (height + 4)))
    return np.asarray(page)


def _labelled(name: str, picture: NDArray[np.uint8]) -> Image.Image:
    """A picture with its name in the corner."""
    image = Image.fromarray(np.ascontiguousarray(picture)).convert("RGB")
    ImageDraw.Draw(image).text((4, 3), name, fill="white", stroke_width=2, stroke_fill="black")
    return image


def main() -> None:
    """Draw the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets: real pairs instead of drawn ones")
    parser.add_argument("-o", "--out", type=Path, default=OUT, help="where to write")
    arguments = parser.parse_args()
    if arguments.data is None:
        for name, drawn in DRAWN.items():
            scene = render_scene(drawn.config)
            page = sheet(scene.thermal.astype(np.uint8), scene.visible.astype(np.uint8), ROAD, drawn.part)
            _write(arguments.out / f"{name}.jpg", page)
        return
    for name, real in REAL.items():
        folder = arguments.data / real.folder
        found = [sorted((folder / modality).glob(f"{real.stem}.*")) for modality in real.modalities]
        if not all(found):
            print(f"{name}: no {real.stem} in {folder}, passed over", flush=True)
            continue
        a, b = (read_picture(paths[0]).array for paths in found)
        _write(arguments.out / f"{name}.jpg", sheet(a, b, real.models, real.part))


def _write(path: Path, page: NDArray[np.uint8]) -> None:
    write_picture(path, page, quality=QUALITY, overwrite=True)
    print(path, flush=True)


if __name__ == "__main__":
    main()
