"""Peak memory of `polyfuse fuse` on two large made-up volumes: a CT of 512x512x800 and a PET of 200x200x300 voxels.

Both are written to a folder for temporary files (0.5 GB, and as much again to unpack them with --packed); the command
runs as a program of its own. What the system says of its largest resident memory is printed beside that of a pair of
small volumes, which the program takes anyway.

    python benchmarks/volume_memory.py [--model laplacian] [--packed] [--to out.dcm] [--three-d] [--slices 800]
"""

from __future__ import annotations

import argparse
import gzip
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import torch

CT, PET = (512, 512, 800), (200, 200, 300)


def write_volume(path: Path, shape: tuple[int, int, int], side: float, dtype: str) -> None:
    """A ball in noise, written slice by slice."""
    affine = np.diag([side * 512 / shape[0], side * 512 / shape[1], 1.5 * 800 / shape[2], 1])
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    rng = np.random.default_rng(0)
    i, j = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]  # type: ignore[misc]
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for k in np.linspace(-1, 1, shape[2]):
            plane = np.clip(1 - i**2 - j**2 - k**2, 0, 1) + rng.normal(0, 0.01, shape[:2])
            values = -1000 + 1200 * plane if dtype == "int16" else 9 * np.clip(plane, 0, None)
            file.write(values.astype(dtype).tobytes(order="F"))


def peak_of(folder: Path, pair: tuple[Path, Path], arguments: list[str]) -> tuple[float, float]:
    """Largest resident memory of the command in MiB, and its seconds."""
    command = [sys.executable, "-m", "polyfuse", "fuse", *map(str, pair), *arguments, "--overwrite", "--quiet"]
    program = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    )
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-c", program, *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    if run.returncode:
        raise SystemExit(run.stderr)
    return int(run.stdout.splitlines()[-1]) / 1024, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="laplacian")
    parser.add_argument("--packed", action="store_true", help="volumes as .nii.gz")
    parser.add_argument("--three-d", action="store_true")
    parser.add_argument("--slices", type=int, default=CT[2], help="of the CT")
    parser.add_argument("--to", default="out.nii", help="name of the result: out.nii, out.nii.gz, out.dcm")
    chosen = parser.parse_args()
    suffix = ".nii.gz" if chosen.packed else ".nii"
    arguments = ["-o", chosen.to, *(["--three-d"] if chosen.three_d else ["--model", chosen.model])]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {arguments}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = {
            "small": ((64, 64, 16), (40, 40, 12)),
            "large": ((*CT[:2], chosen.slices), PET),
        }
        for kind, (ct, pet) in pairs.items():
            one, other = folder / f"{kind}_CT{suffix}", folder / f"{kind}_PT{suffix}"
            write_volume(one, ct, 0.98, "int16")
            write_volume(other, pet, 0.98, "float32")
            peak, seconds = peak_of(folder, (one, other), arguments)
            sizes = " + ".join("x".join(map(str, shape)) for shape in (ct, pet))
            print(f"{kind:6} {sizes:>26}  {peak:7.0f} MiB  {seconds:7.1f} s")


if __name__ == "__main__":
    main()
