"""Both sides' adversarial losses, what discriminators see, and the balance of gradients."""

import math

import pytest
import torch

from polyfuse.families.daefuse.adversarial import (
    AdversarialForm,
    balanced_weight,
    discriminator_loss,
    equalising_weights,
    generator_loss,
    shown,
)

ZERO = torch.zeros(4)


def test_cross_entropy_at_logit_zero_is_log_two() -> None:
    assert generator_loss(ZERO).item() == pytest.approx(math.log(2))
    assert discriminator_loss(ZERO, ZERO).item() == pytest.approx(math.log(2))  # with the smoothed label, too


def test_cross_entropy_has_the_smoothed_label_for_sources_alone() -> None:
    real, fake = torch.tensor([1.5]), torch.tensor([-0.5])
    log_real, log_not_real = math.log(1 / (1 + math.exp(-1.5))), math.log(1 / (1 + math.exp(1.5)))
    log_not_fake = math.log(1 / (1 + math.exp(-0.5)))
    expected = -(0.9 * log_real + 0.1 * log_not_real + log_not_fake) / 2
    assert discriminator_loss(real, fake).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("form", "of_discriminator", "of_generator"),
    [("lsgan", (0.6**2 + 0.5**2) / 2, 0.5**2), ("hinge", (0.7 + 1.5) / 2, -0.5)],
)
def test_other_forms_have_their_worked_values(
    form: AdversarialForm, of_discriminator: float, of_generator: float
) -> None:
    real, fake = torch.tensor([0.3]), torch.tensor([0.5])
    assert discriminator_loss(real, fake, form).item() == pytest.approx(of_discriminator)
    assert generator_loss(fake, form).item() == pytest.approx(of_generator)


def test_hinge_leaves_sure_logits_alone() -> None:
    assert discriminator_loss(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -3.0]), "hinge") == 0


@pytest.mark.parametrize("form", ["bce", "lsgan", "hinge"])
def test_each_side_pulls_its_own_way(form: AdversarialForm) -> None:
    real, fake = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    of_real, of_fake = torch.autograd.grad(discriminator_loss(real, fake, form), (real, fake))
    assert (of_real < 0).all()  # descending raises what is said of sources
    assert form == "lsgan" or (of_fake > 0).all()  # squares from 0 are smallest here
    (of_fake,) = torch.autograd.grad(generator_loss(fake, form), fake)
    assert (of_fake < 0).all()


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.rand(2, 1, 20, 18, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_image_view_is_the_picture(picture) -> None:
    assert shown(picture, "a", "image") is picture


@pytest.mark.parametrize("source", ["a", "b"])
def test_detail_view_is_twice_what_the_blur_takes(source: str, picture) -> None:
    offsets = torch.arange(-6.0, 7.0, dtype=torch.float64)
    line = torch.exp(-(offsets**2) / 8)
    line /= line.sum()
    inside = picture[..., 1:14, 2:15]  # the 13 x 13 pixels around row 7, column 8
    blurred = (inside * torch.outer(line, line)).sum(dim=(-2, -1))
    torch.testing.assert_close(shown(picture, source, "detail")[..., 7, 8], 2 * (picture[..., 7, 8] - blurred))


def test_structure_view_parts_the_picture_between_both(picture) -> None:
    blurred, detail = shown(picture, "a", "structure"), shown(picture, "b", "structure")
    torch.testing.assert_close(blurred + detail / 2, picture)
    assert torch.equal(detail, shown(picture, "b", "detail"))


def test_detail_source_exchanges_the_views(picture) -> None:
    assert torch.equal(shown(picture, "a", "structure", "a"), shown(picture, "b", "structure", "b"))
    assert torch.equal(shown(picture, "b", "structure", "a"), shown(picture, "a", "structure", "b"))


def test_details_of_a_constant_are_nothing_up_to_the_border() -> None:
    flat = torch.full((1, 1, 16, 16), 0.7)
    torch.testing.assert_close(shown(flat, "a", "detail"), torch.zeros_like(flat), rtol=0, atol=1e-6)


def test_balance_is_the_formula_of_known_gradients() -> None:
    output = torch.zeros(2, requires_grad=True)
    made = output * 1
    content, adversarial = (made * torch.tensor([3.0, 4.0])).sum(), (made * torch.tensor([0.0, 2.0])).sum()
    assert balanced_weight(content, adversarial, made, share=0.1).item() == pytest.approx(0.1 * 5 / 2, abs=1e-6)
    assert balanced_weight(content, adversarial, made, share=1.0, largest=0.5).item() == 0.5


def test_balance_takes_several_outputs_together() -> None:
    made = [torch.zeros(1, requires_grad=True) * 1, torch.zeros(1, requires_grad=True) * 1]
    content, adversarial = 3 * made[0].sum() + 4 * made[1].sum(), 10 * made[1].sum()
    assert balanced_weight(content, adversarial, made).item() == pytest.approx(0.1 * 5 / 10, abs=1e-6)


def test_balance_without_adversarial_gradient_is_the_largest_weight() -> None:
    made = torch.zeros(2, requires_grad=True) * 1
    assert balanced_weight(made.sum(), 0 * made.sum(), made, largest=0.7).item() == pytest.approx(0.7)


def test_balance_is_a_constant_and_keeps_the_graph() -> None:
    output = torch.ones(2, requires_grad=True)
    made = output**2
    content, adversarial = made.sum(), (2 * made).sum()
    weight = balanced_weight(content, adversarial, made)
    assert not weight.requires_grad
    (content + weight * adversarial).backward()
    torch.testing.assert_close(output.grad, 2 * (1 + 2 * weight) * torch.ones(2))


def test_equalising_weights_favour_the_loss_that_lags() -> None:
    assert equalising_weights(torch.tensor([1.0, 3.0])).tolist() == [0.5, 1.5]
    assert equalising_weights(torch.tensor([0.1, 0.1, 5.8])).tolist() == [0.5, 0.5, 2.0]
