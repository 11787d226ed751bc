"""Draw the pictures of the home page's gallery again: invented scenes, seen by two cameras and fused.

    python tools/make_gallery.py

Writes docs/assets/gallery/SCENE-PICTURE.jpg and prints, for each scene, how much brighter the people are than what is
around them: the contrast of one person is the mean luma within the drawn outline less the mean luma in a ring of 3 to 8
pixels around it, in grey levels of 255; 0 is a person as bright as the surroundings. Some twenty seconds a scene.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import polyfuse
from polyfuse.io import write_picture
from polyfuse.scenes import Scene, SceneConfig, render_scene

OUT = Path(__file__).parents[1] / "docs/assets/gallery"
QUALITY = 80

SCENES = {
    "dusk": SceneConfig(seed=0, smoke=False, glare=False, daylight=0.4),
    "night": SceneConfig(seed=3, smoke=False, glare=False, daylight=0.0),
    "smoke": SceneConfig(seed=3, kind="yard", smoke=True, glare=False, daylight=1.0),
    "glare": SceneConfig(seed=0, smoke=False, glare=True, daylight=0.1),
}
SHOWN = ("pyrfuse.road", "laplacian")
"""Models whose results are in the gallery."""
MEASURED = (*SHOWN, "fnet.road", "fnet-t.road", "smfnet-s.road", "daefuse-t.road")
"""Models whose contrast of people is printed."""


def contrasts(scene: Scene, picture: NDArray[Any]) -> list[int]:
    """Contrast of each person of whom 100 pixels or more are seen, in grey levels; nearest person last.

    Args:
        scene: The scene with its outlines.
        picture: (H, W) or (H, W, 3), 0 to 255.
    """
    luma = picture @ np.array([0.299, 0.587, 0.114]) if picture.ndim == 3 else picture
    values = []
    for box in scene.boxes:
        person = scene.instances == box.instance
        if box.label == "person" and person.sum() >= 100:
            ring = _grown(person, 8) & ~_grown(person, 2) & (scene.instances == 0)
            values.append(round(float(luma[person].mean() - luma[ring].mean())))
    return values


def _grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Mask with everything within so many steps up, down, left or right."""
    for _ in range(pixels):
        wide = np.pad(mask, 1)
        mask = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return mask


def main() -> None:
    """Draw, fuse, write and measure every scene."""
    models = {name: polyfuse.load(name) for name in MEASURED}
    for name, config in SCENES.items():
        scene = render_scene(config)
        pictures: dict[str, NDArray[Any]] = {"visible": scene.visible, "thermal": scene.thermal}
        for key, model in models.items():
            pictures[key] = polyfuse.fuse(scene.thermal, scene.visible, model=model).image
        for key, picture in pictures.items():
            print(f"{name:6} {key:15} {contrasts(scene, picture)}", flush=True)
            if key not in MEASURED or key in SHOWN:
                write_picture(OUT / f"{name}-{key}.jpg", picture, quality=QUALITY, overwrite=True)


if __name__ == "__main__":
    main()
