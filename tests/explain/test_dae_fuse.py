"""What is shown of a DAE-Fuse: the model's own values, and a sheet for each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse.explain import explain
from polyfuse.families.daefuse import DAEFuse
from polyfuse.families.daefuse.explained.findings import DAEFuseFindings
from polyfuse.fusion import fuse

PICTURES = ["overview", "reconstructions", "decodings", "attention"]


@pytest.fixture(scope="module")
def model(small_dae_fuse: Callable[..., DAEFuse]) -> DAEFuse:
    return small_dae_fuse()


@pytest.fixture(scope="module")
def planes() -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(3).random((2, 20, 33), np.float32))


def test_command_draws_every_sheet(model: DAEFuse, sheets: Callable[..., dict[str, Any]]) -> None:
    numbers = sheets(model, "daefuse", PICTURES)
    assert set(numbers["energy_above_a_sixteenth_cycle"]) == {"band_high_a", "band_high_b", "band_low_a", "band_low_b"}


def test_maps_and_numbers_are_those_of_the_model(model: DAEFuse, planes: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (torch.from_numpy(plane)[None, None] for plane in planes)
    tensors, blocks = model.explain(a, b), model.block_contributions(a, b)
    shown = explain(*planes, model=model)
    findings, numbers = shown.findings, shown.numbers()
    assert isinstance(findings, DAEFuseFindings)
    np.testing.assert_array_equal(findings.decodings["remainder_b"], tensors["remainder_b"][0, 0])
    np.testing.assert_array_equal(findings.attention["received_a"], tensors["received_a"][0, 0])
    np.testing.assert_array_equal(findings.reconstructions["b"].made, tensors["reconstructed_b"][0, 0])
    np.testing.assert_array_equal(findings.blocks["share_a"], blocks["share_a"][0, 0])
    assert numbers["mean_shift"]["merge"] == pytest.approx(float(tensors["shift_merge"].mean()), rel=1e-5)
    assert numbers["mean_entropy"]["a"] == pytest.approx(float(tensors["entropy_a"].mean()), rel=1e-5)
    assert numbers["energy_above_a_sixteenth_cycle"]["band_low_a"] == float(tensors["band_low_a"])
    statistics = model.attention_statistics(a, b)
    assert numbers["cross_attention_share"] == {s: float(statistics[f"contribution_{s}"]) for s in "ab"}


def test_fused_picture_is_that_of_fuse(model: DAEFuse, pair: tuple[Path, Path]) -> None:
    difference = explain(*pair, model=model).fused.astype(int) - fuse(*pair, model=model).image
    assert np.abs(difference).max() <= 1  # rounding to 8 bits may differ


@pytest.mark.parametrize(
    ("change", "missing"),
    [({"cross_attention": False}, "attention"), ({"branches": "cnn"}, "decodings"), ({"branches": "vit"}, "decodings")],
    ids=["no-cross", "cnn", "vit"],
)
def test_reduced_network_has_no_sheet_of_what_it_lacks_even_of_one_pixel(
    change: dict, missing: str, small_dae_fuse: Callable[..., DAEFuse]
) -> None:
    shown = explain(*np.zeros((2, 1, 1), np.uint8), model=small_dae_fuse(**change))
    names = [name for name, _ in shown.draw(shown, shown.findings)]
    assert names == [name for name in PICTURES if name != missing]
    assert isinstance(shown.findings, DAEFuseFindings)
    assert shown.findings.blocks["share_a"].item() == 0.5
