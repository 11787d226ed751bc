"""What is particular to the metrics of edges, information, local similarity and visible contrast."""

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from polyfuse.metrics.labf import labf
from polyfuse.metrics.metric import UndefinedMetricWarning
from polyfuse.metrics.nabf import nabf
from polyfuse.metrics.nabf_petrovic import nabf_petrovic
from polyfuse.metrics.ncie import ncie
from polyfuse.metrics.qabf_petrovic import qabf_petrovic
from polyfuse.metrics.qc import qc
from polyfuse.metrics.qcb import qcb
from polyfuse.metrics.qcv import qcv
from polyfuse.metrics.qg import qg
from polyfuse.metrics.qs import qs
from polyfuse.metrics.qsf import qsf
from polyfuse.metrics.qw import qw
from polyfuse.metrics.qy import qy
from polyfuse.metrics.te import te, tsallis_information

Array = np.ndarray


def pictures(height: int = 35, width: int = 42, *, seed: int = 3) -> list[Tensor]:
    """A fused picture and two sources of smooth shapes, noise and flat areas, (1, 1, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    noise = torch.rand(2, height, width, generator=generator)
    a = 120 + 80 * torch.sin(rows / 4) * torch.cos(columns / 5) + 20 * noise[0]
    b = 90 + 60 * (columns > width // 2) + 40 * noise[1]
    a[:12, :14] = 30
    b[5:20, :16] = 200
    fused = torch.maximum(a, (a + b) / 2) + 10 * (rows % 3 == 0) * (columns < width // 3)
    fused[:8, 20:32] = 77
    return [x.round().clamp(0, 255).to(torch.uint8)[None, None] for x in (fused, a, b)]


def arrays(height: int = 35, width: int = 42) -> list[Array]:
    """The same as (H, W) float64 arrays."""
    return [x[0, 0].double().numpy() for x in pictures(height, width)]


def constant(value: int, like: Tensor) -> Tensor:
    return torch.full_like(like, value)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("size", [(35, 42), (1, 9), (2, 2)])
def test_kept_lost_and_new_edges_add_to_one(seed: int, size: tuple[int, int]) -> None:
    trio = pictures(*size, seed=seed)
    assert float(qabf_petrovic(*trio) + labf(*trio) + nabf(*trio)) == pytest.approx(1, abs=1e-14)


def test_original_artefacts_are_those_of_kumar_twice_for_equal_sources() -> None:
    # (2 - 2 Q)(2 w) over 2 w against 2 (1 - Q) w over 2 w
    fused, a, _ = pictures()
    assert float(nabf_petrovic(fused, a, a)) == pytest.approx(2 * float(nabf(fused, a, a)), rel=1e-12)


def test_linfeng_nabf_judges_the_first_source_as_if_it_were_fused() -> None:
    fused, a, b = pictures()
    assert torch.equal(nabf(fused, a, b, protocol="linfeng"), nabf(a, b, fused))


def test_survey_nabf_has_no_value_without_strong_edges() -> None:
    faint = torch.tensor([[50, 51], [50, 51]], dtype=torch.uint8)[None, None].repeat(1, 1, 8, 8)
    with pytest.warns(UndefinedMetricWarning):
        assert nabf(faint, faint, faint, protocol="survey").isnan().all()


def test_smfnet_nabf_looks_for_artefacts_against_the_first_source_alone() -> None:
    fused, a, b = pictures()
    assert float(nabf(a, a, b, protocol="smfnet")) == 0
    assert float(nabf(b, a, b, protocol="smfnet")) > 0
    assert float(nabf(fused, a, b, protocol="smfnet")) != float(nabf(fused, b, a, protocol="smfnet"))


def test_swapped_marginals_are_the_right_ones_for_a_symmetric_joint_histogram() -> None:
    joint = torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joint = joint + joint.transpose(1, 2)
    joint /= joint.sum(dim=(1, 2), keepdim=True)
    assert torch.allclose(tsallis_information(joint), tsallis_information(joint, swapped=True), rtol=1e-12)


def test_tsallis_information_of_independent_pictures_is_zero() -> None:
    levels = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    assert float(tsallis_information((levels[:, None] * levels)[None])) == pytest.approx(0, abs=1e-14)


def test_te_of_a_picture_of_two_levels_is_known() -> None:
    halves = torch.tensor([[0, 255]], dtype=torch.uint8).repeat(4, 3)[None, None]
    assert float(te(halves, halves, halves)) == pytest.approx(2 * (2**0.85 - 1) / 0.85, rel=1e-12)


def test_survey_te_is_a_difference_of_entropies() -> None:
    halves = torch.tensor([[0, 255]], dtype=torch.uint8).repeat(4, 3)[None, None]
    assert float(te(constant(9, halves), halves, halves, protocol="survey")) == pytest.approx(2, abs=1e-6)


def test_ncie_goes_from_independence_to_identity() -> None:
    every_level = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    flat = constant(70, every_level)
    assert float(ncie(every_level, every_level, every_level)) == pytest.approx(1, abs=1e-12)
    assert float(ncie(every_level, flat, flat)) == pytest.approx(1 - math.log2(3) / 8, abs=1e-12)


@pytest.mark.parametrize("metric", [te, ncie, qcb, qcv], ids=lambda metric: metric.name)
def test_liu_has_no_value_for_a_constant_picture_unless_it_is_black(metric: Callable[..., Tensor]) -> None:
    fused, a, b = pictures()
    batch = [torch.cat(x) for x in ([fused, fused, fused], [a, constant(7, a), constant(0, a)], [b, b, b])]
    with pytest.warns(UndefinedMetricWarning, match="picture 1"):
        first, grey, _ = metric(*batch, protocol="liu2012").tolist()
    assert not math.isnan(first)
    assert math.isnan(grey)


def test_qsf_is_zero_where_the_fused_picture_has_the_larger_step_everywhere() -> None:
    fused, a, _ = pictures()
    assert float(qsf(a, a, constant(9, a))) == 0
    assert float(qsf(constant(9, fused), fused, a)) == -1
    assert float(qsf(constant(9, a), constant(9, a), constant(1, a))) == 0


def test_qsf_of_more_detail_than_the_sources_have_is_positive() -> None:
    checks = (torch.arange(12)[:, None] + torch.arange(12)).remainder(2).mul(100).to(torch.uint8)[None, None]
    assert float(qsf(checks, checks // 2, checks // 2)) == pytest.approx(1, rel=1e-12)


def test_qg_of_liu_follows_the_formula_pixel_by_pixel() -> None:
    def edges(x: Array) -> tuple[Array, Array]:
        p = np.pad(x, 1)
        right = (p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:]) - (p[:-2, :-2] + 2 * p[1:-1, :-2] + p[2:, :-2])
        up = (p[:-2, :-2] + 2 * p[:-2, 1:-1] + p[:-2, 2:]) - (p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:])
        return np.sqrt(right**2 + up**2), np.arctan(up / np.where(right == 0, 1e-5, right))

    (g_f, angle_f), *sources = (edges(x) for x in arrays())
    kept, total = np.zeros_like(g_f), np.zeros_like(g_f)
    for index, (g, angle) in enumerate(sources):
        strength, fused = (np.where(x == 0, 1e-5, x) for x in (g, g_f))
        above = (g_f if index == 0 else fused) / strength  # zeros of the fused one are replaced after the first source
        ratio = np.where(strength > fused, above, strength / fused)
        agreement = np.abs(np.abs(angle - angle_f) - np.pi / 2) * 2 / np.pi
        kept += strength / (1 + np.exp(-10 * (ratio - 0.5))) / (1 + np.exp(-20 * (agreement - 0.75)))
        total += strength
    assert float(qg(*pictures(), protocol="liu2012")) == pytest.approx(np.mean(kept / total), rel=1e-12)
    assert float(qg(*pictures())) == pytest.approx(np.mean(kept / total), rel=1e-6)


@pytest.mark.parametrize("protocol", ["canonical", "liu2012"])
@pytest.mark.parametrize("metric", [qy, qc], ids=lambda metric: metric.name)
def test_flat_areas_count_as_similar_to_themselves(metric: Callable[..., Tensor], protocol: str) -> None:
    flat = torch.full((1, 1, 20, 20), 255, dtype=torch.uint8)
    half = flat.clone()
    half[..., :10] = 0
    for picture in (flat, half, constant(0, flat)):
        assert float(metric(picture, picture, picture, protocol=protocol)) == pytest.approx(1, abs=1e-12)


def test_survey_qy_is_symmetric_in_black_areas_too() -> None:
    fused, a, b = pictures()
    a[..., :18, :18] = b[..., :18, :18] = 0
    one, other = qy(fused, a, b, protocol="survey"), qy(fused, b, a, protocol="survey")
    assert float(one) == pytest.approx(float(other), rel=1e-10)


def test_qc_is_all_or_nothing_where_covariances_have_different_signs() -> None:
    levels = torch.arange(20, dtype=torch.uint8).mul(6).expand(1, 1, 12, 20)
    rising, falling = levels, 240 - 2 * levels
    # covariances of 1 and -2 give weights of -1 and 2, those of 2 and -1 (the sources exchanged) 2 and -1
    assert float(qc(levels, rising, falling)) == 0
    assert float(qc(levels, falling, rising)) == 1


def test_qw_is_qs_where_the_sources_have_no_contrast() -> None:
    fused, a, _ = pictures()
    one, other = constant(40, a), constant(200, a)
    assert float(qw(fused, one, other)) == float(qs(fused, one, other))
    with pytest.warns(UndefinedMetricWarning):
        assert qw(fused, one, other, protocol="liu2012").isnan().all()


def stretched(x: Array) -> Array:
    return np.floor((x - x.min()) / (x.max() - x.min()) * 255 + 0.5)


def radius(height: int, width: int, divisor: float) -> Array:
    def axis(n: int) -> Array:
        return 2 * (np.arange(n) - n // 2) / n * n / divisor

    return np.hypot(axis(height)[:, None], axis(width))


def filtered(x: Array, gain: Array) -> Array:
    return np.real(np.fft.ifft2(np.fft.fft2(x) * np.fft.ifftshift(gain)))


def convolved(x: Array, sigma: float) -> Array:
    """With all 31 x 31 samples of a Gaussian, zero border."""
    padded, total = np.pad(x, 15), np.zeros_like(x)
    for row in range(-15, 16):
        for column in range(-15, 16):
            weight = math.exp(-(row**2 + column**2) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
            total += weight * padded[15 + row :, 15 + column :][: x.shape[0], : x.shape[1]]
    return total


@pytest.mark.parametrize("size", [(35, 42), (20, 13)])
def test_qcb_is_that_of_a_direct_two_dimensional_convolution(size: tuple[int, int]) -> None:
    r = radius(*size, 30)
    gain = np.exp(-((r / 15.3870) ** 2)) - 0.7622 * np.exp(-((r / 1.3456) ** 2))
    contrasts = []
    for x in arrays(*size):
        seen = filtered(stretched(x), gain)
        c = np.abs(convolved(seen, 2) / convolved(seen, 4) - 1)
        contrasts.append(c**3 / (c**2 + 1e-4))
    f, a, b = contrasts
    share = a**2 / (a**2 + b**2)
    kept = [np.minimum(x, f) / np.maximum(x, f) for x in (a, b)]
    expected = np.mean(share * kept[0] + (1 - share) * kept[1])
    for protocol in ("canonical", "vifb", "vifb_gray", "fnet", "liu2012"):
        assert float(qcb(*pictures(*size), protocol=protocol)) == pytest.approx(expected, rel=1e-11)


def test_qcb_of_three_equal_pictures_is_one_even_without_contrast() -> None:
    fused = pictures()[0]
    for picture in (fused, constant(0, fused), constant(99, fused)):
        assert float(qcb(picture, picture, picture)) == 1


@pytest.mark.parametrize("size", [(35, 42), (16, 32), (14, 17)])
def test_qcv_is_that_of_a_loop_over_blocks(size: tuple[int, int]) -> None:
    f, *sources = (stretched(x) for x in arrays(*size))
    r = radius(*size, 8)
    gain = 2.6 * (0.0192 + 0.144 * r) * np.exp(-((0.144 * r) ** 1.1))
    total = weights = 0.0
    for x in sources:
        p = np.pad(x, 1)
        right = (p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:]) - (p[:-2, :-2] + 2 * p[1:-1, :-2] + p[2:, :-2])
        down = (p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:]) - (p[:-2, :-2] + 2 * p[:-2, 1:-1] + p[:-2, 2:])
        strength, visible = np.hypot(right, down) ** 5, filtered(x - f, gain) ** 2
        for row in range(0, size[0], 16):
            for column in range(0, size[1], 16):
                block = np.s_[row : row + 16, column : column + 16]
                total += strength[block].sum() * visible[block].sum() / 256
                weights += strength[block].sum()
    for protocol in ("canonical", "vifb", "vifb_gray", "liu2012"):
        assert float(qcv(*pictures(*size), protocol=protocol)) == pytest.approx(total / weights, rel=1e-11)


def test_qcv_does_not_see_a_uniform_loss_of_contrast() -> None:
    levels = torch.arange(0, 200, 2, dtype=torch.uint8).view(1, 1, 10, 10)
    assert float(qcv(levels // 2 + 20, levels, levels)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "metric",
    [nabf, labf, qabf_petrovic, nabf_petrovic, te, ncie, qg, qsf, qy, qs, qw, qc, qcb, qcv],
    ids=lambda metric: metric.name,
)
def test_canonical_is_finite_for_constant_pictures_beside_lively_ones(metric: Callable[..., Tensor]) -> None:
    fused, a, b = pictures(21, 18)
    flat = [constant(value, a) for value in (0, 70)]
    trios = [(f, x, y) for f in (fused, *flat) for x in (a, *flat) for y in (b, *flat)]
    trios = [trio for trio in trios if metric is not qsf or any(x is y for x in trio[1:] for y in (a, b))]
    batch = [torch.cat(x) for x in zip(*trios, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metric(*batch).isfinite().all()
