"""Counting at the thresholds agrees with looking at all values at once."""

import numpy as np
import pytest
import torch

from polyfuse.errors import InputError
from polyfuse.families.fnet.explained.statistics import (
    HISTOGRAM_LIMIT,
    NUM_BINS,
    EstimateCounter,
    EstimateStatistics,
    bin_edges,
)


def counted(before: torch.Tensor, after: torch.Tensor, threshold: float = 0.1) -> EstimateStatistics:
    """Statistics of one estimate of one block."""
    counter = EstimateCounter({"u": [threshold]})
    counter("before_u.0", before)
    counter("after_u.0", after)
    return counter.statistics("u", [0.25])[0]


@pytest.fixture
def values() -> torch.Tensor:
    """More values than are counted at a time, most of them inside the histogram."""
    generator = torch.Generator().manual_seed(3)
    return 0.2 * torch.randn(1, 3, 150, 301, generator=generator)


def test_histograms_count_every_value(values: torch.Tensor) -> None:
    estimate = counted(values, values * 2)
    assert (estimate.histogram_before.sum(), estimate.histogram_after.sum()) == (values.numel(), values.numel())


def test_histogram_is_that_of_numpy_between_the_end_bins(values: torch.Tensor) -> None:
    expected = np.histogram(values.double().numpy(), bin_edges())[0]
    difference = np.abs(counted(values, values).histogram_before - expected)[1:-1]
    assert difference.max() <= 1  # a value on an edge may fall to either side in float32


def test_end_bins_take_the_outliers() -> None:
    outliers = torch.tensor([-7.0, -0.6, 0.0, 0.6, 9.0, 1e30]).reshape(1, 1, 2, 3)
    counts = counted(outliers, outliers).histogram_before
    assert (counts[0], counts[NUM_BINS // 2], counts[-1]) == (2, 1, 3)


def test_bins_cover_the_range_evenly_with_zero_in_the_middle_of_one() -> None:
    edges = bin_edges()
    assert (len(edges), edges[0], edges[-1]) == (202, -HISTOGRAM_LIMIT, HISTOGRAM_LIMIT)
    assert edges[100] == pytest.approx(-edges[101])


def test_null_shares_are_those_of_direct_computation(values: torch.Tensor) -> None:
    estimate = counted(values, values / 50)
    direct = tuple(float((v.abs() < 1e-3).double().mean()) for v in (values, values / 50))
    assert (estimate.null_before, estimate.null_after) == direct


def test_share_below_the_threshold_is_that_of_direct_computation(values: torch.Tensor) -> None:
    assert counted(values, values, 0.07).below_threshold == float((values.abs() < 0.07).double().mean())


def test_values_laid_out_otherwise_give_the_same_counts(values: torch.Tensor) -> None:
    cropped = values[..., 7:90, 11:203]
    striding = cropped.contiguous(memory_format=torch.channels_last)
    first, second = counted(cropped, cropped), counted(striding, striding)
    np.testing.assert_array_equal(first.histogram_before, second.histogram_before)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_value_that_is_no_number_is_refused(values: torch.Tensor, bad: float) -> None:
    values[0, 1, 4, 4] = bad
    with pytest.raises(InputError, match="NaN or infinity in estimate 0"):
        counted(values, values)
