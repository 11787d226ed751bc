"""The golden numbers, the formula picture and a block with formula weights (float64)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse.families.fnet.coder import CoderConfig, SparseCoder

# Order of the 19 convolutions of an official block; positions 0 to 3 are its scalars.
ORDER = ["input.0", "input.1", "down.1", "up.1"]
for _k in (2, 3, 4):
    ORDER += [f"{name}.{_k}" for name in ("input", "down", "up", "down_prev", "up_prev")]


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "golden" / "fnet.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def picture_a() -> torch.Tensor:
    """Formula picture A, (1, 1, 48, 64), float64 and not rounded."""
    i, j = np.mgrid[:48, :64].astype(np.float64)
    a = 0.5 + 0.3 * np.sin(0.17 * j + 0.05 * i) + 0.2 * np.cos(0.11 * i - 0.03 * j)
    return torch.from_numpy(a)[None, None]


@pytest.fixture(scope="session")
def formula_block() -> Callable[[CoderConfig], SparseCoder]:
    """`config -> float64 block for one plane` whose convolutions carry the formula weights, rounded to float32."""

    def build(config: CoderConfig) -> SparseCoder:
        block = config.build(1).double()
        for name, conv in block.named_parameters():
            if not name.endswith(".weight"):
                # initial scalars in float64: -0.5, -2, 0.5, 0 and 0.01 as decimals, the mix as logit(0.7)
                decimal = round(conv.detach().item(), 6) if conv.numel() == 1 else 0.01
                exact = float(np.log(0.7 / 0.3)) if name == "mix" else decimal
                conv.data.fill_(exact)
                continue
            q = 4 + ORDER.index(name.removesuffix(".weight"))
            n = np.arange(conv.numel(), dtype=np.int64)
            h = (7919 * n**2 + 104729 * n + 1299709 * q + 12345) % 1000003
            bound = np.sqrt(6 / ((conv.shape[0] + conv.shape[1]) * 81))
            values = (bound * (2 * h / 1000003 - 1)).astype(np.float32).astype(np.float64)
            conv.data.copy_(torch.from_numpy(values).reshape(conv.shape))
        return block

    return build
