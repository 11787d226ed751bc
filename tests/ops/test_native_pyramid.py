"""The compiled filters equal their PyTorch forms to the bit, whatever the instructions, the bands and the size."""

import pytest
import torch
from torch import Tensor

from polyfuse.ops import native_pyramid
from polyfuse.ops.native_kernels import instruction_set, kernel
from polyfuse.ops.pyramid import blur, expand, shrink

pytestmark = pytest.mark.skipif(kernel("pyramid") is None, reason="the package was built without a compiler")
SIZES = [(1, 1), (1, 6), (6, 1), (2, 3), (3, 2), (5, 5), (16, 33), (131, 150)]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=native_pyramid.SETS)
def instructions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one set that is taken."""
    name: str = request.param
    monkeypatch.setattr(native_pyramid, "SETS", (name,))
    if instruction_set("pyramid", (name,)) is None:
        pytest.skip(f"this processor has no {name}")
    return name


def plain(function, *args, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """What PyTorch makes of it."""
    with monkeypatch.context() as patch:
        patch.setattr(native_pyramid, "takes", lambda *_: False)
        made: Tensor = function(*args)
    return made


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.usefixtures("instructions")
def test_filters_are_equal_to_the_bit(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    x = random(2, 3, *size) - 0.4
    assert native_pyramid.takes(x)
    for function in (blur, shrink):
        assert torch.equal(function(x), plain(function, x, monkeypatch=monkeypatch))
    smaller = shrink(x)
    assert torch.equal(expand(smaller, x.shape), plain(expand, smaller, x.shape, monkeypatch=monkeypatch))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.usefixtures("instructions")
def test_energies_and_combination_are_their_definitions(size: tuple[int, int]) -> None:
    a, b = random(2, 1, *size), random(2, 1, *size, seed=1)
    low_a, low_b = shrink(a), shrink(b)
    x, y = a - expand(low_a, a.shape), b - expand(low_b, b.shape)
    found = native_pyramid.energies(a, b, low_a, low_b)
    torch.testing.assert_close(found, shrink(torch.cat([x * x, y * y, x * y], dim=1)), rtol=1e-6, atol=1e-9)
    factors, fused = random(2, 2, *low_a.shape[-2:], seed=2), random(*low_a.shape, seed=3)
    of_a, of_b = expand(factors, a.shape).split(1, dim=1)
    made = native_pyramid.combine(a, b, low_a, low_b, fused, factors)
    torch.testing.assert_close(made, of_a * x + of_b * y + expand(fused, a.shape), rtol=0, atol=5e-7)


@pytest.mark.parametrize("count", [2, 5])
def test_bands_of_rows_give_the_bits_of_the_whole(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = random(1, 1, 151, 160), random(1, 1, 151, 160, seed=1)

    def everything() -> list[Tensor]:
        low_a, low_b = shrink(a), shrink(b)
        factors = torch.cat([low_a, low_b], dim=1)
        combined = native_pyramid.combine(a, b, low_a, low_b, low_a, factors)
        return [blur(a), low_a, expand(low_a, a.shape), native_pyramid.energies(a, b, low_a, low_b), combined]

    whole = everything()
    monkeypatch.setattr(native_pyramid, "threads", lambda: count)
    assert len(native_pyramid._bands(1, (151, 160))) == count
    assert all(torch.equal(*pair) for pair in zip(whole, everything(), strict=True))


def test_parts_of_larger_tensors_are_read_as_they_are() -> None:
    wide = random(1, 4, 20, 40)
    part = wide[:, 1:3, 3:17, 5:30]
    assert torch.equal(shrink(part), shrink(part.contiguous()))


def test_what_needs_a_gradient_or_other_numbers_is_left_to_pytorch() -> None:
    x = random(1, 1, 8, 8)
    assert native_pyramid.takes(x)
    assert not native_pyramid.takes(x.double())
    assert not native_pyramid.takes(x[:, :, :0])
    learnt = x.clone().requires_grad_(True)
    assert not native_pyramid.takes(x, learnt)
    shrink(learnt).sum().backward()
    assert learnt.grad is not None
    with torch.no_grad():
        assert native_pyramid.takes(learnt)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1, 4, 4\) is not half of \(9, 8\)"):
        native_pyramid.expand(random(1, 1, 4, 4), torch.Size((9, 8)))
