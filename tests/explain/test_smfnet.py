"""What is shown of an SMFNet: the model's own values, reduced, and a sheet for each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polyfuse.explain import Explanation, explain
from polyfuse.families.smfnet import SMFNet
from polyfuse.families.smfnet.explained.findings import SMFNetFindings, region_correlations, relative_change, sobel
from polyfuse.fusion import fuse

PICTURES = ["overview", "features", "reconstructions", "exchange", "messages", "scales", "attention", "gradients"]


@pytest.fixture(scope="module")
def model(small_smfnet: Callable[..., SMFNet]) -> SMFNet:
    return small_smfnet()


@pytest.fixture(scope="module")
def explanation(model: SMFNet, pair: tuple[Path, Path]) -> Explanation:
    return explain(*pair, model=model)


@pytest.fixture(scope="module")
def planes() -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.random.default_rng(3).random((2, 12, 15), np.float32))


@pytest.fixture(scope="module")
def tensors(model: SMFNet, planes: tuple[np.ndarray, np.ndarray]) -> dict[str, torch.Tensor]:
    a, b = (torch.from_numpy(plane)[None, None] for plane in planes)
    return model.explain(a, b)


@pytest.mark.slow
def test_command_draws_every_sheet(model: SMFNet, sheets: Callable[..., dict[str, Any]]) -> None:
    numbers = sheets(model, "smfnet", PICTURES)
    assert set(numbers["graph"]["a"]) == {"mean_exchange", "mean_edges", "renewed", "gamma"}


def test_maps_are_those_of_the_models_features(
    model: SMFNet, planes: tuple[np.ndarray, np.ndarray], tensors: dict[str, torch.Tensor]
) -> None:
    findings = explain(*planes, model=model).findings
    assert isinstance(findings, SMFNetFindings)
    detail = tensors["detail_b"][0]
    np.testing.assert_array_equal(findings.features["detail_b"].mean, detail.mean(0))
    # the same feature, reduced in another way
    np.testing.assert_allclose(findings.features["detail_b"].energy, detail.square().mean(0).sqrt(), rtol=1e-5)
    second = tensors["scale_fused"][0, 1, 4:]
    np.testing.assert_allclose(findings.scales["2.second"].centre, second.prod(0) ** 0.25, rtol=1e-5)
    np.testing.assert_array_equal(findings.graph["a"].edges, tensors["edge_a"][0])
    np.testing.assert_array_equal(findings.without["graph"], tensors["without_graph"][0, 0])
    np.testing.assert_array_equal(
        findings.reconstructions["a"].error, tensors["reconstructed_a"][0, 0].numpy() - planes[0]
    )


def test_numbers_are_those_of_the_models_values(
    model: SMFNet, planes: tuple[np.ndarray, np.ndarray], tensors: dict[str, torch.Tensor]
) -> None:
    numbers = explain(*planes, model=model).numbers()
    assert numbers["correlations"] == {n: float(tensors[f"correlation_{n}"]) for n in ("base", "detail", "graph")}
    change = (tensors["fused"] - tensors["without_base"]).abs().mean()
    assert numbers["mean_absolute_change_without"]["base"] == pytest.approx(float(change), rel=1e-5)
    matrices = tensors["attention.encoder.detail.cross"][0]
    entropy = -(matrices * matrices.log()).sum(-1).mean(-1) / np.log(matrices.shape[-1])
    shown = numbers["attention"]["encoder.detail.cross"]
    np.testing.assert_allclose(shown["entropy"], entropy, rtol=1e-5)
    assert shown["temperatures"] == tensors["temperature.encoder.detail.cross"].tolist()
    exchange = tensors["exchange_b"][0].mean(dim=(-2, -1))
    np.testing.assert_allclose(numbers["graph"]["b"]["mean_exchange"], exchange, rtol=1e-5)


def test_fused_picture_is_stretched_as_by_fuse(
    explanation: Explanation, model: SMFNet, pair: tuple[Path, Path]
) -> None:
    difference = explanation.fused.astype(int) - fuse(*pair, model=model).image
    assert np.abs(difference).max() <= 1  # another form of the network: rounding to 8 bits may differ


def test_network_without_a_graph_has_no_sheets_of_it_even_of_one_pixel(small_smfnet: Callable[..., SMFNet]) -> None:
    shown = explain(*np.zeros((2, 1, 1), np.uint8), model=small_smfnet(graph=False))
    names = [name for name, _ in shown.draw(shown, shown.findings)]
    assert names == [name for name in PICTURES if name not in ("exchange", "messages")]


def test_graph_without_rounds_has_no_gates(
    small_smfnet: Callable[..., SMFNet], planes: tuple[np.ndarray, np.ndarray]
) -> None:
    shown = explain(*planes, model=small_smfnet(exchange_rounds=0, message_iterations=0))
    graph = shown.numbers()["graph"]["b"]
    assert (graph["mean_exchange"], graph["mean_edges"], graph["renewed"]) == ([], [], [])


def test_bright_regions_are_told_from_the_rest() -> None:
    a = torch.tensor([[0.0, 0.02, 0.01, 0.9, 1.0, 0.95]])[None, None]
    b = torch.tensor([[0.1, 0.4, 0.3, 0.2, 0.6, 0.5]])[None, None]
    fused = torch.where(a > 0.5, a, b)
    regions = region_correlations(fused, a, b)
    assert (regions["bright"]["share"], regions["bright"]["a"], regions["rest"]["b"]) == pytest.approx(
        (0.5, 1, 1), abs=1e-4
    )
    assert regions["bright"]["b"] < 0.999


def test_change_is_in_lengths_of_sobels_kernel() -> None:
    kernels = np.stack([sobel(), 1.5 * sobel()], axis=1)
    np.testing.assert_allclose(relative_change(kernels), [[0, 0.5], [0, 0.5]], rtol=1e-6)
