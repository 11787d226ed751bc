"""The compiled sparse coding equals the literal one, whatever the processor, the threads, the bands and the tiles."""

import functools

import pytest
import torch

from polyfuse.ops import native_coding
from polyfuse.ops.native_coding import FLOAT32_SETS, TILE, coding_form
from polyfuse.ops.native_kernels import kernel
from polyfuse.ops.precision import BF16_SET

pytestmark = pytest.mark.skipif(kernel("lzsc") is None, reason="built without the compiled kernel")

# Around the ends of tiles (48 columns), and one pixel.
SIZES = [(1, 1), (1, TILE), (8, TILE - 1), (9, TILE + 1), (10, 2 * TILE), (3, 2 * TILE + 1)]
# The threshold multiplies rounding errors by up to 3.4 in each of five steps; measured: below 2e-5 on values up to 3.
FLOAT32_ERROR = 1e-4
# Operands with 8 bits of mantissa: an error of 2^-9 in each product, partly averaged out; measured: mean 2.7e-3.
BF16_MEAN_ERROR = 6e-3


@pytest.fixture(scope="module")
def block(make_steps, literal_coding):
    """`(count, size) -> (planes, steps, reads, literal result in float64)`, computed once for all instruction sets."""

    @functools.cache
    def build(count: int, size: tuple[int, int]):
        steps, reads = make_steps(count)
        e = torch.rand(1, count, *size, generator=torch.Generator().manual_seed(2))
        return e, steps, reads, literal_coding(e.double(), steps, [read.double() for read in reads])

    return build


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", FLOAT32_SETS)
def test_float32_equals_the_literal_form(
    name: str, count: int, size: tuple[int, int], block, use_instruction_set
) -> None:
    use_instruction_set(name)
    e, steps, reads, expected = block(count, size)
    found = coding_form("float32")(e, steps, reads)
    torch.testing.assert_close([x.double() for x in found], expected, rtol=0, atol=FLOAT32_ERROR)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_bf16_is_near_the_literal_form(count: int, size: tuple[int, int], block, use_instruction_set) -> None:
    use_instruction_set(BF16_SET)
    e, steps, reads, expected = block(count, size)
    for plane, wanted in zip(coding_form("bf16")(e, steps, reads), expected, strict=True):
        assert (plane - wanted).abs().mean().item() < BF16_MEAN_ERROR


@pytest.mark.parametrize("reads", [1, 2, 3])
def test_as_many_planes_are_read_as_asked_for(reads: int, literal_coding, make_steps, planes) -> None:
    steps, weights = make_steps(1, reads=reads)
    e = planes(1, 1, 5, 9)
    torch.testing.assert_close(
        coding_form("float32")(e, steps, weights), literal_coding(e, steps, weights), rtol=0, atol=FLOAT32_ERROR
    )


def test_a_single_estimate_without_iterations_works(literal_coding, make_steps, planes) -> None:
    steps, reads = make_steps(2, iterations=0)
    e = planes(1, 2, 6, 50)
    torch.testing.assert_close(
        coding_form("float32")(e, steps, reads), literal_coding(e, steps, reads), rtol=0, atol=FLOAT32_ERROR
    )


@pytest.mark.parametrize("name", [*FLOAT32_SETS, BF16_SET])
def test_result_does_not_depend_on_the_number_of_threads(
    name: str, make_steps, planes, use_instruction_set, set_threads
) -> None:
    use_instruction_set(name)
    steps, reads = make_steps(2)
    e = planes(1, 2, 43, TILE + 5)
    results = []
    for threads in (1, 2, 3):
        set_threads(threads)
        results.append(coding_form("bf16" if name == BF16_SET else "float32")(e, steps, reads)[0])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("name", [*FLOAT32_SETS, BF16_SET])
def test_result_does_not_depend_on_the_bands(name: str, make_steps, planes, use_instruction_set, monkeypatch) -> None:
    use_instruction_set(name)
    steps, reads = make_steps(1)
    e = planes(1, 1, 23, TILE + 5)
    form = coding_form("bf16" if name == BF16_SET else "float32")
    results = []
    for bands in (1, 5, 23):
        monkeypatch.setattr(native_coding, "BANDS_PER_THREAD", bands)
        results.append(form(e, steps, reads)[0])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("name", [*FLOAT32_SETS, BF16_SET])
def test_result_does_not_depend_on_the_place_in_a_tile(name: str, make_steps, planes, use_instruction_set) -> None:
    use_instruction_set(name)
    steps, reads = make_steps(1, iterations=2)
    reach = 4 + 2 * 8 + 4  # 2 iterations and the read-out
    form = coding_form("bf16" if name == BF16_SET else "float32")
    e = planes(1, 1, 60, 150)
    whole = form(e, steps, reads)[0]
    part = form(e[..., 3:, 29:].contiguous(), steps, reads)[0]
    inside = (..., slice(reach, 60 - 3 - reach), slice(reach, 150 - 29 - reach))
    assert torch.equal(part[inside], whole[..., 3:, 29:][inside])


def test_pictures_of_a_batch_do_not_touch_each_other(make_steps, planes) -> None:
    steps, reads = make_steps(2)
    e = planes(3, 2, 10, 49)
    together = coding_form("float32")(e, steps, reads)[0]
    assert torch.equal(together[1:2], coding_form("float32")(e[1:2], steps, reads)[0])


def test_planes_need_not_be_contiguous(make_steps, planes) -> None:
    steps, reads = make_steps(1)
    e = planes(1, 1, 30, 20)
    turned = coding_form("float32")(e.transpose(-1, -2), steps, reads)[0]
    assert torch.equal(turned, coding_form("float32")(e.transpose(-1, -2).contiguous(), steps, reads)[0])


def test_buffers_are_not_kept_between_pictures_of_different_size(make_steps, planes) -> None:
    steps, reads = make_steps(1)
    form = coding_form("float32")
    small = planes(1, 1, 7, 5)
    fresh = form(small, steps, reads)[0]
    form(planes(1, 1, 40, 100) * 50, steps, reads)
    assert torch.equal(form(small, steps, reads)[0], fresh)


def test_threshold_saturates_without_overflow(make_steps, planes) -> None:
    steps, reads = make_steps(1)
    found = coding_form("float32")(planes(1, 1, 9, 9) * 1e6, steps, reads)[0]
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_weights_of_another_dtype_are_not_taken(dtype: torch.dtype, make_steps, planes) -> None:
    steps, _ = make_steps(1)
    steps[0] = type(steps[0])(steps[0].theta, steps[0].input.to(dtype))
    assert not native_coding.supports(planes(1, 1, 4, 4), steps)


def test_bf16_falls_back_to_float32_without_the_instructions(make_steps, planes, monkeypatch) -> None:
    have = native_coding.instruction_set
    expected = coding_form("float32")
    monkeypatch.setattr(
        native_coding, "instruction_set", lambda precision: None if precision == "bf16" else have("float32")
    )
    steps, reads = make_steps(1)
    e = planes(1, 1, 9, 9)
    assert torch.equal(coding_form("bf16")(e, steps, reads)[0], expected(e, steps, reads)[0])
