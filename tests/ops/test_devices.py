"""A device that cannot be used is refused in one line that says what is true."""

import pytest
import torch

from polyfuse.errors import UsageError
from polyfuse.ops.devices import check_device, device_names


def pretend(monkeypatch: pytest.MonkeyPatch, *, built: bool, gpus: int) -> None:
    """Have PyTorch say that it was built with CUDA or not, and how many GPUs it finds."""
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


def test_cpu_is_there() -> None:
    check_device("cpu")
    check_device(torch.device("cpu"))
    assert device_names()[0] == "cpu"


@pytest.mark.parametrize(
    ("name", "built", "gpus", "words"),
    [
        ("cuda", False, 0, "device cuda cannot be used, this PyTorch is built without CUDA: use --device cpu."),
        ("cuda:1", True, 0, "device cuda:1 cannot be used, PyTorch finds no GPU here: use --device cpu."),
        ("cuda:2", True, 2, "there is no device cuda:2, the last GPU here is cuda:1: use it, or --device cpu."),
        ("gpu", False, 0, "there is no device 'gpu', and PyTorch finds no GPU here: use --device cpu."),
        ("gpu", True, 1, "there is no device 'gpu': use --device cpu or cuda."),
        ("abacus", False, 0, "there is no device 'abacus': use --device cpu."),
    ],
)
def test_what_is_true_is_said(name: str, built: bool, gpus: int, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, built=built, gpus=gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError) as caught:
        check_device(name)
    assert str(caught.value) == words


def test_device_that_holds_no_numbers_is_refused() -> None:
    with pytest.raises(UsageError, match="device meta cannot be used"):
        check_device("meta")


def test_gpus_are_listed_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, built=True, gpus=2)
    assert device_names()[:3] == ["cpu", "cuda:0", "cuda:1"]
