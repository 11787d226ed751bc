"""The example in C++ builds and fuses, where the headers of onnxruntime are found."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import polyfuse
from polyfuse import registry
from polyfuse.exporting import export_onnx

HEADER = "onnxruntime_cxx_api.h"


def found_headers() -> Path | None:
    """Folder of the headers: below ONNXRUNTIME_ROOT, or where the system has them."""
    roots = [Path(root) for root in (os.environ.get("ONNXRUNTIME_ROOT"), "/usr", "/usr/local") if root]
    places = [root / folder for root in roots for folder in ("include", "include/onnxruntime")]
    return next((place for place in places if (place / HEADER).is_file()), None)


def found_library() -> Path:
    """The library that comes with the Python package: it serves headers of its own version and of older ones."""
    import onnxruntime

    return next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*"))


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
@pytest.mark.skipif(found_headers() is None, reason="no headers of onnxruntime: set ONNXRUNTIME_ROOT to where they are")
def test_the_example_fuses(repository: Path, tmp_path: Path) -> None:
    library = found_library()
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (tmp_path / name).symlink_to(library)
    headers = found_headers()
    subprocess.run(
        ["g++", "-O1", "-std=c++17", "-Wall", "-Wextra", "-Werror", repository / "examples" / "cpp" / "fuse.cpp",
         f"-I{headers}", f"-L{tmp_path}", "-lonnxruntime", f"-Wl,-rpath,{tmp_path}", "-o", tmp_path / "fuse"],
        check=True,
    )  # fmt: skip
    model = export_onnx(registry.load("laplacian"), tmp_path / "model.onnx", with_colour=True).path
    draw = np.random.default_rng(2)
    a, b = draw.integers(0, 256, (40, 52), np.uint8), draw.integers(0, 256, (40, 52, 3), np.uint8)
    (tmp_path / "a.pgm").write_bytes(b"P5\n# drawn\n52 40\n255\n" + a.tobytes())
    (tmp_path / "b.ppm").write_bytes(b"P6 52 40 255\n" + b.tobytes())
    files = [model, *(tmp_path / name for name in ("a.pgm", "b.ppm", "fused.ppm"))]
    subprocess.run([tmp_path / "fuse", *files], check=True)
    given = np.frombuffer(files[-1].read_bytes().partition(b"255\n")[2], np.uint8).reshape(b.shape)
    wanted = polyfuse.fuse(a, b, model="laplacian").image
    assert np.abs(given.astype(int) - wanted.astype(int)).max() <= 1
    (tmp_path / "short.ppm").write_bytes(b"P6 52 40 255\n" + b.tobytes()[:100])
    ran = subprocess.run(
        [tmp_path / "fuse", model, files[1], tmp_path / "short.ppm", tmp_path / "no.ppm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, "is cut off" in ran.stderr) == (1, True)
