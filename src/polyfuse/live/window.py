"""A window on the screen, by an OpenCV that has windows."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import numpy as np

from polyfuse.errors import DependencyError, OutputError
from polyfuse.live.fusing import VIEWS, LiveFused, View

TITLE = "polyfuse live"
_ELSE = "or pass --web 8080 for a page in the browser, or -o for a file."
_CLOSING_KEYS = (27, ord("q"))


def load_windows() -> Any:
    """The module `cv2`, if it can open windows here.

    Raises:
        DependencyError: If OpenCV is missing or was built without windows.
        OutputError: If there is no screen.
    """
    try:
        import cv2
    except ImportError as error:
        raise DependencyError(f"a window needs OpenCV: pip install opencv-python, {_ELSE}") from error
    toolkit = re.search(r"^ *GUI: *(\S*)", cv2.getBuildInformation(), re.MULTILINE)
    if toolkit is None or toolkit[1].upper() == "NONE":
        raise DependencyError(
            "this OpenCV has no windows (opencv-python-headless): replace it by opencv-python, " + _ELSE
        )
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OutputError(f"there is no screen for a window: start it on a desktop, {_ELSE}")
    return cv2


class Window:
    """Shows frames; 1, 2 and 3 choose fused, a and b, q or Esc ends. `put` may be called from any thread."""

    def __init__(self) -> None:
        self._cv2 = load_windows()
        self._view: View = "fused"
        self._newest: LiveFused | None = None
        self._shown: tuple[LiveFused, View] | None = None
        self.is_open = True
        self.num_dropped = 0

    def put(self, frame: LiveFused) -> None:
        """Make a frame the one that is shown next."""
        self._newest = frame

    def refresh(self) -> None:
        """Show the newest frame and look at the keys; from the main thread alone."""
        frame = self._newest
        if frame is None:
            return
        cv2 = self._cv2
        if self._shown is None:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            height, width = frame.image.shape[:2]
            cv2.resizeWindow(TITLE, width, height)
        if self._shown != (frame, self._view):
            image = frame.view(self._view)
            cv2.imshow(TITLE, image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1]))
            self._shown = (frame, self._view)
        key = cv2.waitKey(1) & 0xFF
        if ord("1") <= key < ord("1") + len(VIEWS):
            self._view = VIEWS[key - ord("1")]
        closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        self.is_open = not (closed or key in _CLOSING_KEYS)

    def close(self) -> None:
        """Close the window."""
        self.is_open = False
        if self._shown is not None:
            self._cv2.destroyAllWindows()
