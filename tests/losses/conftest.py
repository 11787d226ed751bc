"""The golden numbers and the formula pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    path = Path(__file__).parents[1] / "golden" / "fnet.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def pictures() -> dict[str, torch.Tensor]:
    """A, B (sources) and P (a pretend fused picture) by formula, (1, 1, 48, 64) float32."""
    i, j = np.mgrid[:48, :64].astype(np.float64)
    found = {
        "A": 0.5 + 0.3 * np.sin(0.17 * j + 0.05 * i) + 0.2 * np.cos(0.11 * i - 0.03 * j),
        "B": 0.5 + 0.3 * np.cos(0.13 * j - 0.07 * i) + 0.2 * np.sin(0.23 * i),
        "P": 0.45 + 0.35 * np.sin(0.21 * j - 0.04 * i) * np.cos(0.09 * i),
    }
    return {name: torch.from_numpy(values).float()[None, None] for name, values in found.items()}
