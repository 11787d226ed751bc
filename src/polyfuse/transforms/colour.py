"""RGB to luma and chroma and exactly back, BT.601, floats in [0, 1]; merging that never leaves the gamut.

Fusion replaces the luma of a picture and keeps its chroma. A new luma may not go with the old chroma: clipping the
channels then changes hue and luma, seen as fringes around lamps and bright bodies. `merge` with gamut "safe" pulls the
chroma toward grey just far enough instead, so luma and hue are exact.

Two conventions: "full" (luma in [0, 1]) and "studio" (luma in [16/255, 235/255], chroma scaled by 224/255), the digital
form the published FNet was trained on. Everything is pointwise and elementwise: a tile gives the bits of the whole.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from polyfuse.errors import InputError, UsageError

LumaConvention = Literal["full", "studio"]
Gamut = Literal["safe", "clip"]
_Planes = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

_KR, _KB = 0.299, 0.114
"""Luma weights of red and blue. Source: ITU-R BT.601-7, section 2.5.1; green has the rest, 0.587."""
_KG = 1.0 - _KR - _KB
_CB_SCALE = 2 * (1 - _KB)
_CR_SCALE = 2 * (1 - _KR)
STUDIO_BLACK, STUDIO_WHITE = 16 / 255, 235 / 255
_STUDIO_LUMA = 219 / 255
_STUDIO_CHROMA = 224 / 255

_OFFICIAL_FORWARD = np.array(
    [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]],
)
_OFFICIAL_FORWARD_OFFSET = np.array([16.0, 128.0, 128.0])
_OFFICIAL_INVERSE = np.array(
    [[0.00456621, 0.0, 0.00625893], [0.00456621, -0.00153632, -0.00318811], [0.00456621, 0.00791071, 0.0]],
)
_OFFICIAL_INVERSE_OFFSET = np.array([-222.921, 135.576, -276.836])

_Planes8 = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
_CHUNK_VALUES = 1 << 16


def luma(rgb: NDArray[Any], convention: LumaConvention = "full") -> NDArray[Any]:
    """Luma of a colour picture.

    full: 0.299 R + 0.587 G + 0.114 B; studio: (16 + 65.481 R + 128.553 G + 24.966 B) / 255.

    Args:
        rgb: (..., 3) floats in [0, 1].
        convention: Which range it fills.

    Returns:
        (...) of the same float type; for a grey pixel in "full" exactly its value.

    Raises:
        InputError: If the array has no three channels or is not of floats.
        UsageError: If the convention is unknown.
    """
    _check(rgb, convention)
    return _scaled_luma(_full_luma(rgb), convention)


def split(rgb: NDArray[Any], convention: LumaConvention = "full") -> _Planes:
    """Luma and chroma of a colour picture.

    full: cb = (B - y) / 1.772, cr = (R - y) / 1.402, both in [-0.5, 0.5]; studio: the same times 224/255. Grey is 0.

    Args:
        rgb: (..., 3) floats in [0, 1].
        convention: Which range luma and chroma fill.

    Returns:
        (y, cb, cr), each (...), of the same float type.

    Raises:
        InputError: If the array has no three channels or is not of floats.
        UsageError: If the convention is unknown.
    """
    _check(rgb, convention)
    y = _full_luma(rgb)
    chroma = _STUDIO_CHROMA if convention == "studio" else 1.0
    cb = (rgb[..., 2] - y) * (chroma / _CB_SCALE)
    cr = (rgb[..., 0] - y) * (chroma / _CR_SCALE)
    return _scaled_luma(y, convention), cb, cr


def merge(
    y: NDArray[Any],
    cb: NDArray[Any],
    cr: NDArray[Any],
    convention: LumaConvention = "full",
    gamut: Gamut = "safe",
) -> NDArray[Any]:
    """Colour picture of a luma and a chroma; the inverse of `split`.

    gamut "safe": luma is clipped to its range, then chroma is multiplied, pixel by pixel, by the largest factor in
    [0, 1] that keeps R, G and B in [0, 1]: the luma of the result is `y`, the hue that of (cb, cr). Where nothing has
    to be pulled in, both settings give the same bits. gamut "clip": each channel is clipped by itself.

    Args:
        y: (...) luma as `split` gives it, floats.
        cb: (...) blue chroma, same shape.
        cr: (...) red chroma, same shape.
        convention: Which range luma and chroma fill.
        gamut: What happens to colours outside [0, 1].

    Returns:
        (..., 3) RGB in [0, 1].

    Raises:
        InputError: If shapes differ or the arrays are not of floats.
        UsageError: If the convention or the gamut is unknown.
    """
    _check_convention(convention)
    if gamut not in ("safe", "clip"):
        raise UsageError(f"gamut {gamut!r} is unknown: use safe or clip")
    if not y.shape == cb.shape == cr.shape:
        raise InputError(f"luma {y.shape} and chroma {cb.shape}, {cr.shape} differ in shape: give planes of one size")
    if {y.dtype.kind, cb.dtype.kind, cr.dtype.kind} != {"f"}:
        raise InputError(f"luma and chroma are {y.dtype}, {cb.dtype}, {cr.dtype}: convert to floats first")
    chroma = _STUDIO_CHROMA if convention == "studio" else 1.0
    if convention == "studio":
        y = (y - STUDIO_BLACK) * (1 / _STUDIO_LUMA)
    if gamut == "safe":
        y = np.clip(y, 0.0, 1.0)
    red = cr * (_CR_SCALE / chroma)
    blue = cb * (_CB_SCALE / chroma)
    # Luma of the three differences is 0, which fixes green.
    green = red * (-_KR / _KG) + blue * (-_KB / _KG)
    if gamut == "safe":
        factor = _chroma_factor(y, red, green, blue)
        red, green, blue = factor * red, factor * green, factor * blue
    rgb = np.stack((y + red, y + green, y + blue), axis=-1)
    return np.clip(rgb, 0.0, 1.0, out=rgb)


def _chroma_factor(y: NDArray[Any], red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any]) -> NDArray[Any]:
    """Largest factor in [0, 1] such that y + factor * difference stays in [0, 1] for each of the three. Source: ours.

    Only the highest and the lowest difference can reach an end first: the factor is (1 - y) / highest or y / -lowest,
    whichever is smaller, and 1 where there is room; room / max(room, need) is exactly 1 there.
    """
    smallest = np.finfo(y.dtype).tiny
    up = np.maximum(np.maximum(red, green), blue)
    down = -np.minimum(np.minimum(red, green), blue)
    room = 1 - y
    factor: NDArray[Any] = room / np.maximum(np.maximum(up, room), smallest)
    np.minimum(factor, y / np.maximum(np.maximum(down, y), smallest), out=factor)
    return factor


def _full_luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """Full-range luma, written so that grey comes out exactly."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    weighted: NDArray[Any] = green + _KR * (red - green) + _KB * (blue - green)
    return weighted


def _scaled_luma(y: NDArray[Any], convention: LumaConvention) -> NDArray[Any]:
    """Full-range luma in the range of a convention."""
    return y if convention == "full" else y * _STUDIO_LUMA + STUDIO_BLACK


def _check(rgb: NDArray[Any], convention: str) -> None:
    """Refuse what is no float RGB picture."""
    _check_convention(convention)
    if rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise InputError(f"an array of shape {rgb.shape} is no RGB picture: the last axis must have 3 channels")
    if rgb.dtype.kind != "f":
        raise InputError(f"an RGB array of {rgb.dtype} has no unit: map it to [0, 1] with to_unit first")


def _check_convention(convention: str) -> None:
    """Refuse an unknown luma convention."""
    if convention not in ("full", "studio"):
        raise UsageError(f"luma convention {convention!r} is unknown: use full or studio")


def split_official8(rgb: NDArray[np.uint8]) -> _Planes8:
    """8-bit studio luma and chroma as the published FNet program computes them, bit for bit.

    For comparing with the published pictures; `split` is the exact conversion.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (Y, Cb, Cr), each (...) uint8; Y in 16 to 235, grey chroma 128.

    Raises:
        InputError: If the array is not of this type and shape.
    Source: the official FNet test program, coefficients as in its colour functions.
    """
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise InputError(f"an array {rgb.shape} of {rgb.dtype} is no 8-bit RGB picture: convert it first")
    y, cb, cr = _convert8(
        [rgb[..., channel] for channel in range(3)], _OFFICIAL_FORWARD / 255, _OFFICIAL_FORWARD_OFFSET
    )
    return y, cb, cr


def merge_official8(y: NDArray[np.uint8], cb: NDArray[np.uint8], cr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Back to RGB as the published FNet program does it: rounded inverse matrix, clipped, rounded half to even.

    Not an exact inverse: red comes back as (254, 0, 0), and a luma above 235 turns white.

    Args:
        y: (...) uint8, anything in 0 to 255.
        cb: (...) uint8.
        cr: (...) uint8.

    Returns:
        (..., 3) uint8.

    Raises:
        InputError: If the planes are not uint8 of one shape.
    Source: the official FNet test program.
    """
    if not (y.shape == cb.shape == cr.shape and y.dtype == cb.dtype == cr.dtype == np.uint8):
        raise InputError(f"planes {y.shape}, {cb.shape}, {cr.shape} are not 8-bit of one size: convert them first")
    return np.stack(_convert8([y, cb, cr], _OFFICIAL_INVERSE * 255, _OFFICIAL_INVERSE_OFFSET), axis=-1)


def _convert8(planes: list[NDArray[Any]], matrix: NDArray[Any], offset: NDArray[Any]) -> list[NDArray[np.uint8]]:
    """Apply a 3x3 matrix and an offset in float64, clip, round half to even; in pieces that stay in cache."""
    shape = planes[0].shape
    flat = [np.ascontiguousarray(plane).reshape(-1) for plane in planes]
    results = [np.empty(flat[0].size, np.uint8) for _ in range(3)]
    for start in range(0, flat[0].size, _CHUNK_VALUES):
        parts = [plane[start : start + _CHUNK_VALUES].astype(np.float64) for plane in flat]
        for result, weights, constant in zip(results, matrix, offset, strict=True):
            mixed = weights[0] * parts[0] + weights[1] * parts[1] + weights[2] * parts[2] + constant
            result[start : start + _CHUNK_VALUES] = np.rint(np.clip(mixed, 0, 255))
    return [result.reshape(shape) for result in results]
