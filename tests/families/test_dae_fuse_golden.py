"""DAE-Fuse gives the stored pictures, which this code made: they guard against change alone, for none are published."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from polyfuse.families.daefuse import DAEFuse, DAEFuseConfig

TOLERANCE = 1e-4  # the specification's


@pytest.fixture(scope="module")
def stored() -> dict[str, Tensor]:
    """Pictures by name, (37, 53), six decimals."""
    path = Path(__file__).parents[1] / "golden" / "dae_fuse.json"
    entries = json.loads(path.read_text(encoding="utf-8"))["pictures"]
    return {name: torch.tensor(values) for name, values in entries.items()}


@pytest.fixture(scope="module")
def found(formula_dae_fuse, smfnet_pair) -> dict[str, Tensor]:
    model: DAEFuse = formula_dae_fuse(DAEFuseConfig.of_size("tiny")).float()
    return model.explain(*(picture.float() for picture in smfnet_pair(37, 53)))


@pytest.mark.parametrize("name", ["fused", "reconstructed_a", "reconstructed_b"])
def test_picture_is_the_stored_one(name: str, stored, found) -> None:
    assert stored[name].std() > 0.01  # far above the tolerance
    torch.testing.assert_close(found[name][0, 0], stored[name], rtol=0, atol=TOLERANCE)
