"""MDLatLRR: against its definition written out patch by patch, its kernel, its norms, its options and its matrix."""

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from polyfuse.errors import UsageError
from polyfuse.families.classic import MDLatLRR
from polyfuse.families.classic.mdlatlrr import MDLatLRRConfig, detail, detail_kernel, nuclear_norms
from polyfuse.registry import FAMILIES, list_models, load
from polyfuse.scenes import SceneConfig, render_scene

SIDE = 16


def noise(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_patches(a: Tensor, b: Tensor, projection: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """Fused picture and last base of a, (H, W) float64, as the paper has it, one patch after the other."""
    matrix = projection.double().numpy()
    height, width = a.shape
    bases, details = [a.numpy(), b.numpy()], np.zeros((height, width))
    for _ in range(levels):
        padded = [np.pad(base, SIDE - 1, mode="edge") for base in bases]
        sums = [np.zeros_like(padded[0]) for _ in range(3)]
        for row, column in itertools.product(range(height + SIDE - 1), range(width + SIDE - 1)):
            part = (slice(row, row + SIDE), slice(column, column + SIDE))
            of_a, of_b = ((matrix @ x[part].reshape(-1)).reshape(SIDE, SIDE) for x in padded)
            norm_a, norm_b = (np.linalg.norm(x, "nuc") for x in (of_a, of_b))
            weight = norm_a / (norm_a + norm_b) if norm_a + norm_b > 0 else 0.5
            for total, patch in zip(sums, (of_a, of_b, weight * of_a + (1 - weight) * of_b), strict=True):
                total[part] += patch
        inside = slice(SIDE - 1, 1 - SIDE)
        detail_a, detail_b, fused = (total[inside, inside] / SIDE**2 for total in sums)
        bases = [bases[0] - detail_a, bases[1] - detail_b]
        details += fused
    return torch.from_numpy((bases[0] + bases[1]) / 2 + details), torch.from_numpy(bases[0])


def with_matrix(projection: Tensor, **options: int) -> MDLatLRR:
    model = MDLatLRR(MDLatLRRConfig(**options)).requires_grad_(False)
    model.projection = torch.nn.Parameter(projection, requires_grad=False)
    return model


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (19, 12)], ids=str)
@pytest.mark.parametrize("levels", [1, 3])
def test_fused_picture_is_the_one_by_patches(size: tuple[int, int], levels: int) -> None:
    a, b = noise(2, *size)
    projection = (noise(SIDE**2, SIDE**2, seed=1) - 0.5) / 20
    wanted, _ = by_patches(a, b, projection, levels)
    fused = with_matrix(projection, levels=levels, stride=1)(a[None, None], b[None, None])[0, 0]
    torch.testing.assert_close(fused, wanted, rtol=0, atol=1e-12)


def test_detail_is_one_correlation() -> None:
    model = load("mdlatlrr")
    assert isinstance(model, MDLatLRR)
    projection = model.projection
    a = noise(40, 70, seed=2)
    _, base = by_patches(a, a, projection, 1)
    found = detail(a[None, None].float(), detail_kernel(projection))[0, 0]
    torch.testing.assert_close(found.double(), a - base, rtol=0, atol=1e-5)


def test_detail_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from polyfuse.families.classic import mdlatlrr

    model = load("mdlatlrr")
    a, b = noise(2, 1, 1, 41, 87).float()
    whole = model(a, b)
    monkeypatch.setattr(mdlatlrr, "BLOCK", 7)
    torch.testing.assert_close(model(a, b), whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize("size", [(1, 1), (22, 31), (24, 17)], ids=str)
def test_norms_are_exact_on_their_grid_and_linear_between(size: tuple[int, int], stride: int) -> None:
    projection = (noise(SIDE**2, SIDE**2, seed=1) - 0.5) / 20
    x = noise(1, 1, *size, seed=3)
    all_norms, some = (nuclear_norms(x, projection, step) for step in (1, stride))
    assert all_norms.shape == some.shape == (1, 1, size[0] + SIDE - 1, size[1] + SIDE - 1)
    first = stride - 1  # the patch that starts `stride` before a multiple of 16 pixels before the picture
    on_grid = (..., slice(first, None, stride), slice(first, None, stride))
    torch.testing.assert_close(some[on_grid], all_norms[on_grid], rtol=0, atol=1e-12)
    half = stride // 2
    middle = some[..., first + half : 1 - SIDE + first : stride, first]
    here, there = some[..., first:-stride:stride, first], some[..., first + stride :: stride, first]
    count = min(middle.shape[-1], there.shape[-1])
    torch.testing.assert_close(
        middle[..., :count], ((here[..., : there.shape[-1]] + there) / 2)[..., :count], rtol=0, atol=1e-12
    )


def test_fewer_norms_change_little() -> None:
    scene = render_scene(SceneConfig(seed=0, width=64, height=48))
    a, b = (torch.from_numpy(np.asarray(x, np.float32)) / 255 for x in (scene.thermal, scene.visible.mean(axis=2)))
    wanted = load("mdlatlrr", config={"stride": 1})(a[None, None], b[None, None])
    for stride, worst, mean in ((2, 1.0, 0.05), (4, 3.0, 0.2)):
        off = 255 * (load("mdlatlrr", config={"stride": stride})(a[None, None], b[None, None]) - wanted).abs()
        assert off.max() < worst
        assert off.mean() < mean


def test_source_with_more_detail_has_the_larger_share() -> None:
    texture = 0.3 * (noise(1, 1, 48, 48).float() - 0.5)
    plain = torch.full_like(texture, 0.5)
    fused = load("mdlatlrr")(0.5 + texture, plain)
    shares = (fused - fused.mean()).flatten() @ texture.flatten() / texture.square().sum()
    assert shares > 0.75  # the average would leave half


def test_levels_draw_more_and_more_detail() -> None:
    texture = 0.3 * (noise(1, 1, 48, 48).float() - 0.5)
    plain = torch.full_like(texture, 0.5)
    spreads = [load("mdlatlrr", config={"levels": levels})(0.5 + texture, plain).std() for levels in (1, 2, 3, 4)]
    assert spreads == sorted(spreads)
    assert spreads[0] < 0.9 * spreads[-1]


def test_gradients_reach_both_sources() -> None:
    a, b = noise(2, 1, 1, 9, 14).requires_grad_()
    model = load("mdlatlrr")
    gradients = torch.autograd.grad(model(a, b).square().sum(), (a, b))
    assert all(torch.isfinite(gradient).all() and gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize(("name", "value"), [("levels", 0), ("levels", 5), ("stride", 3), ("stride", 8)])
def test_options_that_the_method_does_not_have_are_refused(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value}: use 1, 2"):
        MDLatLRRConfig(**{name: value})
    with pytest.raises(UsageError, match=f"{name} cannot be {value}: use 1 or 2"):
        load("mdlatlrr", config={name: value})


@pytest.mark.parametrize("config", [{"levels": 1}, {"stride": 2}], ids=str)
def test_reach_follows_the_options(config: dict[str, int]) -> None:
    model = MDLatLRR(MDLatLRRConfig(**config))
    model.load_state_dict(load("mdlatlrr").state_dict())
    a, b = noise(2, 1, 1, 70, 71).float()
    changed = a.clone()
    changed[..., 36, 34] += 10
    rows, columns = torch.nonzero((model(changed, b) != model(a, b))[0, 0], as_tuple=True)
    reach, stride = model.spec.receptive_radius, model.config.stride
    assert reach is not None
    # how far depends on where the pixel lies on the grid of norms
    assert reach - stride < max((rows - 36).abs().max(), (columns - 34).abs().max()) <= reach


def test_listed_once_with_its_weights() -> None:
    (entry,) = (entry for entry in list_models() if entry.family == "mdlatlrr")
    assert (entry.name, entry.needs_weights, FAMILIES["mdlatlrr"].learned) == ("mdlatlrr", False, False)
    assert entry.weights == "mdlatlrr.safetensors"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools/learn_mdlatlrr.py"
    spec = importlib.util.spec_from_file_location("learn_mdlatlrr", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_patches_are_drawn_of_both_kinds_and_alike_for_a_seed(tool: ModuleType) -> None:
    pictures = [0.5 + 0.004 * noise(20, 33), noise(17, 40, seed=1)]
    drawn = tool.draw_patches(pictures, 6, seed=4)
    assert drawn.shape == (SIDE**2, 12)
    assert (drawn[:, :6].std(dim=0) < tool.SMOOTH).all()
    assert (drawn[:, 6:].std(dim=0) >= tool.SMOOTH).all()
    assert torch.equal(drawn, tool.draw_patches(pictures, 6, seed=4))
    assert not torch.equal(drawn, tool.draw_patches(pictures, 6, seed=5))
    windows = torch.cat([functional.unfold(picture[None, None], SIDE)[0] for picture in pictures], dim=1)
    assert all((windows == patch[:, None]).all(dim=0).any() for patch in drawn.T)
