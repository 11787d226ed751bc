"""Every model as ONNX: size, seconds to write it, and how far the engines are off PyTorch. Not a measurement of speed.

python benchmarks/export_table.py
python benchmarks/export_table.py --models pyrfuse.road fnet.road
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from polyfuse import list_models, load, load_exported
from polyfuse.errors import OutputError, UsageError
from polyfuse.exporting import export_onnx

SIZE = (301, 412)
"""Height and width of the pictures on which bf16 is looked at."""


def in_bf16(path: Path, name: str) -> float:
    """Largest difference of OpenVINO in bf16 to PyTorch in float32, on smooth pictures with some noise."""
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [0.5 + 0.4 * np.sin(columns / 9 + rows / 31), 0.5 + 0.4 * np.cos(rows / 7 - columns / 40)]
    a, b = ((wave + draw.normal(0, 0.02, SIZE)).clip(0, 1).astype(np.float32) for wave in waves)
    with torch.inference_mode():
        wanted = load(name)(*(torch.from_numpy(plane)[None, None] for plane in (a, b)))[0, 0].numpy()
    return float(np.abs(load_exported(path, "openvino", precision="bf16").run(a, b) - wanted).max())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+")
    words = parser.parse_args()
    names = words.models or [entry.name for entry in list_models() if not entry.needs_weights]
    print("largest difference to PyTorch in float32, of values in [0, 1]; halves: operands of convolutions in float16")
    heads = (
        "MB",
        "MB in halves",
        "onnxruntime",
        "OpenVINO",
        "onnxruntime, halves",
        "OpenVINO bf16",
        "seconds to write",
    )
    print(f"| model | {' | '.join(heads)} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as temporary:
        for name in names:
            started = time.perf_counter()
            try:
                single = export_onnx(load(name), Path(temporary) / f"{name}.onnx")
            except (OutputError, UsageError) as error:
                print(f"| {name} | refused: {error} |" + " |" * (len(heads) - 1), flush=True)
                continue
            seconds = time.perf_counter() - started
            half = export_onnx(load(name), Path(temporary) / f"{name}.half.onnx", precision="float16")
            off = list(single.off.values())
            worst = [*off[:2], next(iter(half.off.values())), in_bf16(single.path, name)]
            sizes = [f"{made.num_bytes / 1e6:.2f}" for made in (single, half)]
            cells = [*sizes, *(f"{one:.1e}" for one in worst), f"{seconds:.0f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
