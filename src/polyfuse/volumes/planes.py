"""Slices as pictures: turned as radiologists look at them, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.volumes.volume import Volume

NAMES = {"S": "axial", "I": "axial", "A": "coronal", "P": "coronal", "R": "sagittal", "L": "sagittal"}
"""What slices across an axis are called, by where it points."""
_TURNED = "SAR"
"""Directions along which voxels are counted against the picture: it has superior or anterior at its top, and the
patient's right, or anterior, at its left."""


@dataclass(frozen=True)
class Plane:
    """How slices across an axis lie in pictures; made by `plane_across`."""

    axis: int
    """Across which slices lie."""
    rows: int
    """The axis that runs down the picture."""
    columns: int
    """The axis that runs to its right."""
    turned_rows: bool
    """Whether it runs against the voxels' count."""
    turned_columns: bool
    """The same of columns."""
    name: str
    """"axial", "coronal" or "sagittal"."""

    def picture(self, block: NDArray[Any]) -> NDArray[Any]:
        """A block of one slice, (I, J, K) or (I, J, K, 3) with 1 along the axis, as (H, W) or (H, W, 3)."""
        flat = block.transpose(self.axis, self.rows, self.columns, *range(3, block.ndim))[0]
        return np.ascontiguousarray(flat[self._turns])

    def block(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The block of one slice that `picture` was made of."""
        flat = picture[self._turns][None]
        order = np.argsort((self.axis, self.rows, self.columns))
        return flat.transpose(*order, *range(3, flat.ndim))

    @property
    def _turns(self) -> tuple[slice, slice]:
        """What turns rows and columns round."""
        return slice(None, None, -1 if self.turned_rows else 1), slice(None, None, -1 if self.turned_columns else 1)


def plane_across(volume: Volume, axis: int) -> Plane:
    """How the slices of a volume across an axis are looked at."""
    letters = volume.orientation
    one, two = (other for other in range(3) if other != axis)
    # Superior goes up before anterior does, and anterior before the right.
    rank = {"S": 0, "I": 0, "A": 1, "P": 1, "R": 2, "L": 2}
    rows, columns = (one, two) if rank[letters[one]] < rank[letters[two]] else (two, one)
    return Plane(axis, rows, columns, letters[rows] in _TURNED, letters[columns] in _TURNED, NAMES[letters[axis]])
