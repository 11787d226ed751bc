"""`polyfuse doctor`: what this installation is made of, for a report of a problem or a question about speed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import click

from polyfuse._version import __version__
from polyfuse.cli.options import talk_options
from polyfuse.cli.output import print_json
from polyfuse.ops.cores import num_cores

ENGINES = ("onnxruntime", "openvino")
"""Packages that run exported models."""
EXTRAS = {
    "benchmark": ("scipy", "matplotlib"),
    "downstream": ("faster_coco_eval", "onnxruntime"),
    "imaging": ("cv2", "imagecodecs"),
    "medical": ("nibabel", "pydicom", "pylibjpeg", "openjpeg", "rle", "jpeg_ls"),
    "metrics": ("torchmetrics", "pywt"),
    "plots": ("matplotlib",),
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("openvino",),
    "serve": ("fastapi", "python_multipart", "uvicorn"),
    "train": ("accelerate", "tensorboard"),
    "video": ("av",),
    "downstream-transformers": ("transformers",),
    "ray": ("ray", "pyarrow"),
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
        click.echo(f"{name:<13}{text}")


def _facts() -> dict[str, Any]:
    """What `--json` prints."""
    import numpy

    from polyfuse.ops import native_colour
    from polyfuse.ops.native_kernels import instruction_set, kernel

    has_torch = find_spec("torch") is not None
    colour = {"8-bit RGB": instruction_set("colour", native_colour.SETS)} if kernel("colour") is not None else None
    return {
        "polyfuse": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "torch": version("torch") if has_torch else None,
        "numpy": numpy.__version__,
        "engines": {engine: _version(engine) for engine in ENGINES},
        "kernels": {**(_kernels() if has_torch else {}), "colour": colour},
        **(_devices() if has_torch else {}),
        "cores": num_cores(),
        "extras": {extra: all(map(find_spec, modules)) for extra, modules in EXTRAS.items()} if has_torch else {},
    }


def _version(package: str) -> str | None:
    """Version of a package; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _kernels() -> dict[str, dict[str, str | None] | None]:
    """What the kernels that models call run as; None for those that were not built."""
    import torch

    from polyfuse.ops import native_coding, native_pyramid
    from polyfuse.ops.native_kernels import OF_MODELS, instruction_set, kernel
    from polyfuse.ops.native_maps_sets import maps_instruction_set

    sets = {
        "lzsc": {precision: native_coding.instruction_set(precision) for precision in ("float32", "bf16")},
        "maps": {"float32": maps_instruction_set(torch.float32), "bf16": maps_instruction_set(torch.bfloat16)},
        "pyramid": {"float32": instruction_set("pyramid", native_pyramid.SETS)},
    }
    return {name: sets[name] if kernel(name) is not None else None for name in OF_MODELS}


def _devices() -> dict[str, Any]:
    """Threads and devices of PyTorch."""
    import torch

    from polyfuse.ops.devices import device_names

    return {"threads": torch.get_num_threads(), "devices": device_names()}


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The same for people."""
    lines = [(name, str(facts[name])) for name in ("polyfuse", "python", "system")]
    lines.append(("torch", facts["torch"] or "not installed: exported models alone can fuse"))
    lines.append(("numpy", facts["numpy"]))
    lines += [(name, found) for name, found in facts["engines"].items() if found is not None]
    lines += [(name, _kernel_text(sets)) for name, sets in facts["kernels"].items()]
    if facts["torch"] is None:
        return [*lines, ("cores", str(facts["cores"]))]
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
