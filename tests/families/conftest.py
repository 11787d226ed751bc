"""Formula pictures and weights, golden numbers, the published network, and the forms a network can be evaluated in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.fnet.inverse import IFNet
from polyfuse.families.fnet.network import FNet
from polyfuse.families.fnet.official import fnet_key_map, from_official, ifnet_key_map
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.smfnet.official import smfnet_key_map, unused_shapes
from polyfuse.ops import native_coding
from polyfuse.ops.precision import Precision
from polyfuse.weights.pickles import read_state


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Golden numbers that need no published weights."""
    path = Path(__file__).parents[1] / "golden" / "fnet.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def official_golden(shared_dir: Path) -> dict[str, Any]:
    """Golden numbers of the published weights."""
    return json.loads((shared_dir / "reference" / "fnet" / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def formula_pair() -> Callable[..., tuple[Tensor, Tensor]]:
    """`(height=48, width=64) -> (A, B)` by formula, (1, 1, height, width) float32."""

    def build(height: int = 48, width: int = 64) -> tuple[Tensor, Tensor]:
        i, j = np.mgrid[:height, :width].astype(np.float64)
        a = 0.5 + 0.3 * np.sin(0.17 * j + 0.05 * i) + 0.2 * np.cos(0.11 * i - 0.03 * j)
        b = 0.5 + 0.3 * np.cos(0.13 * j - 0.07 * i) + 0.2 * np.sin(0.23 * i)
        return torch.from_numpy(a).float()[None, None], torch.from_numpy(b).float()[None, None]

    return build


@pytest.fixture(scope="session")
def with_formula_weights() -> Callable[[nn.Module], nn.Module]:
    """Give an FNet or IFNet the formula weights; its scalars keep their initial values."""

    def fill(model: nn.Module) -> nn.Module:
        state = model.state_dict()
        names = fnet_key_map() if isinstance(model, FNet) else ifnet_key_map()
        for q, name in enumerate(names.values()):
            tensor = state[name]
            if tensor.ndim != 4:
                continue
            n = np.arange(tensor.numel(), dtype=np.int64)
            h = (7919 * n**2 + 104729 * n + 1299709 * q + 12345) % 1000003
            bound = np.sqrt(6 / ((tensor.shape[0] + tensor.shape[1]) * 81))
            tensor.copy_(torch.from_numpy(bound * (2 * h / 1000003 - 1)).reshape(tensor.shape))
        return model.eval()

    return fill


@pytest.fixture(scope="session")
def formula_fnet(with_formula_weights) -> FNet:
    """FNet with formula weights; their random-like code maps exercise every weight."""
    return with_formula_weights(FNet())


@pytest.fixture(scope="session")
def formula_ifnet(with_formula_weights) -> IFNet:
    return with_formula_weights(IFNet())


@pytest.fixture(scope="session")
def official_fnet(shared_dir: Path) -> FNet:
    """FNet with the published weights."""
    tensors, _ = read_state(shared_dir / "reference" / "fnet" / "FNet.pth")
    model = FNet()
    model.load_state_dict(from_official(tensors, fnet_key_map()))
    return model.eval()


FORMS = ("plain", "compiled", "compiled bf16", "row split", "row split bf16", "differentiable")


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tensor]:
    """`(form, model, a, b) -> fused` in the named form; skips what this machine does not have."""

    def run(form: str, model: FNet, a: Tensor, b: Tensor) -> Tensor:
        precision: Precision = "bf16" if form.endswith("bf16") else "float32"
        if form == "plain":
            with torch.no_grad():
                return model.forward_plain(a, b)
        if form == "differentiable":
            return model(a, b).detach()
        with monkeypatch.context() as patch, torch.no_grad():
            if form.startswith("row split"):
                patch.setattr(native_coding, "instruction_set", lambda precision: None)
            elif native_coding.instruction_set(precision) is None:
                pytest.skip(f"no compiled kernel for {precision} in this build or processor")
            patch.setattr(model, "precision", precision)
            return model(a, b)

    return run


@pytest.fixture(scope="session")
def summary() -> Callable[[Tensor, dict[str, float]], tuple[dict[str, float], dict[str, float]]]:
    """`(picture, pixels) -> (statistics, pixels at the same places)` in the terms of the golden numbers."""

    def measure(x: Tensor, pixels: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
        y = x.double()
        statistics = {"mean": y.mean(), "std": y.std(correction=0), "min": y.min(), "max": y.max()}
        places = {place: tuple(int(part) for part in place.split(",")) for place in pixels}
        found = {place: y[0, 0][position].item() for place, position in places.items()}
        return {name: value.item() for name, value in statistics.items()}, found

    return measure


@pytest.fixture(scope="session")
def smfnet_golden() -> dict[str, Any]:
    """Golden numbers of SMFNet: no published weights are needed, because there are none."""
    path = Path(__file__).parents[1] / "golden" / "smfnet.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def smfnet_pair() -> Callable[..., tuple[Tensor, Tensor]]:
    """`(height, width, batch=1) -> (a, b)` by formula, infrared and visible, (batch, 1, height, width) float64."""

    def build(height: int, width: int, batch: int = 1) -> tuple[Tensor, Tensor]:
        n, y, x = np.mgrid[:batch, :height, :width].astype(np.float64)
        ir = 0.45 + 0.35 * np.sin(0.11 * x + 0.4) * np.cos(0.17 * y - 0.5 * n) + 0.10 * np.sin(0.033 * x * y)
        vis = 0.50 + 0.30 * np.sin(0.21 * x + 0.13 * y + 0.7 * n) + 0.15 * np.cos(0.9 * x - 0.55 * y)
        a, b = (torch.from_numpy(values.clip(0, 1))[:, None] for values in (ir, vis))
        return a, b

    return build


def _hashed(position: int, count: int) -> np.ndarray:
    """Values in [-0.5, 0.5) that depend on the position of a tensor and of an element alone."""
    size = 1 << 32
    i = np.arange(count, dtype=np.uint64)
    x = ((i + 1) * 2654435761 + np.uint64((position + 1) * 2654445111 % size)) % size
    x = (x ^ (x >> np.uint64(15))) * 2246822519 % size
    x = (x ^ (x >> np.uint64(13))) * 3266489917 % size
    return (x ^ (x >> np.uint64(16))) / size - 0.5


def _formula_tensor(name: str, shape: tuple[int, ...], u: np.ndarray) -> np.ndarray:
    """Value of one tensor of the official layout."""
    sobel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    if name.endswith(("convx.weight", "convy.weight")):
        return (sobel if "convx" in name else sobel.T) + 0.2 * u
    if name.endswith("gamma"):
        return 0.5 + 0.5 * u
    if name.endswith("running_var") or len(shape) == 3 or (len(shape) == 1 and name.endswith("weight")):
        return 1 + 0.5 * u
    if len(shape) == 4:
        return 1.8 * np.sqrt(3 / np.prod(shape[1:])) * u
    return 0.2 * u


@pytest.fixture(scope="session")
def formula_smfnet() -> Callable[..., SMFNet]:
    """`(config=published, unused=True) -> float64 SMFNet in evaluation mode` with formula weights.

    The position of a tensor counts the unused ones of the published layout too, unless there are none.
    """

    def build(config: SMFNetConfig | None = None, unused: bool = True) -> SMFNet:
        model = SMFNet(config).double()
        names = smfnet_key_map(model.config.base_blocks, model.config.depth)
        state = {theirs: model.state_dict()[ours] for theirs, ours in names.items()}
        listed = [name for name in [*names, *(unused_shapes() if unused else ())] if "num_batches" not in name]
        for position, name in enumerate(sorted(listed)):
            if name in state:
                shape = tuple(state[name].shape)
                u = _hashed(position, state[name].numel()).reshape(shape)
                state[name].copy_(torch.from_numpy(_formula_tensor(name, shape, u)))
        return model.eval()

    return build


@pytest.fixture(scope="session")
def formula_dae_fuse() -> Callable[[DAEFuseConfig], DAEFuse]:
    """`(config) -> float64 DAEFuse in evaluation mode`, no weight of which is zero: all by formula."""

    def build(config: DAEFuseConfig) -> DAEFuse:
        model = DAEFuse(config).double()
        for position, (name, tensor) in enumerate(sorted(model.state_dict().items())):
            u = _hashed(position, tensor.numel()).reshape(tuple(tensor.shape))
            if name.endswith("sharpness"):
                value = 10 + u
            elif "norm" in name and name.endswith("weight"):
                value = 1 + 0.5 * u
            elif tensor.ndim > 1:
                value = 1.8 * np.sqrt(3 / np.prod(tensor.shape[1:])) * u
            else:
                value = 0.2 * u
            tensor.copy_(torch.from_numpy(value))
        return model.eval()

    return build


@pytest.fixture(scope="session")
def small_dae() -> DAEFuseConfig:
    """The size "tiny", narrower still."""
    narrow = {
        "shallow_channels": 8,
        "high_channels": (8, 8, 8, 8),
        "token_channels": 24,
        "depth": 1,
        "decoder_blocks": 1,
    }
    return DAEFuseConfig.of_size("tiny", **narrow, high_out=8, low_out=8, decoder_channels=8)
