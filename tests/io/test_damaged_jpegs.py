"""Damage within the scans of a JPEG is noticed, and no whole JPEG is taken for damaged."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from polyfuse.errors import InputError
from polyfuse.fusion import FuseOptions, fuse
from polyfuse.io import read_picture
from polyfuse.io.damage import DAMAGE_NOTE, _parse, is_damaged

KINDS: tuple[Mapping[str, object], ...] = (
    {},
    {"subsampling": 0},
    {"subsampling": 1},
    {"optimize": True},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 7},
    {"progressive": True},
)
Shape = tuple[int, ...]


def textured(shape: Shape) -> np.ndarray:
    rng = np.random.default_rng(6)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = 128 + 60 * np.sin(columns / 17) + 30 * np.cos(rows / 9)
    values = smooth.reshape(*shape[:2], *(1,) * (len(shape) - 2)) + rng.normal(0, 8, shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, **options: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", **{"quality": 90, **options})
    return buffer.getvalue()


def changed(content: bytes, num_bytes: int, rng: np.random.Generator) -> bytes:
    """A copy with random bytes within its scans."""
    damaged, scan = bytearray(content), _parse(content)
    assert scan is not None
    for position in rng.integers(scan.begin, len(content) - 2, num_bytes):
        damaged[position] = rng.integers(256)
    return bytes(damaged)


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(120, 160, 3), (120, 160), (77, 131, 3), (8, 8), (1, 1, 3)], ids=str)
def test_a_whole_jpeg_is_not_damaged(shape: Shape, options: Mapping[str, object]) -> None:
    for picture in (textured(shape), *(np.full(shape, level, np.uint8) for level in (0, 128, 255))):
        assert not is_damaged(jpeg(picture, **options))


def test_a_jpeg_in_cmyk_or_with_more_behind_its_end_is_not_damaged() -> None:
    buffer = BytesIO()
    Image.fromarray(textured((60, 80, 3))).convert("CMYK").save(buffer, "JPEG")
    assert not is_damaged(buffer.getvalue())
    assert not is_damaged(jpeg(textured((60, 80))) + b"\xff\xd8 a preview")


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(160, 240, 3), (160, 240)], ids=str)
def test_most_jpegs_with_changed_bytes_are_damaged(shape: Shape, options: Mapping[str, object]) -> None:
    rng = np.random.default_rng(7)
    content = jpeg(textured(shape), **options)
    decoded = found = 0
    for _ in range(20):
        damaged = changed(content, 20, rng)
        try:
            Image.open(BytesIO(damaged)).load()
        except OSError:
            continue
        decoded += 1
        found += is_damaged(damaged)
    # Stretches of seven blocks are found again so soon that more of the damage keeps their number.
    assert found >= decoded * (0.1 if "restart_marker_blocks" in options or "restart_marker_rows" in options else 0.7)


def test_damage_is_noted_and_an_error_where_that_is_asked_for(tmp_path: Path) -> None:
    content = jpeg(textured((240, 320, 3)))
    whole, path = tmp_path / "whole.jpg", tmp_path / "damaged.jpg"
    whole.write_bytes(content)
    half = len(content) // 2
    path.write_bytes(content[:half] + content[half + 300 :])
    assert DAMAGE_NOTE not in read_picture(whole, strict=True).notes
    assert DAMAGE_NOTE in read_picture(path).notes
    with pytest.raises(InputError, match="damaged"):
        read_picture(path, strict=True)
    fused = fuse(whole, path, model="maximum")
    assert f"{path}: {DAMAGE_NOTE}" in fused.notes
    with pytest.raises(InputError, match="damaged"):
        fuse(whole, path, model="maximum", options=FuseOptions(strict=True))
