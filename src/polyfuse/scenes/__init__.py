"""Synthetic street and yard scenes at dusk, seen by an aligned thermal (a) and visible (b) camera, with ground truth.

Everything is computed: no picture is read. Surfaces carry colour, temperature and emissivity; sky light, lamps and
headlights light them for the visible camera, Planck's law in the band 8-14 um gives what the thermal camera sees.

>>> from polyfuse.scenes import SceneConfig, render_scene
>>> scene = render_scene(SceneConfig(width=96, height=64, seed=1))
>>> scene.thermal.shape, scene.visible.shape
((64, 96), (64, 96, 3))
"""

from .cameras import apply_gain
from .config import LABELS, Box, Scene, SceneConfig
from .scene import render_scene, render_sequence

__all__ = ["LABELS", "Box", "Scene", "SceneConfig", "apply_gain", "render_scene", "render_sequence"]
