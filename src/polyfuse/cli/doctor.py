"""`polyfuse doctor`: what this installation is made of, for a report of a problem or a question about speed."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from typing import Any

import click

from polyfuse._version import __version__
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import print_json

EXTRAS = {
    "benchmark": ("scipy", "matplotlib"),
    "downstream": ("faster_coco_eval", "onnxruntime"),
    "imaging": ("cv2", "imagecodecs"),
    "metrics": ("torchmetrics", "pywt"),
    "plots": ("matplotlib",),
    "serve": ("fastapi", "python_multipart", "uvicorn"),
    "train": ("accelerate", "tensorboard"),
    "video": ("av",),
    "downstream-transformers": ("transformers",),
}
"""Each extra with the modules that it brings."""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@talk_options
def command(as_json: bool, quiet: bool) -> None:
    """Print versions, compiled kernels, threads, devices and extras of this installation."""
    facts = _facts()
    if as_json:
        print_json(facts)
        return
    for name, text in _lines(facts):
        click.echo(f"{name:<10}{text}")


def _facts() -> dict[str, Any]:
    """What `--json` prints."""
    import numpy
    import torch

    from polyfuse.evaluation.run import num_cores
    from polyfuse.ops import native_coding, native_colour, native_pyramid
    from polyfuse.ops.devices import device_names
    from polyfuse.ops.native_kernels import KERNELS, instruction_set, kernel, maps_instruction_set

    sets = {
        "lzsc": {precision: native_coding.instruction_set(precision) for precision in ("float32", "bf16")},
        "maps": {"float32": maps_instruction_set(torch.float32), "bf16": maps_instruction_set(torch.bfloat16)},
        "pyramid": {"float32": instruction_set("pyramid", native_pyramid.SETS)},
        "colour": {"8-bit RGB": instruction_set("colour", native_colour.SETS)},
    }
    return {
        "polyfuse": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "kernels": {name: sets[name] if kernel(name) is not None else None for name in KERNELS},
        "threads": torch.get_num_threads(),
        "cores": num_cores(),
        "devices": device_names(),
        "extras": {extra: all(map(find_spec, modules)) for extra, modules in EXTRAS.items()},
    }


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The same for people."""
    lines = [(name, str(facts[name])) for name in ("polyfuse", "python", "system", "torch", "numpy")]
    lines += [(name, _kernel_text(sets)) for name, sets in facts["kernels"].items()]
    lines.append(("threads", f"{facts['threads']}, cores {facts['cores']}"))
    lines.append(("devices", ", ".join(facts["devices"])))
    missing = [extra for extra, is_there in facts["extras"].items() if not is_there]
    there = [extra for extra, is_there in facts["extras"].items() if is_there]
    lines.append(("extras", ", ".join(there) or "none"))
    if missing:
        lines.append(("missing", f'{", ".join(missing)}: pip install "polyfuse[{",".join(missing)}]"'))
    return lines


def _kernel_text(sets: dict[str, str | None] | None) -> str:
    """What a compiled kernel runs as here."""
    if sets is None:
        return "kernel, not built: built without a C compiler, the same results come slower"
    used = ", ".join(f"{precision} by {name or 'PyTorch'}" for precision, name in sets.items())
    return f"kernel, {used}"
