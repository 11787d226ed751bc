"""Builds `polyfuse-runtime` out of the sources of `polyfuse`, one folder up.

Without weights, and of the compiled kernels with the one that needs no PyTorch.
"""

import runpy
from pathlib import Path

from setuptools import find_packages, setup

SOURCES = "../src"
polyfuse = runpy.run_path(str(Path(__file__).resolve().parent.parent / "setup.py"), run_name="setup_of_polyfuse")

setup(
    package_dir={"": SOURCES},
    packages=find_packages(SOURCES, include=["polyfuse", "polyfuse.*"]),
    package_data={"polyfuse": ["py.typed", "weights/manifest.json"]},
    include_package_data=False,
    **polyfuse["kernels"](["colour"], SOURCES),
)
