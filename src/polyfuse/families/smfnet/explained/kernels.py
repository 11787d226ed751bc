"""Learned gradient kernels against Sobel's, from which they began."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from polyfuse.families.smfnet.detail import SOBEL

if TYPE_CHECKING:
    from polyfuse.families.smfnet.explained.findings import Array


def sobel() -> Array:
    """(2, 3, 3), along x and along y."""
    along_x = np.asarray(SOBEL, np.float32)
    return np.stack([along_x, along_x.T])


def relative_change(kernels: Array) -> Array:
    """Length of the change over the length of Sobel's kernel, (2, d) of (2, d, 3, 3)."""
    began = sobel()[:, None]
    found: Array = np.linalg.norm((kernels - began).reshape(2, -1, 9), axis=-1) / np.linalg.norm(began[0, 0])
    return found
