"""The base installation: no OpenCV, no imagecodecs. In processes of their own, as both libraries bind at import."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)

# Tries every file named after it, writes what came out, and two files of its own.
SCRIPT = """
import sys
sys.modules["cv2"] = sys.modules["imagecodecs"] = None
import numpy as np
from polyfuse.errors import PolyfuseError
from polyfuse.io import read_picture, write_picture
for path in sys.argv[2:]:
    try:
        array = read_picture(path).array
        print(array.dtype, array.shape, int(array.astype("u8").sum()))
    except PolyfuseError as error:
        print(type(error).__name__, error)
folder = sys.argv[1]
ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
for name, array in (("grey.tif", ramp), ("rgb.tif", np.dstack([ramp] * 2 + [ramp.T])), ("f.tif", ramp.astype("f4"))):
    back = read_picture(write_picture(f"{folder}/{name}", array)).array
    print(bool((back == array).all()), back.dtype)
try:
    write_picture(f"{folder}/rgb.png", np.dstack([ramp] * 3))
except PolyfuseError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, make_png: Callable[..., bytes]) -> list[str]:
    folder = tmp_path_factory.mktemp("bare")
    (folder / "colour16.png").write_bytes(make_png(np.dstack([RAMP, RAMP.T, RAMP])))
    (folder / "grey16.png").write_bytes(make_png(RAMP))
    Image.fromarray((RAMP >> 8).astype(np.uint8)).save(folder / "lzw.tif", compression="tiff_lzw")
    Image.fromarray(RAMP).save(folder / "lzw16.tif", compression="tiff_lzw")
    names = ["colour16.png", "grey16.png", "lzw.tif", "lzw16.tif"]
    command = [sys.executable, "-c", SCRIPT, str(folder), *(str(folder / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_16_bit_colour_png_names_the_extra(answers: list[str]) -> None:
    assert answers[0].startswith("DependencyError")
    assert 'pip install "polyfuse[imaging]"' in answers[0]


def test_16_bit_grey_png_needs_no_extra(answers: list[str]) -> None:
    assert answers[1] == f"uint16 (256, 256) {int(RAMP.astype(np.uint64).sum())}"


def test_lzw_tiff_is_read_through_pillow(answers: list[str]) -> None:
    assert answers[2] == f"uint8 (256, 256) {int((RAMP >> 8).sum(dtype=np.uint64))}"


def test_16_bit_grey_lzw_tiff_keeps_its_levels(answers: list[str]) -> None:
    assert answers[3] == f"uint16 (256, 256) {int(RAMP.astype(np.uint64).sum())}"


def test_tiffs_of_every_depth_are_written_and_read_back(answers: list[str]) -> None:
    assert answers[4:7] == ["True uint16", "True uint16", "True float32"]


def test_writing_16_bit_colour_png_advises_tiff(answers: list[str]) -> None:
    assert answers[7].startswith("DependencyError")
    assert "write .tif, pass --bit-depth 8" in answers[7]
