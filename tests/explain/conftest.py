"""Networks with random weights, a pair in two folders, and what is explained of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from polyfuse.cli import run
from polyfuse.explain import Explanation, explain
from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig
from polyfuse.families.fnet.network import FNet
from polyfuse.families.smfnet import SMFNet, SMFNetConfig
from polyfuse.families.spec import FusionModel
from polyfuse.io import write_picture
from polyfuse.weights.store import WeightsInfo, save_weights

SMFNET = {
    "channels": 8, "heads": 2, "base_blocks": 1, "depth": 1, "mixing": "depthwise", "exchange_rounds": 1,
    "message_iterations": 1,
}  # fmt: skip
DAE_FUSE = {
    "shallow_channels": 8, "high_channels": (8, 8, 8, 8), "high_out": 8, "token_channels": 12, "depth": 1,
    "low_out": 8, "decoder_channels": 8, "decoder_blocks": 1,
}  # fmt: skip


@pytest.fixture(scope="session")
def network() -> FNet:
    """The published layout with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return FNet().eval()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A grey and a colour picture of 26x18 pixels, both called scene.png."""
    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(8)
    grey = rng.integers(0, 256, (18, 26), np.uint8)
    colour = rng.integers(0, 256, (18, 26, 3), np.uint8)
    return write_picture(folder / "ir" / "scene.png", grey), write_picture(folder / "vi" / "scene.png", colour)


@pytest.fixture(scope="session")
def explanation(network: FNet, pair: tuple[Path, Path]) -> Explanation:
    """What `explain` finds in the pair."""
    return explain(*pair, model=network)


@pytest.fixture(scope="session")
def small_smfnet() -> Callable[..., SMFNet]:
    """`(**changes) -> SMFNet`, narrow, with random weights and messages that count."""

    def build(**changes: Any) -> SMFNet:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model = SMFNet(SMFNetConfig(**{**SMFNET, **changes})).eval()
            for parameter in model.parameters():
                parameter.data += 0.1 * torch.randn_like(parameter)
        return model

    return build


@pytest.fixture(scope="session")
def small_dae_fuse() -> Callable[..., DAEFuse]:
    """`(**changes) -> DAEFuse`, narrow, with random weights, none of them zero."""

    def build(**changes: Any) -> DAEFuse:
        with torch.random.fork_rng():
            torch.manual_seed(4)
            model = DAEFuse(DAEFuseConfig.of_size("tiny", **{**DAE_FUSE, **changes})).eval()
            for parameter in model.parameters():
                parameter.data += 0.1 * torch.randn_like(parameter)
        return model

    return build


@pytest.fixture(scope="session")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FusionModel], Path]:
    """`(model) -> its weights file`."""

    def save(model: FusionModel) -> Path:
        family = model.spec.family
        path = tmp_path_factory.mktemp(family) / "random.safetensors"
        save_weights(path, model.state_dict(), WeightsInfo(f"{family}.random", family, model.config.to_json()))
        return path

    return save


@pytest.fixture
def sheets(
    pair: tuple[Path, Path], weights_of: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """`(model, family, names) -> numbers`: the command draws these sheets and no others, each shows something, and it
    writes these numbers."""

    def draw(model: FusionModel, family: str, names: list[str]) -> dict[str, Any]:
        arguments = ["explain", *map(str, pair), "-o", str(tmp_path), "--model", family]
        assert run([*arguments, "--weights", str(weights_of(model))]) == 0
        pictures, numbers_path = [tmp_path / f"{name}.png" for name in names], tmp_path / "numbers.json"
        assert capsys.readouterr().out.splitlines() == [str(path) for path in (*pictures, numbers_path)]
        for path in pictures:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("RGB"))
            assert 800 <= pixels.shape[1] <= 2000
            assert pixels.std() > 5
        numbers: dict[str, Any] = json.loads(numbers_path.read_text(encoding="utf-8"))
        assert numbers["family"] == family
        return numbers

    return draw
