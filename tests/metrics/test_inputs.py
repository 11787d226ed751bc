"""What may be scored, and the one line for everything that may not."""

from typing import cast

import pytest
import torch

from polyfuse.errors import InputError, UsageError
from polyfuse.evaluation import evaluate
from polyfuse.metrics import computable_metrics, en, find_metric, find_protocol, metrics_of, mi, mse, score, sd
from polyfuse.metrics.grey import to_grey

A = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(8, 8), "shape"),
        (torch.zeros(1, 2, 8, 8), "shape"),
        (torch.zeros(1, 1, 0, 8), "shape"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.int64), "int64"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.complex64), "complex64"),
        (torch.full((1, 1, 8, 8), torch.nan), "NaN or infinity in picture 0"),
        (torch.full((1, 1, 8, 8), torch.inf), "NaN or infinity"),
        (torch.full((1, 1, 8, 8), 200.0), "pass data_range"),
        (torch.full((1, 1, 8, 8), -0.1), "outside 0 to 1"),
        (torch.zeros(1, 1, 8, 9), "1 x 9x8 but fused is 1 x 8x8"),
        (torch.zeros(2, 1, 8, 8), "2 x 8x8 but fused is 1 x 8x8"),
    ],
)
def test_bad_picture_is_refused_by_name(bad: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        mi(A, A, bad)
    assert str(caught.value).startswith("b ")
    assert "\n" not in str(caught.value)


def test_fake_tensor_is_refused_by_name() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.zeros(1, 1, 8, 8)
    with pytest.raises(InputError, match=r"^b is a fake tensor and has no values: give a real one\.$"):
        mi(A, A, fake)
    with pytest.raises(InputError, match=r"^fused is a fake tensor"):
        evaluate(fake, A, A)


@pytest.mark.parametrize("data_range", [0, -1, float("inf"), float("nan")])
def test_impossible_range_is_refused(data_range: float) -> None:
    with pytest.raises(InputError, match="data_range"):
        sd(A, data_range=data_range)


def test_clip_cuts_what_is_out_of_range() -> None:
    outside = torch.tensor([[[[-0.5, 1.5]]]])
    assert sd(outside, clip=True).item() == pytest.approx(127.5)


def test_deep_pictures_keep_their_steps_under_canonical_only() -> None:
    shallow = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)
    deep = shallow + 0.3 / 255
    assert mse(deep, shallow, shallow).item() == pytest.approx(0.09)
    assert mse(deep, shallow, shallow, protocol="cddfuse").item() == 0


def test_float32_levels_come_back_exactly() -> None:
    levels = torch.arange(256).view(1, 1, 16, 16)
    assert mse(levels.float() / 255, *[levels.to(torch.uint8)] * 2).item() == 0


def test_eight_bit_pictures_may_have_another_white() -> None:
    half = torch.tensor([[[[0, 127]]]], dtype=torch.uint8)
    assert sd(half, data_range=127).item() == pytest.approx(127.5)


def test_names_do_not_depend_on_case_and_near_ones_are_offered() -> None:
    assert find_metric("qABF").name == "Qabf"
    with pytest.raises(UsageError, match="did you mean SSIM"):
        find_metric("SIM")
    with pytest.raises(UsageError, match="cddfuse"):
        find_protocol("cdfuse")


def test_scores_carry_their_protocol_and_terms() -> None:
    found = score(A, A, A, metrics=["EN", "MI"], protocol="survey", terms=["MI"])
    assert found.protocol == "survey"
    assert list(found.values) == ["EN", "MI"]
    assert cast(torch.Tensor, sum(found.terms["MI"])).item() == pytest.approx(found.values["MI"].item())


def test_terms_of_a_metric_without_sources_are_refused() -> None:
    with pytest.raises(UsageError, match="fused picture alone"):
        en.terms(A, A, A)


@pytest.mark.parametrize(
    ("convention", "grey"),
    # 0.299 * 1 + 0.587 * 1 + 0.114 * 1 is one, but 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    [("float64", 124), ("opencv", 124), ("matlab", 124), ("pillow", 124)],
)
def test_grey_weights_are_those_of_bt601(convention: str, grey: int) -> None:
    rgb = torch.tensor([200.0, 100.0, 50.0], dtype=torch.float64).view(1, 3, 1, 1)
    assert to_grey(rgb, convention, whole_levels=True).item() == grey  # type: ignore[arg-type]


def test_grey_conventions_differ_where_the_sum_ends_in_a_half() -> None:
    # Pixels of an 8-bit cube whose weighted sum is within 1e-9 of a half.
    grid = torch.stack(torch.meshgrid(*[torch.arange(0.0, 256.0, 5.0, dtype=torch.float64)] * 3, indexing="ij"))
    rgb = grid.flatten(1).T.reshape(1, -1, 1, 3).permute(0, 3, 1, 2)
    exact, opencv = (to_grey(rgb, name, whole_levels=True) for name in ("float64", "opencv"))
    differing = exact != opencv
    sums = (rgb * torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    assert 0 < differing.sum() < 0.01 * differing.numel()
    assert ((sums[differing] % 1 - 0.5).abs() < 1e-4).all()


def test_metric_whose_package_is_missing_is_left_out_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyfuse.metrics.catalogue.find_spec", lambda name: None)
    names = {metric.name for metric in computable_metrics("linfeng")}
    assert "FMI_wavelet" not in names
    assert {metric.name for metric in metrics_of("linfeng")} - names == {"FMI_wavelet"}
