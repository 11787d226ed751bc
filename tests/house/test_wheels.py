"""A wheel is named after what is in it: of one platform with the compiled kernels, for any without them.

Built from this checkout's `setup.py` with small stand-ins for the kernels, so that it takes seconds.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

KERNELS = {"lzsc": "lzsc", "map_layers": "maps", "pyramid": "pyramid", "colour": "colour"}
"""Source of each module, and its name."""
SOURCE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_NAME", 0, -1, 0, 0, 0, 0, 0};
PyMODINIT_FUNC PyInit__NAME(void) { return PyModule_Create(&module); }
"""
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def built(repository: Path, folder: Path, compiler: str) -> Path:
    """The wheel that `compiler` makes of a small copy of the package."""
    package = folder / "copy" / "src" / "polyfuse"
    (package / "ops" / "native").mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, folder / "copy")
    for name in ("__init__.py", "_version.py", "ops/__init__.py"):
        shutil.copy(repository / "src" / "polyfuse" / name, package / name)
    for source, name in KERNELS.items():
        (package / "ops" / "native" / f"{source}.c").write_text(SOURCE.replace("NAME", name), encoding="utf-8")
    command = [sys.executable, "-c", BUILD, str(folder)]
    ran = subprocess.run(
        command, cwd=folder / "copy", env=os.environ | {"CC": compiler}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def checked(repository: Path, wheel: Path) -> "subprocess.CompletedProcess[str]":
    """What tools/check_wheels.py says of `wheel`."""
    command = [sys.executable, str(repository / "tools" / "check_wheels.py"), str(wheel)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_wheel_without_a_compiler_is_for_any_platform(repository: Path, tmp_path: Path) -> None:
    wheel = built(repository, tmp_path, "false")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert checked(repository, wheel).returncode == 0


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_wheel_with_the_kernels_is_of_one_platform_and_every_later_python(repository: Path, tmp_path: Path) -> None:
    wheel = built(repository, tmp_path, "cc")
    assert "-cp311-abi3-" in wheel.name
    assert checked(repository, wheel).returncode == 0


@pytest.mark.parametrize(
    ("name", "kernels"),
    [("polyfuse-1-cp311-abi3-linux_x86_64.whl", ["_lzsc"]), ("polyfuse-1-py3-none-any.whl", ["_maps"])],
)
def test_wheel_that_holds_other_kernels_than_its_name_says_is_found(
    repository: Path, tmp_path: Path, name: str, kernels: list[str]
) -> None:
    with ZipFile(tmp_path / name, "w") as archive:
        for kernel in kernels:
            archive.writestr(f"polyfuse/ops/{kernel}.abi3.so", "")
    ran = checked(repository, tmp_path / name)
    assert (ran.returncode, name in ran.stdout) == (1, True)
