"""Average, maximum and Laplacian pyramid: identical inputs, symmetry, any size, declared reach and tiling."""

import subprocess
import sys

import pytest
import torch

from polyfuse.families.classic import Average, Laplacian, Maximum

MODELS = [Average(), Maximum(), Laplacian()]
SIZES = [(1, 1), (1, 2), (2, 1), (3, 5), (16, 16), (17, 33), (31, 1), (50, 47)]


def pictures(count: int, *size: int) -> torch.Tensor:
    return torch.rand(count, 1, 1, *size, generator=torch.Generator().manual_seed(8))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.spec.family)
def test_identical_inputs_come_back(model, size: tuple[int, int]) -> None:
    (a,) = pictures(1, *size)
    # exact but for the roundings of adding a detail to what it was taken from, once per level
    error = 5e-7 if isinstance(model, Laplacian) else 0.0
    torch.testing.assert_close(model(a, a), a, rtol=0, atol=error)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.spec.family)
def test_order_of_the_inputs_does_not_matter(model, size: tuple[int, int]) -> None:
    a, b = pictures(2, *size)
    assert torch.equal(model(a, b), model(b, a))


def test_order_does_not_matter_where_details_tie() -> None:
    a = torch.zeros(1, 1, 9, 9)
    a[..., 4, 4] = 1.0
    assert torch.equal(Laplacian()(a, -a), Laplacian()(-a, a))


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.spec.family)
def test_pictures_of_a_batch_do_not_touch_each_other(model) -> None:
    a, b = (x.expand(3, 1, 9, 14) * torch.tensor([1.0, 0.5, 0.2]).reshape(3, 1, 1, 1) for x in pictures(2, 9, 14))
    # the pyramid's convolutions leave the order of their sums to the library
    error = 5e-7 if isinstance(model, Laplacian) else 0.0
    torch.testing.assert_close(model(a, b)[1:2], model(a[1:2], b[1:2]), rtol=0, atol=error)


PEAK = """
import sys, torch
from polyfuse.fusion.tiles import memory_in_use
from polyfuse.registry import load
def peak():
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
torch.set_num_threads(1)
model, side = load(sys.argv[1]), int(sys.argv[2])
a, b = torch.rand(2, 1, 1, side, side)
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here on
before = memory_in_use()
with torch.inference_mode():
    model(a, b)
print(peak() - before, model.spec.memory(side, side) + model.spec.fixed_bytes)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process can be set back on Linux only")
@pytest.mark.parametrize("model", ["average", "laplacian"])
def test_declared_memory_is_not_exceeded(model: str) -> None:
    ran = subprocess.run([sys.executable, "-c", PEAK, model, "700"], capture_output=True, text=True, check=True)
    taken, declared = map(int, ran.stdout.split())
    # what the interpreter and the libraries take by the way
    assert taken <= declared + (2 << 20)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.spec.family)
def test_float64_stays_float64(model) -> None:
    a, b = pictures(2, 5, 6).double()
    assert model(a, b).dtype == torch.float64


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.spec.family)
def test_pixel_reaches_no_further_than_declared(model) -> None:
    a, b = pictures(2, 151, 163)
    worst = 0.0
    for row, column in [(75, 81), (64, 80), (79, 95), (70, 83)]:  # different places on the coarse grid
        changed = a.clone()
        changed[..., row, column] += 10
        rows, columns = torch.nonzero((model(changed, b) != model(a, b))[0, 0], as_tuple=True)
        worst = max(worst, (rows - row).abs().max().item(), (columns - column).abs().max().item())
    assert worst <= model.spec.receptive_radius


@pytest.mark.parametrize("start", [(16, 32), (48, 16)], ids=str)
def test_laplacian_tile_on_the_declared_grid_equals_the_whole(start: tuple[int, int]) -> None:
    model, (a, b) = Laplacian(), pictures(2, 230, 245)
    assert all(side % model.spec.multiple_of == 0 for side in start)
    window = (..., slice(start[0], start[0] + 170), slice(start[1], start[1] + 165))
    whole, tile = model(a, b)[window], model(a[window], b[window])
    inside = (..., slice(model.spec.halo, -model.spec.halo), slice(model.spec.halo, -model.spec.halo))
    # the same sums; the convolution library may order them differently for another size
    torch.testing.assert_close(tile[inside], whole[inside], rtol=0, atol=5e-7)


def test_laplacian_keeps_the_stronger_detail() -> None:
    a = torch.full((1, 1, 64, 64), 0.5)
    b = a.clone()
    b[..., 31:33, 31:33] = 0.8
    contrast = (Laplacian()(a, b)[..., 31, 31] - Laplacian()(a, b)[..., 10, 10]).item()
    assert contrast > 0.25  # the average would leave 0.15


def test_maximum_takes_the_larger_pixel() -> None:
    a, b = pictures(2, 4, 5)
    assert torch.equal(Maximum()(a, b), torch.maximum(a, b))


def test_average_takes_the_mean() -> None:
    assert Average()(torch.tensor([[[[0.2]]]]), torch.tensor([[[[0.6]]]])).item() == pytest.approx(0.4)
