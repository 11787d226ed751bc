"""A sheet to draw on: matplotlib figures measured in inches from the top left, without any global state."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyfuse.drawing.maps import shown_limit, shown_range
from polyfuse.errors import DependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 100
MINUS = "\N{MINUS SIGN}"
INK, FAINT = "#222222", "#666666"
TITLE, HEADING, CAPTION, SMALL = 19, 15, 12.5, 10.5
"""Font sizes in points."""


def signed(value: float, decimals: int = 3) -> str:
    """A number with its sign, the minus as long as the plus; no sign before zero."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def require_matplotlib() -> None:
    """Refuse early where drawings cannot be made.

    Raises:
        DependencyError: If matplotlib is missing.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise DependencyError('drawing needs matplotlib: pip install "polyfuse[plots]".') from error


def energy_scale(values: NDArray[Any]) -> dict[str, Any]:
    """Colours for an energy map: dark to bright, each step as visible as any other."""
    low, high = shown_range(values)
    return {"cmap": "viridis", "vmin": low, "vmax": high}


def signed_scale(values: NDArray[Any]) -> dict[str, Any]:
    """Colours for a signed map: white at zero, red above, blue below."""
    limit = shown_limit(values)
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def grey_scale(values: NDArray[Any]) -> dict[str, Any]:
    """Colours for a map that is a picture in itself: black to white."""
    low, high = shown_range(values)
    return {"cmap": "gray", "vmin": low, "vmax": high}


def share_scale(values: NDArray[Any]) -> dict[str, Any]:
    """Colours for gates and shares between 0 and 1: as an energy, of another hue."""
    low, high = shown_range(values)
    return {"cmap": "magma", "vmin": low, "vmax": high}


def factor_scale(*factors: NDArray[Any]) -> dict[str, Any]:
    """Colours for positive factors on a logarithmic scale: white at 1, orange above, violet below."""
    from matplotlib.colors import LogNorm

    largest = float(np.exp(shown_limit(*(np.log(values) for values in factors))))
    return {"cmap": "PuOr_r", "norm": LogNorm(1 / largest, largest)}


def side_scale() -> dict[str, Any]:
    """Colours for a's share of what a and b have between them: orange all of a, violet all of b, white half."""
    return {"cmap": "PuOr_r", "vmin": 0.0, "vmax": 1.0}


def light_scale(limit: float) -> dict[str, Any]:
    """Colours for light that is added, -limit to limit: black at zero, to white above as in a picture, blue below."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("light", ["#4da6ff", "black", "white"], N=512)
    return {"cmap": colours, "vmin": -limit, "vmax": limit}


class Canvas:
    """One sheet. Positions and sizes are in inches, from the top left corner.

    Args:
        width: Of the sheet.
        height: Of the sheet.
    """

    def __init__(self, width: float, height: float) -> None:
        require_matplotlib()
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")

    def text(self, left: float, top: float, text: str, size: float = CAPTION, **style: Any) -> None:
        """Write `text` with its upper left corner (or what `style` aligns) there."""
        style = {"color": INK, "ha": "left", "va": "top", "linespacing": 1.35, **style}
        # parse_math: file names may hold dollar signs.
        self.figure.text(left / self.width, 1 - top / self.height, text, fontsize=size, parse_math=False, **style)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Empty axes there."""
        bounds = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(bounds)

    def picture(self, left: float, top: float, width: float, height: float, pixels: NDArray[Any], **scale: Any) -> Any:
        """Show `pixels` as large as fits there, centred; returns what a colour bar can be made for."""
        axes = self.axes(left, top, width, height)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        if pixels.dtype == np.uint8 and pixels.ndim == 2:
            scale = {"cmap": "gray", "vmin": 0, "vmax": 255, **scale}
        return axes.imshow(pixels, **scale)

    def colour_bar(self, shown: Any, left: float, top: float, width: float) -> None:
        """A flat horizontal bar that explains the colours of `shown`."""
        from matplotlib.colors import LogNorm
        from matplotlib.ticker import MaxNLocator

        axes = self.axes(left, top, width, 0.13)
        bar = self.figure.colorbar(shown, cax=axes, orientation="horizontal", ticks=MaxNLocator(5))
        if isinstance(shown.norm, LogNorm):
            largest = np.log(shown.norm.vmax or 1.0)
            ticks = [float(tick) for tick in np.exp(np.linspace(-0.8 * largest, 0.8 * largest, 5))]
            bar.set_ticks(ticks, labels=[f"{tick:.2f}" for tick in ticks])
            bar.minorticks_off()
        bar.outline.set_visible(False)
        axes.tick_params(labelsize=SMALL, length=3, colors=FAINT)

    def png(self) -> bytes:
        """The sheet as the bytes of a PNG file; the same sheet gives the same bytes."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(self.figure)
        content = io.BytesIO()
        with warnings.catch_warnings():
            # A letter of a file name that the font lacks becomes a box, which needs no word on stderr.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            self.figure.savefig(content, format="png", metadata={"Software": None})
        return content.getvalue()


def panel_height(pixels: NDArray[Any], width: float) -> float:
    """Height of a panel `width` wide for pictures like `pixels`, kept between a strip and a portrait."""
    return float(np.clip(width * pixels.shape[0] / pixels.shape[1], 0.35 * width, 1.3 * width))
