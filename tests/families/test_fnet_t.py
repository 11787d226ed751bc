"""What FNet-T promises for any weights, any input and both precisions."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from polyfuse import load
from polyfuse.errors import InputError, UsageError
from polyfuse.families.fnet_t import FNetT, FNetTConfig
from polyfuse.families.fnet_t import fast as fnet_t_fast
from polyfuse.families.fnet_t.network import LEAK
from polyfuse.layers import strips
from polyfuse.ops.native_maps_sets import maps_instruction_set
from polyfuse.ops.precision import Precision
from polyfuse.weights.store import WeightsInfo, save_weights

CONFIGS = [FNetTConfig(), FNetTConfig(48, 3, 4), FNetTConfig(8, 1, 1, 5), FNetTConfig(16, 2, 3, 1)]
PRECISIONS: list[Precision] = ["float32", "bf16"]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Pictures here are too small to share out."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=CONFIGS, ids=str)
def model(request: pytest.FixtureRequest) -> FNetT:
    """FNet-T with random weights whose residual is as large as the pictures."""
    return with_random_weights(FNetT(request.param))


def with_random_weights(model: FNetT) -> FNetT:
    generator = torch.Generator().manual_seed(3)
    for conv in [*model.hidden, model.read]:
        nn.init.kaiming_uniform_(conv.weight, LEAK, generator=generator)
    return model.eval().requires_grad_(False)


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (17, 33), (16, 24)], ids=str)
def test_any_size_works_and_the_pictures_of_a_batch_do_not_touch(
    model: FNetT, size: tuple[int, int], precision: Precision
) -> None:
    model.precision = precision
    a, b = random_pair(2, 1, *size)
    both = model(a, b)
    assert (both.shape, both.dtype) == (a.shape, torch.float32)
    # Sums may be ordered otherwise for a batch; in bf16 a map's value then moves by one step.
    error = 0.05 if precision == "bf16" else 1e-5
    torch.testing.assert_close(both[1:], model(a[1:], b[1:]), rtol=0, atol=error)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_black_stays_exactly_black(model: FNetT, precision: Precision) -> None:
    model.precision = precision
    black = torch.zeros(1, 1, 19, 22)
    assert model(black, black).abs().max().item() == 0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_black_background_beyond_the_reach_of_a_scan_is_exactly_black(model: FNetT, precision: Precision) -> None:
    model.precision = precision
    radius = model.spec.receptive_radius
    assert radius is not None
    side = 2 * radius + 12
    a, b = random_pair(1, 1, side, side)
    a[..., :-6, :], b[..., :-6, :] = 0, 0
    fused = model(a, b)[0, 0]
    assert fused[: side - 6 - radius].abs().max().item() == 0
    assert fused[-6:].abs().min().item() > 0


def test_keep_black_makes_every_pixel_black_that_is_so_in_both_and_changes_no_other() -> None:
    a, b = random_pair(1, 1, 20, 20)
    a[..., 6:11, 5:9], b[..., 6:11, 5:9], a[..., 0, 0] = 0, 0, 0
    plain, kept = (with_random_weights(FNetT(FNetTConfig(keep_black=on))) for on in (False, True))
    inside = (a == 0) & (b == 0)
    assert plain(a, b)[inside].abs().min().item() > 0
    assert kept(a, b)[inside].abs().max().item() == 0
    assert torch.equal(kept(a, b)[~inside], plain(a, b)[~inside])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_half_as_bright_a_pair_gives_half_as_bright_a_picture_to_the_bit(model: FNetT, precision: Precision) -> None:
    model.precision = precision
    a, b = random_pair(1, 1, 18, 21)
    assert torch.equal(model(a / 2, b / 2), model(a, b) / 2)


def test_brightness_scales_the_picture_by_any_factor(model: FNetT) -> None:
    a, b = random_pair(1, 1, 18, 21)
    torch.testing.assert_close(model(0.3 * a, 0.3 * b), 0.3 * model(a, b), rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [(0.7, 0.2), (0.1, 0.9)], ids=str)
def test_constant_pair_has_no_rim(model: FNetT, value: tuple[float, float]) -> None:
    side = model.config.unshuffle
    a, b = (torch.full((1, 1, 13 * side, 15 * side), one) for one in value)
    fused = model(a, b)
    torch.testing.assert_close(fused, fused[..., :side, :side].repeat(1, 1, 13, 15), rtol=0, atol=1e-5)


def test_pixel_reaches_the_declared_radius_and_no_further(model: FNetT) -> None:
    radius, step = model.spec.receptive_radius, model.config.unshuffle
    assert radius is not None
    centre = -(-(radius + 1) // step) * step
    side = 2 * centre + step
    a, b = random_pair(1, 1, side, side)
    before, found = model(a, b), 0.0
    for row in range(centre, centre + step):
        for column in range(centre, centre + step):
            changed = b.clone()
            changed[0, 0, row, column] += 0.5
            rows, columns = torch.nonzero((model(a, changed) - before)[0, 0], as_tuple=True)
            found = max(found, (rows - row).abs().max().item(), (columns - column).abs().max().item())
    assert found == radius


def test_declared_counts_are_the_real_ones(model: FNetT, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, conv2d = [], nn.functional.conv2d

    def counting(x: Tensor, weight: Tensor) -> Tensor:
        output = conv2d(x, weight)
        counted.append(weight[0].numel() * output.numel())
        return output

    monkeypatch.setattr(nn.functional, "conv2d", counting)
    spec, side = model.spec, 12 * 40  # large, so that the border that is cut away hardly counts
    model(torch.zeros(1, 1, side, side), torch.zeros(1, 1, side, side))
    assert spec.parameters == sum(weight.numel() for weight in model.parameters())
    assert spec.macs_per_pixel <= sum(counted) / side**2 + 1 < 1.2 * spec.macs_per_pixel
    assert spec.receptive_radius is not None
    assert spec.halo >= spec.receptive_radius
    assert spec.halo % spec.multiple_of == 0


def test_bf16_differs_by_less_than_a_hundredth_of_what_the_convolutions_add(model: FNetT) -> None:
    a, b = random_pair(1, 1, 40, 44)
    exact, largest = model(a, b), model.explain(a, b)["residual"].abs().max().item()
    model.precision = "bf16"
    error = (model(a, b) - exact).abs()
    assert 0 < error.max().item() < 0.01 * largest  # measured: up to 0.006


@pytest.mark.skipif(maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or no bfloat16")
@pytest.mark.parametrize("channels", [8, 16, 32, 48])
def test_compiled_form_is_the_plain_one_up_to_rounding(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_random_weights(FNetT(FNetTConfig(channels)))
    a, b = random_pair(2, 1, 37, 50)
    exact, largest = model(a, b), model.explain(a, b)["residual"].abs().max().item()
    model.precision = "bf16"
    assert fnet_t_fast.takes(model, a)
    compiled = model(a, b)
    monkeypatch.setattr(fnet_t_fast, "takes", lambda *_: False)
    plain = model(a, b)
    assert not torch.equal(compiled, plain)
    for found in (compiled, plain):  # as far from float32 as each other
        assert (found - exact).abs().max().item() < 0.01 * largest


@pytest.mark.skipif(maps_instruction_set(torch.bfloat16) is None, reason="no compiled kernel, or no bfloat16")
def test_strips_and_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_random_weights(FNetT(FNetTConfig(16)))
    model.precision = "bf16"
    a, b = random_pair(1, 1, 141, 50)
    whole = model(a, b)
    monkeypatch.setattr(strips, "STRIP_BYTES", 1)
    assert torch.equal(model(a, b), whole)
    torch.set_num_threads(2)
    try:
        assert torch.equal(model(a, b), whole)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_other_networks_and_precisions_go_the_plain_way() -> None:
    a, _ = random_pair(1, 1, 8, 8)
    for config in (FNetTConfig(20), FNetTConfig(16, unshuffle=4), FNetTConfig(16, kernel=5)):
        model = FNetT(config)
        model.precision = "bf16"
        assert not fnet_t_fast.takes(model, a)
    assert not fnet_t_fast.takes(FNetT(), a)


def test_explanation_adds_up_to_the_fused_picture(model: FNetT) -> None:
    a, b = random_pair(1, 1, 9, 14)
    found = model.explain(a, b)
    assert torch.equal(found["base"], torch.maximum(a, b))
    assert torch.equal(found["base"] + found["residual"], found["fused"])
    assert torch.equal(found["fused"], model(a, b))


def test_gradients_reach_every_weight_in_both_precisions() -> None:
    a, b = random_pair(2, 1, 16, 16)
    for precision in PRECISIONS:
        model = with_random_weights(FNetT()).requires_grad_(True)
        model.precision = precision
        model(a, b).square().mean().backward()
        assert all(p.grad is not None and p.grad.abs().max().item() > 0 for p in model.parameters())


@pytest.mark.parametrize("config", [*CONFIGS, FNetTConfig(keep_black=True)], ids=str)
def test_configuration_survives_json(config: FNetTConfig) -> None:
    assert FNetTConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("wrong", [{"kernel": 4}, {"depth": 0}, {"channels": 0}, {"unshuffle": 0}, {"kernel": -1}])
def test_impossible_configuration_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="kernel odd"):
        FNetTConfig(**wrong)


def test_pictures_of_two_sizes_are_an_input_error() -> None:
    with pytest.raises(InputError, match="one shape"):
        FNetT()(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))


@pytest.fixture
def saved(tmp_path):
    model = with_random_weights(FNetT(FNetTConfig(channels=16, unshuffle=4)))
    path = tmp_path / "w.safetensors"
    save_weights(path, model.state_dict(), WeightsInfo("fnet-t.test", "fnet-t", model.config.to_json()))
    return path, model


def test_weights_file_makes_the_network_it_holds(saved) -> None:
    path, model = saved
    a, b = random_pair(1, 1, 10, 10)
    for name in ("fnet-t", "auto"):
        assert torch.equal(load(name, weights=path)(a, b), model(a, b))


def test_precision_is_passed_on(saved) -> None:
    assert load("fnet-t", weights=saved[0], precision="bf16").precision == "bf16"


def test_border_is_not_for_this_network(saved) -> None:
    with pytest.raises(UsageError, match="model fnet-t has no choice of borders"):
        load("fnet-t", weights=saved[0], border="reflect")


def test_configuration_with_an_unknown_key_is_an_input_error(tmp_path, saved) -> None:
    info = WeightsInfo("fnet-t.test", "fnet-t", {"channel": 3})
    save_weights(tmp_path / "x.safetensors", saved[1].state_dict(), info)
    with pytest.raises(InputError, match=r"x\.safetensors has a configuration no fnet-t can have"):
        load("fnet-t", weights=tmp_path / "x.safetensors")


def test_the_message_about_a_configuration_is_one_line_of_some_length(tmp_path, saved) -> None:
    info = WeightsInfo("fnet-t.test", "fnet-t", {f"two\nlines{'x' * 9999}": 3})
    save_weights(tmp_path / "x.safetensors", saved[1].state_dict(), info)
    with pytest.raises(InputError, match="has a configuration no fnet-t can have") as caught:
        load("fnet-t", weights=tmp_path / "x.safetensors")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1500
