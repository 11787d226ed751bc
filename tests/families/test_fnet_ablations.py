"""The fifteen ablations: parameter counts, fast forms, gradients, and exactly one change each."""

from dataclasses import replace

import pytest
import torch

from polyfuse.families.fnet.coder import CoderConfig
from polyfuse.families.fnet.inverse import IFNet, IFNetConfig
from polyfuse.families.fnet.network import FNet, FNetConfig
from polyfuse.families.fnet.study import STUDY

PARAMETERS = {
    "AE1": 212_559,
    "AE2": 419_916,
    "AE3": 129_612,
    "AE4": 295_494,
    "AE5": 295_500,
    "AE6": 295_503,
    "AE7": 419_916,
    "AE8": 419_916,
    "AE9": 316_236,
    "AE10": 523_596,
    "AE11": 419_916,
    "AE12": 419_916,
    "AE13": 419_916,
    "AE14": 419_916,
    "AE15": 419_916,
}
# One 9 x 9 convolution of 64 channels costs 5184 per plane. AE3 uses five weights but convolves as often as the rest.
MACS = dict.fromkeys(PARAMETERS, 419_904) | {
    "AE1": 212_544,
    "AE4": 295_488,
    "AE5": 295_488,
    "AE6": 295_488,
    "AE9": 316_224,
    "AE10": 523_584,
}
CODERS = [f"AE{n}" for n in range(1, 11)]  # the others share the published network


ROWS = {row.name: row for row in STUDY.rows if row.name != "AE11-long"}


def fnet_config(name: str) -> FNetConfig:
    return FNetConfig(coder=CoderConfig(**ROWS[name].model.get("coder", {})))


def ifnet_config(name: str) -> IFNetConfig:
    """IFNet's coder follows FNet's, but for what the row changes of it alone."""
    changes = {**ROWS[name].model.get("coder", {}), **ROWS[name].parts.get("inverse", {}).get("coder", {})}
    return IFNetConfig(coder=CoderConfig(**changes))


def pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(6))
    return a, b


def build(name: str, channels: int = 64) -> FNet:
    torch.manual_seed(7)
    config = fnet_config(name)
    return FNet(replace(config, coder=replace(config.coder, channels=channels)))


def test_there_are_fifteen() -> None:
    assert list(ROWS) == list(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_ablation_has_the_tabled_number_of_parameters(name: str) -> None:
    assert build(name).spec.parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_ablation_states_its_multiply_accumulates(name: str) -> None:
    assert build(name).spec.macs_per_pixel == MACS[name]


@pytest.mark.parametrize(("name", "radius"), [("AE1", 80), ("AE4", 80), ("AE9", 64), ("AE10", 96)])
def test_ablation_states_its_reach(name: str, radius: int) -> None:
    assert build(name).spec.receptive_radius == radius


def test_ifnet_has_the_tabled_number_of_parameters() -> None:
    assert sum(p.numel() for p in IFNet().parameters()) == 207_368


@pytest.mark.parametrize("size", [(11, 13), (7, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("name", CODERS)
def test_fast_form_of_an_ablation_equals_its_literal_one(name: str, size: tuple[int, int]) -> None:
    model = build(name)
    a, b = pair(2, 1, *size)
    with torch.no_grad():
        # rounding through the thresholds; values up to 3 with these weights
        torch.testing.assert_close(model(a, b), model.forward_plain(a, b), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(6, 5), (7, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("name", CODERS)
def test_training_form_of_an_ablation_equals_its_literal_one(name: str, size: tuple[int, int]) -> None:
    model = build(name, channels=6)
    a, b = pair(2, 1, *size)
    torch.testing.assert_close(model(a, b), model.forward_plain(a, b), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", CODERS)
def test_ablation_works_in_float64(name: str) -> None:
    model = build(name, channels=6).double()
    a, b = (x.double() for x in pair(1, 1, 6, 5))
    with torch.no_grad():
        torch.testing.assert_close(model(a, b), model.forward_plain(a, b), rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", CODERS)
def test_ablation_has_finite_gradients_everywhere(name: str) -> None:
    model = build(name, channels=6)
    model(*pair(2, 1, 12, 12)).square().mean().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


@pytest.mark.parametrize("name", CODERS)
def test_gradients_of_an_ablation_equal_plain_autograd(name: str) -> None:
    model = build(name, channels=6).double()
    a, b = (x.double() for x in pair(1, 1, 6, 5))
    parameters = list(model.parameters())
    fast, plain = (torch.autograd.grad(form(a, b).square().sum(), parameters) for form in (model, model.forward_plain))
    torch.testing.assert_close(fast, plain, rtol=1e-7, atol=1e-9)  # float64


@pytest.mark.parametrize("name", ["AE1", "AE2", "AE6"])
def test_ifnet_of_an_ablation_equals_its_literal_form(name: str) -> None:
    torch.manual_seed(7)
    model = IFNet(ifnet_config(name))
    with torch.no_grad():
        fused = pair(1, 1, 6, 9)[0]
        torch.testing.assert_close(model(fused), model.forward_plain(fused), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", CODERS)
def test_explanation_of_an_ablation_ends_with_its_result(name: str) -> None:
    model = build(name)
    a, b = pair(1, 1, 6, 9)
    with torch.no_grad():
        torch.testing.assert_close(model.explain(a, b)["fused"], model.forward_plain(a, b), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CODERS)
def test_configuration_of_an_ablation_goes_through_json(name: str) -> None:
    config = fnet_config(name)
    assert FNetConfig.from_json(config.to_json()) == config


def test_training_ablations_leave_both_networks_alone() -> None:
    names = ["AE11", "AE13", "AE14", "AE15"]
    assert all((fnet_config(n), ifnet_config(n)) == (FNetConfig(), IFNetConfig()) for n in names)


def test_each_loss_term_is_dropped_once() -> None:
    assert [ROWS[n].losses for n in ("AE13", "AE14", "AE15")] == [
        {"fusion": {name: 0.0}} for name in ("intensity", "gradient", "ssim")
    ]


def test_ae12_changes_ifnet_alone() -> None:
    assert fnet_config("AE12") == FNetConfig()
    assert ifnet_config("AE12").coder.threshold == "soft"


def test_ae11_has_no_first_stage() -> None:
    assert ROWS["AE11"].without == "reconstruction"
