"""Monitors of DAE-Fuse: formulas on pictures whose value is known, and thresholds on made-up readings."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from polyfuse.families.daefuse import monitors, rules
from polyfuse.train.stage import FUSER, Batch


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    """Two pictures of independent noise around 0.3 and 0.6."""
    noise = torch.rand(2, 2, 1, 64, 64, generator=torch.Generator().manual_seed(2)) / 10
    return 0.3 + noise[0], 0.6 + noise[1]


def test_modality_bias_is_1_for_a_minus_1_for_b_and_0_for_their_mean(pair: tuple[Tensor, Tensor]) -> None:
    a, b = pair
    assert monitors.modality_bias(a, a, b) == pytest.approx(1, abs=0.1)
    assert monitors.modality_bias(b, a, b) == pytest.approx(-1, abs=0.1)
    assert monitors.modality_bias((a + b) / 2, a, b) == pytest.approx(0, abs=0.05)
    ramp = torch.linspace(0, 1, 64).expand(2, 1, 64, 64)
    assert monitors.modality_bias(a + 5 * ramp, a, b) > 0.8  # slow changes are taken off
    assert monitors.modality_bias(torch.full_like(a, 0.5), a, b) == pytest.approx(0, abs=1e-3)


def test_intensity_bias_is_0_for_b_1_for_a_and_in_proportion_between(pair: tuple[Tensor, Tensor]) -> None:
    a, b = (torch.full_like(picture, level) for picture, level in zip(pair, (0.2, 0.8), strict=True))
    assert monitors.intensity_bias(b, a, b) == 0
    assert monitors.intensity_bias(a, a, b) == pytest.approx(1, abs=1e-5)
    assert monitors.intensity_bias(torch.full_like(a, 0.35), a, b) == pytest.approx(0.75, abs=1e-5)


def test_range_use_is_a_half_for_a_picture_of_half_the_contrast(pair: tuple[Tensor, Tensor]) -> None:
    a, b = pair
    largest = torch.maximum(a, b)
    assert monitors.range_use(largest, a, b) == pytest.approx(1, abs=1e-4)
    assert monitors.range_use(0.5 * largest + 0.2, a, b) == pytest.approx(0.5, abs=1e-4)


class Grey(nn.Module):
    """Makes of black what it was told."""

    def reconstruct(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return a + 2 / 255, b + 4 / 255


def test_black_level_is_the_mean_of_what_comes_back_for_black(pair: tuple[Tensor, Tensor]) -> None:
    watch = monitors.reconstruction_watch(adversarial=False)
    assert watch.measure({FUSER: Grey()}, Batch(*pair)) == {"black": pytest.approx(3, rel=1e-5)}


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        (rules.bias_rule, [0.5], "ok"),
        (rules.bias_rule, [0.0, -0.6], "warn"),
        (rules.bias_rule, 4 * [0.9], "warn"),
        (rules.bias_rule, [0.1, *5 * [-0.9]], "fail"),
        (rules.bias_rule, [*4 * [0.9], 0.7], "warn"),
        (rules.intensity_rule, [0.0, 0.5], "ok"),
        (rules.intensity_rule, [0.1], "warn"),
        (rules.intensity_rule, [0.9], "warn"),
        (rules.intensity_rule, [0.96], "fail"),
        (rules.range_rule, [1.4], "ok"),
        (rules.range_rule, [0.5], "warn"),
        (rules.range_rule, [0.2], "fail"),
        (rules.norm_rule, [2.0], "ok"),
        (rules.norm_rule, [1.0, 2.0, 3.0, 199.0], "ok"),
        (rules.norm_rule, [1.0, 2.0, 3.0, 201.0], "warn"),
        (rules.norm_rule, [1.0, float("nan")], "fail"),
    ],
)
def test_thresholds(rule: Any, values: list[float], expected: str) -> None:
    assert rule(values) == expected


@pytest.mark.parametrize(
    ("value", "share", "expected"),
    [(0.9, 1.0, "ok"), (3.0, 1.0, "warn"), (9.0, 0.5, "warn"), (9.0, 1.0, "fail")],
)
def test_black_fails_only_at_the_end_of_its_phase(value: float, share: float, expected: str) -> None:
    assert rules.black_rule([value], share) == expected


@pytest.mark.parametrize(
    ("one", "other", "share", "expected"),
    [
        ([0.8], [0.9], 1.0, "ok"),
        ([0.98], [0.9], 1.0, "warn"),
        ([0.2], [0.9], 1.0, "warn"),
        (10 * [0.995], 10 * [0.995], 0.6, "fail"),
        (10 * [0.995], 10 * [0.995], 0.4, "warn"),
        (9 * [0.995], 9 * [0.995], 0.6, "warn"),
        (10 * [0.995], 10 * [0.95], 0.6, "warn"),
        (10 * [0.05], 10 * [0.95], 0.6, "fail"),
    ],
)
def test_attention_fails_when_it_is_uniform_or_on_single_keys_for_long(
    one: list[float], other: list[float], share: float, expected: str
) -> None:
    assert rules.entropy_rule(one, other, share) == expected


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [((0.1, 0.03), 1, "ok"), ((0.1, 0.01), 1, "warn"), ((0.1, 0.001), 0.1, "warn"), ((0.1, 0.001), 0.3, "fail")],
)
def test_unused_cross_attention_fails_after_a_fifth_of_the_phase(
    values: tuple[float, float], share: float, expected: str
) -> None:
    assert rules.contribution_rule([values[0]], [values[1]], share) == expected


@pytest.mark.parametrize(
    ("accuracies", "share", "expected"),
    [
        ([0.8, 0.8], 0.1, "ok"),
        ([0.8, 0.95], 0.1, "warn"),
        ([0.8, 0.99, 0.99, 0.99], 0.001, "warn"),  # 150 steps
        ([0.8, 0.99, 0.99, 0.99, 0.99], 0.001, "fail"),
        ([0.8, 0.99, 0.99, 0.99, 0.99], 0.1, "warn"),
    ],
)
def test_discriminator_is_too_strong_only_if_it_lasts_and_nothing_comes_of_it(
    accuracies: list[float], share: float, expected: str
) -> None:
    steps = [float(50 * (index + 1)) for index in range(len(accuracies))]
    readings = {"step": steps, "right": accuracies, "share": [share] * len(steps)}
    assert rules.strong_rule(readings, "right", "share") == expected


@pytest.mark.parametrize(
    ("accuracies", "gap", "expected"),
    [
        (5 * [0.5], 0.01, "fail"),
        ([0.6, *3 * [0.5]], 0.01, "ok"),
        ([0.6, *4 * [0.51]], -0.01, "fail"),
        (5 * [0.5], 0.1, "ok"),
        ([*4 * [0.5], 0.55], 0.01, "ok"),
    ],
)
def test_discriminator_is_dead_if_it_tells_nothing_for_long(accuracies: list[float], gap: float, expected: str) -> None:
    steps = [float(50 * (index + 1)) for index in range(len(accuracies))]
    readings = {"step": steps, "right": accuracies, "gap": [gap] * len(steps)}
    assert rules.dead_rule(readings, "right", "gap") == expected
