"""The networks: output of the picture's size, few parameters, and a clear word where a package is missing."""

import sys

import pytest
import torch

from polyfuse.downstream.segmentation.networks import UNet, build_network
from polyfuse.errors import DependencyError


@pytest.mark.parametrize("size", [(48, 64), (33, 17), (1, 1)])
def test_unet_gives_logits_of_the_size_of_its_picture(size: tuple[int, int]) -> None:
    network = UNet(5, width=4).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, *size)).shape == (1, 5, *size)


def test_unet_has_under_a_million_parameters() -> None:
    assert sum(value.numel() for value in UNet(11).parameters()) < 1_000_000


def test_missing_transformers_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DependencyError, match=r'pip install "polyfuse\[downstream-transformers\]"'):
        build_network("segformer-b0", 3)


def test_segformer_gives_logits_of_the_size_of_its_picture() -> None:
    pytest.importorskip("transformers")
    network = build_network("segformer-b0", 3).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 40, 72)).shape == (1, 3, 40, 72)
    assert 3.5e6 < sum(value.numel() for value in network.parameters()) < 4e6  # B0 has 3.7 million
