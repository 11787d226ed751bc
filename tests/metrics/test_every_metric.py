"""What must hold for every metric under every protocol it exists in; a new one is swept the day it is registered."""

import math
import warnings

import pytest
import torch
from torch import Tensor

from polyfuse.errors import InputError, UsageError
from polyfuse.metrics import METRICS, PROTOCOLS, Metric, UndefinedMetricWarning, metrics_of, score
from polyfuse.metrics.metric import Added

Trio = tuple[Tensor, Tensor, Tensor]
CASES = [(metric, protocol) for metric in METRICS.values() for protocol in metric.variants]
BOTH = [f"{metric.name}-{protocol}" for metric, protocol in CASES]
WITH_SOURCES = [case for case in CASES if case[0].needs_sources]
WITH_WINDOW = [case for case in CASES if case[0].variants[case[1]].min_size > 1]
SMALL = 56
"""Side of the pictures most tests use, for speed."""
every_case = pytest.mark.parametrize(("metric", "protocol"), CASES, ids=BOTH)
every_two_source_case = pytest.mark.parametrize(
    ("metric", "protocol"), WITH_SOURCES, ids=[f"{metric.name}-{protocol}" for metric, protocol in WITH_SOURCES]
)


@pytest.fixture
def pictures(scene: Trio, metric: Metric, protocol: str) -> Trio:
    """Fused, a and b, no larger than the metric needs."""
    side = max(SMALL, metric.variants[protocol].min_size)
    fused, a, b = (x[..., 40 : 40 + side, 70 : 75 + side] if side == SMALL else x for x in scene)
    return fused, a, b


def close(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10, equal_nan=True)


@every_case
def test_batch_gives_what_its_pictures_give_one_by_one(metric: Metric, protocol: str, pictures: Trio) -> None:
    turned = tuple(x.flip(-1) // 2 for x in pictures)
    batch = tuple(torch.cat(parts) for parts in zip(pictures, turned, strict=True))
    together = metric(*batch, protocol=protocol)
    assert together.shape == (2,)
    assert together.dtype == torch.float64
    close(together, torch.cat([metric(*pictures, protocol=protocol), metric(*turned, protocol=protocol)]))


@every_case
def test_type_of_the_pictures_does_not_matter(metric: Metric, protocol: str, pictures: Trio) -> None:
    wanted = metric(*pictures, protocol=protocol)
    close(metric(*(x.float() / 255 for x in pictures), protocol=protocol), wanted)
    close(metric(*(x.double() for x in pictures), protocol=protocol, data_range=255), wanted)
    close(metric(*((x.int() * 257).to(torch.uint16) for x in pictures), protocol=protocol), wanted)


@every_case
def test_colour_with_equal_channels_is_grey(metric: Metric, protocol: str, pictures: Trio) -> None:
    colour = (x.expand(-1, 3, -1, -1) for x in pictures)
    value, grey = metric(*colour, protocol=protocol), metric(*pictures, protocol=protocol)
    if (metric.name, protocol) == ("SF", "vifb"):
        assert value > grey  # channels side by side: the jumps between them count
    else:
        close(value, grey)


@every_two_source_case
def test_sources_can_be_exchanged_where_that_is_promised(metric: Metric, protocol: str, pictures: Trio) -> None:
    fused, a, b = pictures
    value, exchanged = metric(fused, a, b, protocol=protocol), metric(fused, b, a, protocol=protocol)
    if metric.variants[protocol].symmetric or metric.name == "CD":  # of grey pictures CD is 0 either way
        close(exchanged, value)
    else:
        assert not torch.allclose(exchanged, value, rtol=1e-10, atol=0)


@every_two_source_case
def test_terms_belong_to_their_source(metric: Metric, protocol: str, pictures: Trio) -> None:
    fused, a, b = pictures
    one, other = metric.terms(fused, a, b, protocol=protocol)
    assert one.shape == other.shape == (1,)
    variant = metric.variants[protocol]
    if isinstance(variant, Added):
        close((one + other) / 2 if variant.mean else one + other, metric(fused, a, b, protocol=protocol))
    if variant.symmetric:
        swapped_other, swapped_one = metric.terms(fused, b, a, protocol=protocol)
        close(torch.stack([swapped_one, swapped_other]), torch.stack([one, other]))


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_values_stay_within_the_bounds_stated(metric: Metric, scene: Trio) -> None:
    protocol = "canonical" if "canonical" in metric.variants else next(iter(metric.variants))
    low, high = metric.bounds
    fused, a, b = scene
    noise = torch.randint(0, 256, a.shape, generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    for candidate in (fused, a, b, 255 - a, noise, torch.full_like(a, 90), torch.zeros_like(a)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            value = float(metric(candidate, a, b, protocol=protocol))
        without = math.isnan(value) and metric.variants[protocol].no_value  # test_no_value_is_never_silent looks there
        assert without or low - 1e-9 <= value <= high + 1e-9


def degenerate(pictures: Trio) -> dict[str, Trio]:
    """Inputs on which a definition may divide by zero."""
    fused, a, b = pictures
    flat, black, white = torch.full_like(a, 90), torch.zeros_like(a), torch.full_like(a, 255)
    return {
        "constant fused": (flat, a, b),
        "black fused": (black, a, b),
        "white fused": (white, a, b),
        "constant a": (fused, flat, b),
        "black b": (fused, a, black),
        "copy of a": (a, a, b),
        "all the same": (a, a, a),
        "all black": (black, black, black),
        "all constant": (flat, flat, flat),
        "one row": (fused[..., :1, :], a[..., :1, :], b[..., :1, :]),
        "one pixel": (fused[..., :1, :1], a[..., :1, :1], b[..., :1, :1]),
        "small": (fused[..., :20, :9], a[..., :20, :9], b[..., :20, :9]),
    }


@every_case
def test_no_value_is_never_silent(metric: Metric, protocol: str, pictures: Trio) -> None:
    for name, trio in degenerate(pictures).items():
        too_small = min(trio[0].shape[-2:]) < metric.variants[protocol].min_size
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value = metric(*trio, protocol=protocol)
        assert {warning.category for warning in caught} <= {UndefinedMetricWarning}, name
        assert bool(caught) == bool(value.isnan() | value.isneginf()), name
        if protocol == "canonical" and not metric.variants[protocol].no_value:
            assert bool(value.isnan()) == too_small, name  # defines every case but pictures below its window


@pytest.mark.parametrize(("metric", "protocol"), WITH_WINDOW)
def test_pictures_smaller_than_the_window_are_told_its_size(metric: Metric, protocol: str, scene: Trio) -> None:
    limit = metric.variants[protocol].min_size
    small = tuple(x[..., : limit - 1, :] for x in scene)
    with pytest.warns(UndefinedMetricWarning, match=f"{limit}x{limit}"):
        assert metric(*small, protocol=protocol).isnan().all()
    exactly = tuple(x[..., :limit, :limit] for x in scene)
    assert metric(*exactly, protocol=protocol).isfinite().all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_call_gives_what_single_calls_give(protocol: str, scene: Trio) -> None:
    metrics = metrics_of(protocol)
    assert metrics
    cheap = [metric for metric in metrics if metric.cost != "d"]
    together = score(*scene, metrics=cheap, protocol=protocol).values
    assert all(torch.equal(together[metric.name], metric(*scene, protocol=protocol)) for metric in cheap)


@every_case
def test_facts_are_complete(metric: Metric, protocol: str) -> None:
    for text in (metric.title, metric.formula, metric.source, metric.rewards, metric.fooled, metric.quirks):
        assert text.strip()
    assert metric.variants[protocol].note.strip()
    assert metric.bounds[0] < metric.bounds[1]
    assert protocol in PROTOCOLS


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_protocol_without_it_is_refused_and_those_with_it_are_named(metric: Metric, scene: Trio) -> None:
    missing = next(name for name in PROTOCOLS if name not in metric.variants)
    message = f"protocol {missing} has no {metric.name}: it exists in {', '.join(metric.variants)}"
    with pytest.raises(UsageError, match=message):
        metric(*scene, protocol=missing)


@every_two_source_case
def test_missing_sources_are_asked_for(metric: Metric, protocol: str, scene: Trio) -> None:
    with pytest.raises(InputError, match="pass a and b"):
        metric(scene[0], protocol=protocol)
