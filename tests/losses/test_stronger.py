"""The stronger source as a loss: nothing is lost by a copy of it, noise is no structure, gradients are right."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from polyfuse.losses.stronger import SMALLEST, StrongerTerms, noise_variance, stronger_loss, stronger_terms
from polyfuse.ops.pyramid import blur

SIDE = 64


def picture(seed: int, side: int = SIDE, dtype: torch.dtype = torch.float64) -> Tensor:
    """A smooth random picture, (1, 1, side, side)."""
    return blur(torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def flat(value: float = 0.5) -> Tensor:
    return torch.full((1, 1, SIDE, SIDE), value, dtype=torch.float64)


def test_copy_of_the_only_source_with_structure_loses_none_of_it() -> None:
    a = picture(0)
    terms = stronger_terms(a, a, flat(0.2))
    assert terms.structure.item() < 1e-12
    assert terms.weaker > 0
    assert terms.base < 1e-12


def test_the_source_of_more_contrast_decides_whichever_it_is() -> None:
    a, b = picture(0), 0.5 + 0.2 * (picture(1) - 0.5)
    for one, other in ((a, b), (b, a)):
        assert stronger_terms(a, one, other).structure < 0.02 < 0.5 < stronger_terms(b, one, other).structure
        assert stronger_terms(b, one, other).weaker < stronger_terms(a, one, other).weaker


def test_worked_values() -> None:
    """Flat sources of unequal brightness: likeness is 1, the base is off by what is missing of the brighter one."""
    terms = stronger_terms(flat(0.4), flat(0.3), flat(0.7))
    values = [x.item() for x in (terms.structure, terms.weaker, terms.base)]
    assert values == pytest.approx([0, 0, 0.3], abs=1e-9)
    # a picture that is half as strong: 1 - (2 v / 2 + C) / (v / 4 + v + C), near 1 - 1 / 1.25 for large v
    board = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)).remainder(2).double()[None, None]
    unlike = stronger_terms(0.5 * board, board, flat(0.0)).structure.item()
    finest = 1 - (0.25 + 2e-4) / (0.25 / 4 + 0.25 + 2e-4)
    assert unlike == pytest.approx(finest / 4, rel=0.02)  # means of 2x2 leave the other three scales flat


def test_noise_is_not_taken_for_structure() -> None:
    grain = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wave = 0.5 + 0.1 * torch.sin(torch.arange(SIDE) / 4.0).double().expand(1, 1, SIDE, SIDE)
    noisy = 0.5 + 0.08 * grain
    assert noise_variance(noisy).item() == pytest.approx(0.08**2, rel=0.15)
    assert noise_variance(wave).item() < 1e-6
    assert stronger_terms(wave, wave, noisy).structure < 0.1
    assert stronger_terms(noisy, wave, noisy).structure > 0.5


@pytest.mark.parametrize("name", ["structure", "weaker", "base", "excess", "calm"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    a, b = picture(0, SMALLEST), picture(1, SMALLEST)
    fused = (2.6 * a + 0.3 * b - 0.9).requires_grad_()  # beyond 0 and 1 in places
    (gradient,) = torch.autograd.grad(getattr(stronger_terms(fused, a, b), name), fused)
    for seed in range(3):
        way = torch.randn(fused.shape, generator=torch.Generator().manual_seed(seed), dtype=fused.dtype)
        ahead, behind = (getattr(stronger_terms(fused + step * way, a, b), name) for step in (1e-6, -1e-6))
        slope = (ahead - behind).item() / 2e-6
        assert (gradient * way).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_flat_pictures_have_finite_gradients() -> None:
    fused = torch.full((2, 1, SIDE, SIDE), 0.3, requires_grad=True)
    terms = stronger_terms(fused, torch.zeros_like(fused), torch.ones_like(fused))
    (gradient,) = torch.autograd.grad(terms.structure + terms.weaker + terms.base, fused)
    assert gradient.isfinite().all()


def test_a_batch_counts_as_one_picture_however_it_is_shared_out() -> None:
    a, b = torch.cat([picture(0), 0.2 * picture(1)]), torch.cat([0.1 * picture(2), picture(3)])
    fused, shares = (a + b) / 2, (slice(0, 1), slice(1, 2))
    seen: list[list[Tensor]] = [[], []]

    def noted(share: int) -> None:
        def note(mean: Tensor) -> Tensor:
            seen[share].append(mean)
            return mean

        part = shares[share]
        stronger_terms(fused[part], a[part], b[part], batch_mean=note)

    noted(0)
    noted(1)
    means = [(x + y) / 2 for x, y in zip(*seen, strict=True)]

    def shared(part: slice) -> StrongerTerms:
        given: Iterator[Tensor] = iter(means)
        return stronger_terms(fused[part], a[part], b[part], batch_mean=lambda _: next(given))

    whole, halves = stronger_terms(fused, a, b), [shared(part) for part in shares]
    for name in ("structure", "weaker", "base", "excess", "calm"):
        torch.testing.assert_close(sum(getattr(half, name) for half in halves) / 2, getattr(whole, name))


def test_a_base_is_free_where_a_source_has_structure() -> None:
    dark, bright = picture(0) - picture(0).mean() + 0.3, flat(0.9)
    over_structure = stronger_terms(dark, dark, bright).base
    over_flat = stronger_terms(flat(0.3), flat(0.3), bright).base
    assert over_flat.item() == pytest.approx(0.6, abs=1e-9)
    torch.testing.assert_close(over_structure, over_flat, rtol=0.1, atol=0)  # all blocks alike: the mean of the weights
    half = torch.cat([dark[..., : SIDE // 2], flat(0.9)[..., SIDE // 2 :]], dim=-1)
    source = torch.cat([dark[..., : SIDE // 2], flat(0.3)[..., SIDE // 2 :]], dim=-1)
    assert stronger_terms(half, source, bright).base < 0.3 * over_flat


def test_what_would_be_cut_off_is_told() -> None:
    assert stronger_terms(picture(0), picture(0), flat()).excess == 0
    assert stronger_terms(flat(1.25), flat(), flat()).excess.item() == pytest.approx(0.25)
    assert stronger_terms(flat(-0.5), flat(), flat()).excess.item() == pytest.approx(0.5)


def test_calm_is_the_noise_that_the_calmer_source_does_not_have() -> None:
    grain = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noisy, still = 0.5 + 0.04 * grain, flat()
    assert stronger_terms(still, noisy, still).calm < 2e-4
    assert stronger_terms(still, still, noisy).calm < 2e-4
    kept, half = (stronger_terms(0.5 + share * grain, noisy, still).calm.item() for share in (0.04, 0.02))
    assert kept == pytest.approx(0.03, rel=0.15)  # deviations of 0.04, and half of that in the mean of 2x2
    assert half == pytest.approx(kept / 2, rel=0.01)
    # where a source has structure, texture is no noise
    assert stronger_terms(picture(0), picture(0), still).calm < 0.1 * stronger_terms(picture(0), still, still).calm


def test_what_is_cut_off_is_missing_from_the_structure() -> None:
    board = 0.2 * (torch.arange(SIDE)[:, None] // 4 + torch.arange(SIDE) // 4).remainder(2).double()[None, None]
    shown, cut = (stronger_terms(base + board, board, flat()).structure.item() for base in (0.4, 0.95))
    assert shown < 1e-9
    assert cut > 0.3


def test_the_loss_is_the_terms_in_their_shares() -> None:
    a, b = picture(0), picture(1)
    fused = 1.5 * a - 0.3
    terms = stronger_terms(fused, a, b)
    wanted = terms.structure + 0.35 * terms.weaker + 0.1 * terms.base + 30 * terms.excess + 1.5 * terms.calm
    torch.testing.assert_close(stronger_loss(fused, a, b), wanted)
