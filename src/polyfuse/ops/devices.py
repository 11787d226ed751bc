"""Which devices PyTorch can compute on here, and one clear line about those it cannot."""

from __future__ import annotations

import torch

from polyfuse.errors import UsageError


def device_names() -> list[str]:
    """Names of the devices that are here: "cpu", then each GPU."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else [])]


def check_device(name: str | torch.device) -> None:
    """Refuse a device that is not there.

    Raises:
        UsageError: With the reason.
    """
    kinds = list(dict.fromkeys(known.partition(":")[0] for known in device_names()))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        gpus = ", and PyTorch finds no GPU here" if str(name).lower() == "gpu" and len(kinds) == 1 else ""
        raise UsageError(f"there is no device {str(name)!r}{gpus}: use --device {' or '.join(kinds)}.") from error
    if device.type == "cuda":
        _check_cuda(device)
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:  # one that is not implemented is a RuntimeError
        reason = str(error).splitlines()[0].rstrip(".")
        raise UsageError(f"device {name} cannot be used ({reason}): use --device {' or '.join(kinds)}.") from error


def _check_cuda(device: torch.device) -> None:
    """Refuse a GPU that PyTorch cannot use, which may be PyTorch's own lack."""
    if not torch.backends.cuda.is_built():
        raise UsageError(f"device {device} cannot be used, this PyTorch is built without CUDA: use --device cpu.")
    if not torch.cuda.is_available():
        raise UsageError(f"device {device} cannot be used, PyTorch finds no GPU here: use --device cpu.")
    last = torch.cuda.device_count() - 1
    if device.index is not None and device.index > last:
        raise UsageError(f"there is no device {device}, the last GPU here is cuda:{last}: use it, or --device cpu.")
