"""The row-split sparse coding equals the literal one, with and without gradients, in bands and whole."""

import pytest
import torch
from torch.nn import functional

from polyfuse.ops import rowsplit_coding
from polyfuse.ops.rowsplit_coding import coding_form, expand, reduce

SIZES = [(1, 1), (1, 9), (9, 1), (13, 10)]
# Rounding, multiplied by up to 3.4 in each of five thresholds; measured: below 2e-5 on values up to 3.
FLOAT32_ERROR = 1e-4


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_expansion_equals_a_convolution(size: tuple[int, int], planes) -> None:
    x, weight = planes(2, 3, *size).double(), planes(8, 3, 9, 9).double() - 0.5
    torch.testing.assert_close(expand(x, weight), functional.conv2d(x, weight, padding=4), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_reduction_equals_a_convolution(size: tuple[int, int], planes) -> None:
    x, weight = planes(2, 8, *size).double(), planes(3, 8, 9, 9).double() - 0.5
    torch.testing.assert_close(reduce(x, weight), functional.conv2d(x, weight, padding=4), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_float32_equals_the_literal_form(
    size: tuple[int, int], count: int, training: bool, literal_coding, make_steps, planes
) -> None:
    steps, reads = make_steps(count)
    e = planes(2, count, *size)
    found = coding_form(training=training, precision="float32")(e, steps, reads)
    expected = literal_coding(e.double(), steps, [read.double() for read in reads])
    torch.testing.assert_close([x.double() for x in found], expected, rtol=0, atol=FLOAT32_ERROR)


def test_bf16_is_near_the_literal_form(literal_coding, make_steps, planes) -> None:
    steps, reads = make_steps(1)
    e = planes(1, 1, 20, 20)
    found = coding_form(training=False, precision="bf16")(e, steps, reads)[0]
    expected = literal_coding(e, steps, reads)[0]
    # operands and row sums rounded to 8 bits of mantissa, values up to 1; measured: mean 2e-3
    assert (found - expected).abs().mean().item() < 4e-3


def test_bands_do_not_change_the_result(make_steps, planes, monkeypatch) -> None:
    steps, reads = make_steps(2)
    e = planes(1, 2, 23, 17)
    whole = coding_form(training=False, precision="float32")(e, steps, reads)
    monkeypatch.setattr(rowsplit_coding, "BAND_VALUES", 64 * 17 * 5)  # bands of 5 rows
    banded = coding_form(training=False, precision="float32")(e, steps, reads)
    # the convolution library may sum in another order for another height
    torch.testing.assert_close(banded, whole, rtol=0, atol=FLOAT32_ERROR)


def test_inference_leaves_no_graph(make_steps, planes) -> None:
    steps, reads = make_steps(1)
    reads[0].requires_grad_()
    assert not coding_form(training=False, precision="float32")(planes(1, 1, 4, 4), steps, reads)[0].requires_grad


def test_gradient_to_the_planes_equals_autograd(literal_coding, make_steps, planes) -> None:
    steps, reads = make_steps(2)
    reads = [read.double() for read in reads]
    steps = [
        type(step)(
            **{name: value.double() if isinstance(value, torch.Tensor) else value for name, value in vars(step).items()}
        )
        for step in steps
    ]
    e = planes(1, 2, 8, 7).double().requires_grad_()
    fast = torch.autograd.grad(coding_form(training=True, precision="float32")(e, steps, reads)[0].square().sum(), e)
    plain = torch.autograd.grad(literal_coding(e, steps, reads)[0].square().sum(), e)
    torch.testing.assert_close(fast, plain, rtol=1e-9, atol=1e-9)
