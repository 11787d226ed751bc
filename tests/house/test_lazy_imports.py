"""`import polyfuse` and `polyfuse --help` load nothing heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = [
    "torch",
    "numpy",
    "PIL",
    "tifffile",
    "safetensors",
    "rich",
    "cv2",
    "av",
    "imagecodecs",
    "matplotlib",
    "scipy",
    "accelerate",
    "tensorboard",
    "fastapi",
    "starlette",
    "uvicorn",
    "nibabel",
    "pydicom",
]
LOADED = f"import json, sys; print(json.dumps([m for m in {HEAVY} if m in sys.modules]), file=sys.stderr)"
CALL_MAIN = """
import sys
from polyfuse.cli import main
sys.argv = ["polyfuse", *{words}]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


def heavy_after(code: str) -> list[str]:
    """Names of HEAVY that a fresh interpreter holds after running the code."""
    run = subprocess.run([sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    names: list[str] = json.loads(run.stderr.splitlines()[-1])
    return names


def test_import_loads_nothing_heavy() -> None:
    assert heavy_after("import polyfuse; polyfuse.__version__; dir(polyfuse)") == []


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        *([verb, "--help"] for verb in ("fuse", "live", "serve", "compare", "models", "train", "ablate")),
    ],
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    assert heavy_after(CALL_MAIN.format(words=words)) == []


def test_heavy_import_is_seen() -> None:
    assert heavy_after("import numpy") == ["numpy"]
