"""FMI against its eight steps written out, its features against theirs, and the multi-scale indices at their best."""

import math
import sys

import numpy as np
import pytest
import torch

from polyfuse.errors import DependencyError
from polyfuse.metrics import fmi_features
from polyfuse.metrics.fmi import fmi_none, fmi_wavelet
from polyfuse.metrics.mef_ssim import halved, mef_ssim
from polyfuse.metrics.metric import UndefinedMetricWarning
from polyfuse.metrics.ms_ssim import ms_ssim
from polyfuse.metrics.statistics import Plane
from polyfuse.metrics.viff import viff


def _window_value(x, f):
    """Steps 1 to 8 of the definition for two vectors of nine entries."""
    if (x == f).all():
        return 1.0
    shares = []
    for vector in (x, f):
        low, high = vector.min(), vector.max()
        scaled = (vector - low) / (high - low) if high > low else np.ones(9)
        shares.append(scaled / scaled.sum())
    px, pf = shares
    cx, cf = np.cumsum(px), np.cumsum(pf)
    deviations = (px - px.mean(), pf - pf.mean())
    covariance = float((deviations[0] * deviations[1]).sum())
    flat = x.min() == x.max() or f.min() == f.max()
    c = (
        0.0
        if flat or covariance == 0
        else covariance / math.sqrt((deviations[0] ** 2).sum() * (deviations[1] ** 2).sum())
    )
    index = np.arange(1, 10)
    sd_x, sd_f = (math.sqrt(max((index**2 * p).sum() - (index * p).sum() ** 2, 0)) for p in (px, pf))
    bound = np.zeros((10, 10))
    for i in range(9):
        for j in range(9):
            bound[i + 1, j + 1] = min(cf[i], cx[j]) if c >= 0 else max(cf[i] + cx[j] - 1, 0)
    spread = sum(bound[i + 1, j + 1] - cf[i] * cx[j] for i in range(9) for j in range(9))
    phi = 0.0 if c == 0 or sd_x == 0 or sd_f == 0 else c / (spread / (sd_f * sd_x))
    entropy = 0.0
    for i in range(9):
        for j in range(9):
            cell = bound[i + 1, j + 1] - bound[i, j + 1] - bound[i + 1, j] + bound[i, j]
            joint = phi * cell + (1 - phi) * pf[i] * px[j]
            entropy -= joint * math.log2(abs(joint)) if joint != 0 else 0.0
    separate = sum(-(p[p > 0] * np.log2(p[p > 0])).sum() for p in (px, pf))
    information = separate - entropy
    return 0.0 if abs(information) < 1e-13 else 2 * information / separate


def _written_out(fused, source):
    """Mean over the windows, pixels column by column."""
    height, width = fused.shape
    values = [
        _window_value(*(p[row : row + 3, column : column + 3].flatten(order="F") for p in (source, fused)))
        for row in range(height - 2)
        for column in range(width - 2)
    ]
    return np.mean(values)


def _tensor(picture):
    return torch.from_numpy(picture.astype(np.uint8))[None, None]


@pytest.fixture
def picture(rng):
    """Random picture of given size."""
    return lambda height, width, high=256: torch.from_numpy(
        rng.integers(0, high, (1, 1, height, width), dtype=np.uint8)
    )


@pytest.mark.parametrize("levels", [256, 4, 2])
def test_fmi_follows_the_eight_steps(rng, levels) -> None:
    fused, a, b = (rng.integers(0, levels, (12, 13)).astype(float) for _ in range(3))
    expected = (_written_out(fused, a) + _written_out(fused, b)) / 2
    assert float(fmi_none(*map(_tensor, (fused, a, b)))) == pytest.approx(expected, abs=1e-12)


def test_fmi_follows_the_eight_steps_where_windows_are_constant_or_equal(rng) -> None:
    fused, a, b = (rng.integers(0, 256, (12, 13)).astype(float) for _ in range(3))
    fused[:5], a[:, :5] = 90, 40  # constant in one, in the other, in both at different levels
    a[6:, 6:] = fused[6:, 6:]
    b[:4, :4] = fused[:4, :4]  # constant and equal
    expected = (_written_out(fused, a) + _written_out(fused, b)) / 2
    assert float(fmi_none(*map(_tensor, (fused, a, b)))) == pytest.approx(expected, abs=1e-12)


def test_fmi_counts_a_reversed_window_by_the_lower_bound(rng) -> None:
    source = rng.integers(0, 256, (12, 13)).astype(float)
    value = float(fmi_none(*map(_tensor, (255 - source, source, source))))
    assert value == pytest.approx(_written_out(255 - source, source), abs=1e-12)


def test_fmi_does_not_depend_on_how_many_windows_are_taken_at_a_time(picture, monkeypatch) -> None:
    pictures = [picture(20, 23) for _ in range(3)]
    whole = fmi_none(*pictures)
    monkeypatch.setattr("polyfuse.metrics.fmi.CHUNK", 7)
    torch.testing.assert_close(fmi_none(*pictures), whole, rtol=0, atol=1e-14)


def test_fmi_has_no_value_below_one_window(picture) -> None:
    with pytest.warns(UndefinedMetricWarning, match="3x3"):
        assert fmi_none(picture(2, 9), picture(2, 9), picture(2, 9)).isnan().all()


def test_dct_feature_is_the_double_sum_of_cosines(rng) -> None:
    height, width = 5, 8
    x = rng.integers(0, 256, (height, width)).astype(float)
    expected = np.zeros((height, width))
    for p in range(height):
        for q in range(width):
            rows = np.cos(math.pi * (2 * np.arange(height) + 1) * p / (2 * height))
            columns = np.cos(math.pi * (2 * np.arange(width) + 1) * q / (2 * width))
            scale = math.sqrt((1 if p == 0 else 2) / height) * math.sqrt((1 if q == 0 else 2) / width)
            expected[p, q] = scale * (rows[:, None] * columns * x).sum()
    np.testing.assert_allclose(fmi_features.dct(torch.from_numpy(x)[None])[0].numpy(), expected, rtol=0, atol=1e-10)


def test_dct_feature_of_a_flat_picture_is_free_of_rounding_noise() -> None:
    coefficients = fmi_features.dct(torch.full((1, 37, 50), 77.0, dtype=torch.float64))
    assert int(coefficients.count_nonzero()) == 1


def test_gradient_feature_is_that_of_numpy(rng) -> None:
    x = rng.integers(0, 256, (6, 9)).astype(float)
    np.testing.assert_array_equal(fmi_features.gradient(torch.from_numpy(x)[None])[0].numpy(), np.gradient(x, axis=1))


def test_edge_feature_thins_a_step_to_one_column() -> None:
    x = torch.zeros(1, 7, 10, dtype=torch.float64)
    x[..., 5:] = 100
    # both columns beside the step are equally strong: the right one, whose right neighbour is weaker, stays
    assert fmi_features.edges(x)[0].sum(dim=0).tolist() == [0, 0, 0, 0, 0, 7, 0, 0, 0, 0]


def test_edge_feature_of_a_flat_picture_is_empty() -> None:
    assert int(fmi_features.edges(torch.full((1, 5, 5), 9.0, dtype=torch.float64)).count_nonzero()) == 0


@pytest.mark.parametrize(("height", "width"), [(48, 64), (33, 50)])
def test_wavelet_feature_tiles_four_bands_in_zero_to_one(picture, height, width) -> None:
    pytest.importorskip("pywt")
    tiles = fmi_features.wavelet(picture(height, width)[:, 0].double())
    assert tiles.shape == (1, 2 * ((height + 61) // 2), 2 * ((width + 61) // 2))
    assert (float(tiles.min()), float(tiles.max())) == (0.0, 1.0)


def test_wavelet_feature_shows_horizontal_stripes_top_right() -> None:
    pytest.importorskip("pywt")
    x = torch.zeros(1, 64, 64, dtype=torch.float64)
    x[:, ::2] = 200  # change downwards is what the toolboxes call horizontal detail
    tiles = fmi_features.wavelet(x)[0]
    half = tiles.shape[0] // 2
    varies = [[float(t.std()) > 0.01 for t in row.split(half, dim=1)] for row in tiles.split(half, dim=0)]
    assert varies[0][1]
    assert not varies[1][0]
    assert not varies[1][1]


def test_wavelet_feature_of_a_black_picture_is_black() -> None:
    pytest.importorskip("pywt")
    assert int(fmi_features.wavelet(torch.zeros(1, 20, 20, dtype=torch.float64)).count_nonzero()) == 0


def test_wavelet_names_the_extra_where_pywavelets_is_missing(picture, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pywt", None)
    with pytest.raises(DependencyError, match=r"polyfuse\[metrics\]"):
        fmi_wavelet(picture(20, 20), picture(20, 20), picture(20, 20))


@pytest.mark.parametrize("metric", [ms_ssim, mef_ssim, viff, fmi_none], ids=lambda metric: metric.name)
def test_three_identical_pictures_score_one(picture, metric) -> None:
    same = picture(163, 170)
    assert float(metric(same, same, same)) == pytest.approx(1, abs=1e-9)


def test_ms_ssim_of_a_copy_is_the_mean_of_one_and_the_other_term(picture) -> None:
    a, b = picture(161, 161), picture(161, 161)
    term_a, term_b = ms_ssim.terms(a, a, b)
    assert float(term_a) == pytest.approx(1, abs=1e-12)
    assert float(ms_ssim(a, a, b)) == float((term_a + term_b) / 2)


def test_ms_ssim_of_linfeng_is_the_exposure_index(picture) -> None:
    pictures = [picture(50, 61) for _ in range(3)]
    assert torch.equal(ms_ssim(*pictures, protocol="linfeng"), mef_ssim(*pictures, protocol="linfeng"))


def test_halving_counts_the_last_line_of_an_odd_side_twice() -> None:
    plane = Plane(torch.tensor([[[0.0, 2.0, 5.0], [4.0, 6.0, 7.0], [1.0, 3.0, 8.0]]], dtype=torch.float64))
    assert halved(plane).values.tolist() == [[[3.0, 6.0], [2.0, 8.0]]]


def test_exposure_index_ignores_brightness(picture) -> None:
    a = picture(48, 48, 200)
    assert float(mef_ssim(a + 50, a, a)) == pytest.approx(1, abs=1e-9)


def test_viff_takes_the_source_that_is_kept_less(picture) -> None:
    a, b = picture(64, 64), picture(64, 64)
    kept_less = viff.terms(a, a, b)[1]
    assert float(viff(a, a, b)) < 0.2
    assert float(viff(a, a, b)) == pytest.approx(float(kept_less), abs=0.05)


def test_viff_does_not_depend_on_the_order_where_gains_are_equal(picture) -> None:
    flat = torch.full((1, 1, 64, 64), 90, dtype=torch.uint8)  # every gain is zero
    fused, b = picture(64, 64), picture(64, 64)
    half = b.clone()
    half[..., 32:] = 90
    assert float(viff(flat, half, b)) == float(viff(flat, b, half))
    assert float(viff(fused, half, b)) == float(viff(fused, b, half))
