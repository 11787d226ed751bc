"""What FNet promises for any weights and any input."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyfuse import load
from polyfuse.errors import InputError, UsageError
from polyfuse.families.fnet.inverse import IFNet
from polyfuse.families.fnet.network import FNet, FNetConfig

FORMS = ["plain", "compiled", "compiled bf16", "row split", "row split bf16", "differentiable"]


def random_pair(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.mark.parametrize("form", FORMS)
def test_network_is_odd_to_the_bit(form: str, formula_fnet, evaluate) -> None:
    a, b = random_pair(1, 1, 19, 50)
    assert torch.equal(evaluate(form, formula_fnet, -a, -b), -evaluate(form, formula_fnet, a, b))


@pytest.mark.parametrize("form", FORMS)
def test_zero_gives_exactly_zero(form: str, formula_fnet, evaluate) -> None:
    zero = torch.zeros(1, 1, 13, 50)
    assert evaluate(form, formula_fnet, zero, zero).abs().max().item() == 0


@pytest.mark.parametrize("form", FORMS)
def test_pictures_of_a_batch_do_not_touch_each_other(form: str, formula_fnet, evaluate) -> None:
    a, b = random_pair(3, 1, 18, 33)
    together = evaluate(form, formula_fnet, a, b)
    # The row split leaves the order of sums to the convolution library, which may choose another one for a batch:
    # rounding of values up to 7 (measured 5e-6; none in bf16, where one step of such a value is 0.03).
    error = {"row split": 5e-5, "differentiable": 5e-5, "row split bf16": 0.03}.get(form, 0.0)
    torch.testing.assert_close(together[1:2], evaluate(form, formula_fnet, a[1:2], b[1:2]), rtol=0, atol=error)


@pytest.mark.parametrize(
    "form", [pytest.param("plain", marks=pytest.mark.slow), "compiled", "compiled bf16", "row split"]
)
def test_result_moves_with_the_picture_beyond_80_pixels(form: str, formula_fnet, evaluate) -> None:
    a, b = random_pair(1, 1, 177, 185)  # two windows of 170 x 174, 7 rows and 11 columns apart
    first = evaluate(form, formula_fnet, a[..., :170, :174], b[..., :170, :174])
    second = evaluate(form, formula_fnet, a[..., 7:, 11:], b[..., 7:, 11:])
    # The common part lies 80 pixels inside both windows. The literal and the compiled forms add every pixel up in one
    # fixed order; the row split leaves the order to the library: float32 rounding of values up to 30.
    error = 1e-3 if form.startswith("row split") else 0.0
    torch.testing.assert_close(first[..., 87:90, 91:94], second[..., 80:83, 80:83], rtol=0, atol=error)


@pytest.mark.parametrize("form", ["compiled", "compiled bf16"])
def test_tile_with_80_pixels_around_it_equals_the_whole_to_the_bit(form: str, formula_fnet, evaluate) -> None:
    a, b = random_pair(1, 1, 190, 230)
    whole = evaluate(form, formula_fnet, a, b)
    top, left, height, width = 13, 29, 172, 190
    window = (..., slice(top, top + height), slice(left, left + width))
    tile = evaluate(form, formula_fnet, a[window], b[window])
    inside = (..., slice(80, height - 80), slice(80, width - 80))
    assert torch.equal(tile[inside], whole[window][inside])


def test_pixel_reaches_80_pixels_and_no_further(formula_fnet, evaluate) -> None:
    a, b = random_pair(1, 1, 165, 165)
    changed = a.clone()
    changed[0, 0, 82, 82] += 0.2
    moved = evaluate("compiled", formula_fnet, changed, b) != evaluate("compiled", formula_fnet, a, b)
    rows, columns = torch.nonzero(moved[0, 0], as_tuple=True)
    assert max((rows - 82).abs().max().item(), (columns - 82).abs().max().item()) <= formula_fnet.spec.receptive_radius


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(height=st.integers(1, 20), width=st.integers(1, 60), batch=st.integers(1, 2))
def test_any_size_works_in_every_form(height: int, width: int, batch: int, formula_fnet, evaluate) -> None:
    a, b = random_pair(batch, 1, height, width)
    plain = evaluate("plain", formula_fnet, a, b)
    fast = torch.stack([evaluate(form, formula_fnet, a, b) for form in ("row split", "differentiable")])
    # values up to 30 with these weights; measured: below 1e-4
    torch.testing.assert_close(fast, plain.expand_as(fast), rtol=0, atol=1e-3)


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("form", ["compiled", "compiled bf16"])
def test_result_does_not_depend_on_threads(form: str, threads: int, formula_fnet, evaluate) -> None:
    a, b = random_pair(1, 1, 37, 61)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = evaluate(form, formula_fnet, a, b)
        torch.set_num_threads(threads)
        several = evaluate(form, formula_fnet, a, b)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(single, several)


def test_inputs_are_left_alone(formula_fnet) -> None:
    a, b = random_pair(1, 1, 9, 50)
    before = a.clone(), b.clone()
    with torch.no_grad():
        formula_fnet(a, b)
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])


@pytest.mark.parametrize(
    "shapes",
    [((1, 1, 4, 4), (1, 1, 4, 5)), ((1, 3, 4, 4), (1, 3, 4, 4)), ((4, 4), (4, 4)), ((1, 1, 4, 4), (2, 1, 4, 4))],
    ids=str,
)
def test_wrong_shapes_are_refused_by_name(shapes, formula_fnet) -> None:
    with pytest.raises(InputError, match=r"a \(.*and b \(.*: pass two"):
        formula_fnet(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_ifnet_refuses_several_channels() -> None:
    with pytest.raises(InputError, match="pass"):
        IFNet()(torch.zeros(1, 2, 4, 4))


def test_configuration_goes_through_json() -> None:
    import json

    config = FNetConfig(border="reflect")
    assert FNetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_unknown_border_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown border 'wrap'"):
        FNetConfig(border="wrap")  # type: ignore[arg-type]


def test_a_text_that_is_no_name_of_a_choice_is_cut_in_the_message() -> None:
    with pytest.raises(UsageError, match=r"border is 'xxx.*x, of a wrong type") as caught:
        FNetConfig(border="x" * 9999)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200


def test_published_network_has_the_published_counts(formula_fnet) -> None:
    spec = formula_fnet.spec
    assert (spec.parameters, spec.macs_per_pixel, spec.receptive_radius) == (419_916, 419_904, 80)


@pytest.mark.parametrize("value", [0.2, 1.0])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (40, 51)], ids=str)
def test_reflecting_border_gives_a_constant_picture_no_rim(size: tuple[int, int], value: float, official_fnet) -> None:
    model = FNet(FNetConfig(border="reflect"))
    model.load_state_dict(official_fnet.state_dict())
    a = torch.full((1, 1, *size), value)
    with torch.no_grad():
        fused = model.eval()(a, a)
    assert fused.shape == a.shape
    # what zeros 48 pixels away still do: 3e-7 for a step of 0.2 (specification, section 4), and rounding
    assert (fused.max() - fused.min()).item() < 2e-5


def test_zero_border_does_give_a_rim(official_fnet) -> None:
    a = torch.full((1, 1, 40, 51), 0.5)
    with torch.no_grad():
        fused = official_fnet(a, a)
    assert (fused.max() - fused.min()).item() > 0.02


@pytest.mark.parametrize("size", [(1, 9), (40, 51)], ids=str)
def test_narrow_margin_gives_the_wide_ones_picture_within_the_error_it_states(size: tuple[int, int]) -> None:
    model, fused = load("fnet.road"), {}
    assert isinstance(model, FNet)
    pictures = torch.rand(2, 1, 1, *size, generator=torch.Generator().manual_seed(3))
    for margin in (8, 24, 48):
        model.config = replace(model.config, border="reflect", margin=margin)
        with torch.no_grad():
            fused[margin] = model(*pictures)
    assert (fused[24] - fused[48]).abs().max().item() < 5e-4 < (fused[8] - fused[48]).abs().max().item()


def test_margin_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="a margin of 0 mirrors nothing"):
        FNetConfig(border="reflect", margin=0)


def test_configuration_from_before_there_was_a_margin_is_read() -> None:
    old = FNetConfig(border="reflect").to_json()
    del old["margin"], old["keep_black"]
    assert FNetConfig.from_json(old) == FNetConfig(border="reflect", margin=48)


def test_reflecting_border_is_differentiable(with_formula_weights) -> None:
    model = with_formula_weights(FNet(FNetConfig(border="reflect")))
    model(*random_pair(1, 1, 3, 4)).sum().backward()
    assert torch.isfinite(model.coder_u.w_theta.grad).all()


@pytest.mark.parametrize("border", ["zeros", "reflect"])
def test_black_background_is_kept_where_asked_and_nothing_else_changes(
    border: Literal["zeros", "reflect"], formula_fnet
) -> None:
    a, b = random_pair(1, 1, 30, 40)
    a[..., :10] = b[..., :10] = 0
    a[..., 12:14] = 0  # black in one source only
    plain = FNet(FNetConfig(border=border)).eval()
    keeping = FNet(FNetConfig(border=border, keep_black=True)).eval()
    for model in (plain, keeping):
        model.load_state_dict(formula_fnet.state_dict())
    with torch.no_grad():
        before, after = plain(a, b), keeping(a, b)
    assert before[..., :10].abs().max() > 0.01
    assert after[..., :10].abs().max() == 0
    assert torch.equal(after[..., 10:], before[..., 10:])
    assert torch.equal(keeping.explain(a, b)["fused"][..., :10], torch.zeros(1, 1, 30, 10))


def test_weights_of_before_keep_black_are_read() -> None:
    values = FNetConfig().to_json()
    del values["keep_black"]
    assert FNetConfig.from_json(values) == FNetConfig()
