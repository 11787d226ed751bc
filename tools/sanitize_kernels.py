"""Build the compiled kernels with AddressSanitizer and UndefinedBehaviorSanitizer, and run their tests under them.

For GCC on Linux; needs what `pip install -e '.[dev]'` brings. Package and kernels lie in a temporary folder. Exit code
0: the kernels were built, all tests passed, and no sanitizer said a word. Leaks are not looked for, since Python keeps
much to its end.

    python tools/sanitize_kernels.py [options of pytest]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = (
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"),
    *("-g1", "-O1", "-fPIC", "-shared", "-DPy_LIMITED_API=0x030B0000"),  # -O3 takes minutes to compile
)
KERNELS = {"_lzsc": "lzsc.c", "_maps": "map_layers.c", "_pyramid": "pyramid.c", "_colour": "colour.c"}
"""Modules of polyfuse.ops with their sources, as in setup.py."""
TESTS = (
    "tests/ops",
    "tests/layers/test_lzsc.py",
    "tests/layers/test_separable.py",
    "tests/families/test_smfnet_native.py",
)


def build(folder: Path) -> None:
    """Put a copy of the package with sanitized kernels into a folder; the compiler says what it does not like."""
    shutil.copytree(ROOT / "src/polyfuse", folder / "polyfuse", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for module, source in KERNELS.items():
        paths = (ROOT / "src/polyfuse/ops/native" / source, "-o", folder / f"polyfuse/ops/{module}.abi3.so", "-lm")
        subprocess.run(["gcc", *FLAGS, f"-I{sysconfig.get_paths()['include']}", *paths], check=True)


def library(name: str) -> str:
    """Where the compiler has a library of its own."""
    found = subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def main() -> int:
    """Build, then run the tests; returns their exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder)
        environment = {
            **os.environ,
            "PYTHONPATH": str(folder),
            "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *TESTS, *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
