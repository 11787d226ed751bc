"""Classic methods: identical inputs, symmetry, any size, declared reach, tiles and memory."""

import os
import subprocess
import sys

import pytest
import torch

from polyfuse.families.classic import (
    ADF,
    DTCWT,
    DWT,
    GFF,
    GTF,
    HMSDGF,
    LPSR,
    MGFF,
    TSIFVS,
    Average,
    Contrast,
    HybridMSD,
    Laplacian,
    Maximum,
    MDLatLRR,
    Ratio,
)
from polyfuse.registry import load

# the methods and the largest difference that identical inputs may show: roundings, one or a few per level
EXACT = [Average(), Maximum()]
ROUNDED = [
    Laplacian(),
    TSIFVS(),
    GFF(),
    GTF(),
    ADF(),
    DWT(),
    DTCWT(),
    Ratio(),
    Contrast(),
    HybridMSD(),
    HMSDGF(),
    load("mdlatlrr"),
]
ROUNDING = 2e-6
MODELS = [*EXACT, *ROUNDED, LPSR(), MGFF()]
SYMMETRIC = [model for model in MODELS if not isinstance(model, GTF | HybridMSD)]
LOCAL = [model for model in MODELS if model.spec.receptive_radius is not None]
SIZES = [(1, 1), (1, 2), (3, 5), (17, 33), (31, 1), (50, 47)]


def family(model) -> str:
    return model.spec.family


def pictures(count: int, *size: int) -> torch.Tensor:
    return torch.rand(count, 1, 1, *size, generator=torch.Generator().manual_seed(8))


@pytest.mark.parametrize("model", [*EXACT, *ROUNDED], ids=family)
def test_identical_inputs_come_back(model) -> None:
    for size in SIZES:
        (a,) = pictures(1, *size)
        torch.testing.assert_close(model(a, a), a, rtol=0, atol=0 if model in EXACT else ROUNDING)


def test_identical_inputs_come_back_but_for_what_sparse_codes_leave_out() -> None:
    (a,) = pictures(1, 160, 170)
    # a patch of 64 pixels is coded up to a rest of length 0.1
    assert (LPSR()(a, a) - a).abs().max().item() < 0.1


@pytest.mark.parametrize("model", SYMMETRIC, ids=family)
def test_order_of_the_inputs_does_not_matter(model) -> None:
    # weights that are 1 less those of the other source; all others choose or add the same numbers
    error = ROUNDING if isinstance(model, ADF | LPSR | GFF) else 0.0
    for size in SIZES:
        a, b = pictures(2, *size)
        torch.testing.assert_close(model(a, b), model(b, a), rtol=0, atol=error)


def test_order_does_not_matter_where_details_tie() -> None:
    a = torch.zeros(1, 1, 9, 9)
    a[..., 4, 4] = 1.0
    assert torch.equal(Laplacian()(a, -a), Laplacian()(-a, a))


@pytest.mark.parametrize("model", MODELS, ids=family)
def test_pictures_of_a_batch_do_not_touch_each_other(model) -> None:
    a, b = (x.expand(3, 1, 19, 24) * torch.tensor([1.0, 0.5, 0.2]).reshape(3, 1, 1, 1) for x in pictures(2, 19, 24))
    # libraries may order the sums of a batch in another way
    error = 0.0 if model in EXACT else ROUNDING
    torch.testing.assert_close(model(a, b)[1:2], model(a[1:2], b[1:2]), rtol=0, atol=error)


@pytest.mark.parametrize("model", MODELS, ids=family)
def test_black_and_white_give_finite_pictures(model) -> None:
    black, white = torch.zeros(1, 1, 20, 30), torch.ones(1, 1, 20, 30)
    for a, b in ((black, black), (black, white), (white, black)):
        fused = model(a, b)
        assert torch.isfinite(fused).all()
        assert -1e-5 <= fused.min() <= fused.max() <= 1 + 1e-5


PEAK = """
import ctypes, gc, sys, torch
from polyfuse.fusion.tiles import memory_in_use
from polyfuse.registry import load
def peak():
    return next(1024 * int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
torch.set_num_threads(1)
side = int(sys.argv[1])
a, b = torch.rand(2, 1, 1, side, side)
for name in sys.argv[2:]:
    model = load(name)
    with torch.inference_mode():
        model(a[..., :16, :16], b[..., :16, :16])  # libraries load parts of themselves at first use
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here on
    before = memory_in_use()
    with torch.inference_mode():
        model(a, b)
    print(name, peak() - before, model.spec.memory(side, side) + model.spec.fixed_bytes)
"""


def check_memory(side: int, *names: str) -> None:
    """Large blocks go back at once, so that one method does not work in what another one left."""
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, str(side), *names],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert [name for name, *_ in lines] == list(names)
    # what the interpreter and the libraries take by the way
    over = [line for line in lines if int(line[1]) > int(line[2]) + (2 << 20)]
    assert not over


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process can be set back on Linux only")
def test_declared_memory_is_not_exceeded() -> None:
    check_memory(300, "average", "laplacian", "mgff", "dtcwt")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak of a process can be set back on Linux only")
def test_declared_memory_of_large_pictures_is_not_exceeded() -> None:
    check_memory(1100, *map(family, MODELS))


@pytest.mark.parametrize("model", MODELS, ids=family)
def test_float64_stays_float64(model) -> None:
    a, b = pictures(2, 5, 6).double()
    assert model(a, b).dtype == torch.float64


# singular values take long
SMALL = [model for model in LOCAL if model.spec.halo <= 64 and not isinstance(model, MDLatLRR)]


@pytest.mark.parametrize("model", SMALL, ids=family)
def test_pixel_reaches_no_further_than_declared(model) -> None:
    check_reach(model, 151, 163, [(75, 81), (64, 80), (79, 95), (70, 83)])  # different places on the coarse grid


@pytest.mark.slow
@pytest.mark.parametrize("model", [model for model in LOCAL if model not in SMALL], ids=family)
def test_pixel_of_a_wide_or_slow_method_reaches_no_further_than_declared(model) -> None:
    side = 2 * model.spec.halo + 61
    check_reach(model, side, side + 12, [(side // 2, side // 2 + 6), (side // 2 - 7, side // 2 + 13)])


def check_reach(model, height: int, width: int, places: list[tuple[int, int]]) -> None:
    a, b = pictures(2, height, width)
    worst = 0.0
    for row, column in places:
        changed = a.clone()
        changed[..., row, column] += 10
        rows, columns = torch.nonzero((model(changed, b) != model(a, b))[0, 0], as_tuple=True)
        worst = max(worst, (rows - row).abs().max().item(), (columns - column).abs().max().item())
    assert worst <= model.spec.receptive_radius


@pytest.mark.parametrize("model", [model for model in LOCAL if model not in EXACT], ids=family)
def test_tile_on_the_declared_grid_equals_the_whole(model) -> None:
    spec, height = model.spec, 37
    start, end = 3 * spec.multiple_of, 3 * spec.multiple_of + 2 * spec.halo + 40
    a, b = pictures(2, height, end + 30)
    tile = (..., slice(start, end))
    inside = (..., slice(spec.halo, -spec.halo))
    # the same sums in the same order, but for products of patches with matrices, which libraries multiply
    error = ROUNDING if isinstance(model, LPSR | MDLatLRR) else 0.0
    whole = model(a, b)[tile]
    torch.testing.assert_close(model(a[tile], b[tile])[inside], whole[inside], rtol=0, atol=error)


@pytest.mark.parametrize("model", [ADF(), HybridMSD(), HMSDGF()], ids=family)
def test_surveyed_tile_equals_the_whole(model) -> None:
    spec, width = model.spec, 4 * model.spec.halo
    a, b = pictures(2, 17, width)
    half = width // 2

    def windows():
        for start, end in ((0, half), (half, width)):
            outer = slice(max(0, start - spec.halo), min(width, end + spec.halo))
            inner = (slice(0, 17), slice(start - outer.start, end - outer.start))
            yield a[..., outer], b[..., outer], inner

    surveyed, whole = model.surveyed(windows), model(a, b)
    parts = [surveyed(one, other)[..., inner[1]] for one, other, inner in windows()]
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, rtol=0, atol=ROUNDING)


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
