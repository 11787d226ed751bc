"""What PyrFuse promises for any weights and any input, and how it looks before training."""

import json
import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from polyfuse import fuse, load
from polyfuse.errors import InputError, UsageError
from polyfuse.families.classic import Laplacian
from polyfuse.families.pyrfuse import PyrFuse, PyrFuseConfig, PyrFuseTConfig
from polyfuse.families.pyrfuse.explained import PyrFuseFindings, find
from polyfuse.families.pyrfuse.looks import Look
from polyfuse.families.pyrfuse.pieces import Level
from polyfuse.families.pyrfuse.slope import Sources, Standing, slopes_of, standings_of, window
from polyfuse.losses.stronger import stronger_loss
from polyfuse.ops.pyramid import blur, expand, shrink
from polyfuse.ops.visibility import kept_share, scales, stronger, visibility
from polyfuse.scenes import SceneConfig, render_scene
from polyfuse.weights.store import WeightsInfo, save_weights

SMALL = PyrFuseConfig(levels=3, channels=4, context=3)
LOOKING = PyrFuseConfig(levels=3, channels=4, context=3, looks=2)
SIZES = [(1, 1), (1, 9), (7, 2), (17, 33), (16, 24), (97, 130)]
ROUNDING = 2e-6


def last_of(convolutions: nn.Sequential) -> nn.Conv2d:
    """The pointwise convolution at the end."""
    return cast(nn.Conv2d, convolutions[-1])


def fresh(config: PyrFuseConfig | None = None, *, loud: bool = False) -> PyrFuse:
    """A network of seeded weights; loud ones correct by as much as the energies say."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = PyrFuse(config)
        if loud:
            for part in (model, *model.looks):
                for last in (last_of(part.detail), last_of(part.base)):
                    for parameter in last.parameters():
                        nn.init.normal_(parameter)
    return model.eval().requires_grad_(False)


@pytest.fixture(params=[PyrFuseConfig(), SMALL, LOOKING], ids=str)
def model(request: pytest.FixtureRequest) -> PyrFuse:
    return fresh(request.param, loud=True)


def random_pair(*shape: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, *shape, generator=torch.Generator().manual_seed(5))
    return a, b


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_any_size_works_and_the_pictures_of_a_batch_do_not_touch(model: PyrFuse, size: tuple[int, int]) -> None:
    a, b = random_pair(2, 1, *size)
    both = model(a, b)
    assert (both.shape, both.dtype) == (a.shape, torch.float32)
    # sums may be ordered otherwise for a batch
    torch.testing.assert_close(both[1:], model(a[1:], b[1:]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_detail_of_a_source_is_amplified_and_nothing_else_is_added(model: PyrFuse, size: tuple[int, int]) -> None:
    a, b = random_pair(1, 1, *size)
    made = model.fuse(a, b)
    fused = made.base_weight * made.levels[-1].coarser_a + (1 - made.base_weight) * made.levels[-1].coarser_b
    for level, choice in zip(reversed(made.levels), reversed(made.choices), strict=True):
        for factor in (choice.factor_a, choice.factor_b):
            assert 0 <= factor.min() <= factor.max() <= 1 + 1e-6
        both = (1 + choice.kept) / (1 + choice.kept * choice.alike)
        torch.testing.assert_close(choice.factor_a + choice.factor_b, both, rtol=0, atol=ROUNDING)
        detail = choice.factor_a * level.detail_a + choice.factor_b * level.detail_b
        fused = detail + expand(fused, detail.shape)
    torch.testing.assert_close(made.fused, fused, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_identical_sources_come_back_whatever_the_weights(model: PyrFuse, size: tuple[int, int]) -> None:
    a, _ = random_pair(1, 1, *size)
    torch.testing.assert_close(model(a, a), a, rtol=0, atol=ROUNDING)


def test_details_without_anything_in_common_are_both_kept() -> None:
    model = fresh()
    a, b = torch.full((1, 1, 64, 64), 0.5), torch.full((1, 1, 64, 64), 0.5)
    a[..., :20, :] += 0.2 * random_pair(1, 1, 20, 64)[0]
    b[..., 44:, :] += 0.2 * random_pair(1, 1, 20, 64)[1]
    fused = model(a, b)
    for source, rows in ((a, slice(0, 16)), (b, slice(48, 64))):
        joint = torch.stack([fused[0, 0, rows].flatten(), source[0, 0, rows].flatten()])
        assert torch.corrcoef(joint)[0, 1] > 0.98
        assert fused[0, 0, rows].std() > 0.9 * source[0, 0, rows].std()


def test_constant_sources_give_a_constant_between_them(model: PyrFuse) -> None:
    a, b = torch.full((1, 1, 40, 37), 0.2), torch.full((1, 1, 40, 37), 0.7)
    fused = model(a, b)
    assert 0.2 - 1e-6 <= fused.min() <= fused.max() <= 0.7 + 1e-6
    assert fused.max() - fused.min() < 1e-5


def test_fresh_network_keeps_more_structure_than_the_laplacian_pyramid() -> None:
    a, b = drawn_pair()
    kept = {}
    for name, network in (("fresh", fresh()), ("laplacian", Laplacian())):
        fused = network(a, b)[0].clamp(0, 1)
        of_fused, of_a, of_b = (scales(x.double()) for x in (fused, a[0], b[0]))
        strongest = [stronger(x, y) for x, y in zip(of_a, of_b, strict=True)]
        shares = [kept_share(*each) for each in zip(of_fused, of_a, of_b, strongest, strict=True)]
        kept[name] = float(visibility(shares, strongest).kept)
    assert kept["fresh"] > kept["laplacian"] > 0.3


@pytest.mark.parametrize(("levels", "looks"), [(3, 0), (4, 0), (3, 1), (4, 1), (3, 2)])
def test_pixel_reaches_as_far_as_declared_and_no_further(levels: int, looks: int) -> None:
    model = fresh(PyrFuseConfig(levels=levels, channels=4, context=2, looks=looks))
    radius = model.spec.receptive_radius
    assert radius is not None
    width, reached = 2 * radius + 2 ** (levels + 1) + 40, 0
    for place in range(radius + 9, radius + 9 + 2**levels):  # every place on the coarse grid
        for source in (0, 1):
            pair = torch.rand(2, 1, 1, 1, width)
            pair[source, ..., place] = torch.nan  # what it touches is no number, however little it would change
            touched = model(*pair)[0, 0, 0].isnan().nonzero()
            reached = max(reached, int((touched - place).abs().max()))
    assert reached == radius


def test_halo_covers_the_reach_in_whole_steps_of_the_grid(model: PyrFuse) -> None:
    spec = model.spec
    assert spec.halo % spec.multiple_of == 0
    assert spec.receptive_radius is not None
    assert spec.blended is (model.config.looks > 0)
    if not spec.blended:
        assert 0 <= spec.halo - spec.receptive_radius < spec.multiple_of == 2**model.config.levels


def test_tiles_of_a_model_with_looks_are_no_larger_than_a_window_and_blended() -> None:
    spec = fresh(PyrFuseConfig(looks=3)).spec
    assert spec.receptive_radius == 472 + 3 * 416
    assert (spec.halo, spec.blended) == (256, True)


def test_declared_multiply_accumulates_are_those_that_are_counted(model: PyrFuse) -> None:
    with FlopCounterMode(display=False) as counter:
        model(*random_pair(1, 1, 512, 512))
    counted = counter.get_total_flops() / 2 / 512**2
    assert model.spec.macs_per_pixel == round(counted)


@pytest.mark.parametrize("keep_black", [False, True])
def test_black_in_both_stays_exactly_black_if_asked_for(keep_black: bool) -> None:
    model, (a, b) = fresh(PyrFuseConfig(keep_black=keep_black), loud=True), random_pair(1, 1, 40, 40)
    a[..., 10:20], b[..., 5:15] = 0, 0
    black = (a == 0) & (b == 0)
    fused = model(a, b)
    assert (fused[black].abs().max().item() == 0) is keep_black
    assert (fused[~black] != 0).all()


def test_tiled_picture_is_the_whole_one(rng: np.random.Generator) -> None:
    a, b = rng.random((2, 21, 517), dtype=np.float32)
    model = fresh(SMALL, loud=True)
    whole, tiled = fuse(a, b, model=model, memory=1 << 40), fuse(a, b, model=model, tile=100)
    assert (whole.record["run"]["tiles"], tiled.record["run"]["tiles"] > 1) == (1, True)
    np.testing.assert_allclose(tiled.image, whole.image, rtol=0, atol=1e-5)


def test_configuration_round_trips_and_weights_make_the_network_they_hold(tmp_path: Path) -> None:
    config = PyrFuseConfig(levels=4, channels=6, context=2, keep_black=True)
    assert PyrFuseConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    model, path = fresh(config), tmp_path / "w.safetensors"
    save_weights(path, model.state_dict(), WeightsInfo("pyrfuse.test", "pyrfuse", model.configuration()))
    loaded = load("auto", weights=path)
    assert (loaded.spec.family, loaded.configuration()) == ("pyrfuse", config.to_json())
    pair = random_pair(1, 1, 20, 30)
    with torch.no_grad():
        assert torch.equal(loaded(*pair), model(*pair))


@pytest.mark.parametrize(
    "wrong", [{"levels": 2}, {"levels": 9}, {"channels": 0}, {"context": 0}, {"levels": 4.0}, {"looks": -1}]
)
def test_configuration_of_no_network_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"correct (it|them)\."):
        PyrFuseConfig(**wrong)


def test_sources_of_two_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(1, 1, 4, 4\) and b \(1, 1, 4, 5\)"):
        fresh(SMALL)(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 5))


def test_explained_names_are_the_documented_ones_and_the_picture_is_the_networks(model: PyrFuse) -> None:
    a, b = random_pair(1, 1, 21, 30)
    explained = model.explain(a, b)
    named = set(re.findall(r'"([a-z_]+?)(?:_0)?"', PyrFuse.explain.__doc__ or ""))
    assert {re.sub(r"_\d$", "", name) for name in explained} == named
    assert torch.equal(explained["fused"], model(a, b))
    assert explained["weight_1"].shape == (1, 1, 11, 15)


def test_shares_say_which_source_gave_the_detail() -> None:
    flat, textured = torch.full((1, 1, 32, 32), 0.5), random_pair(1, 1, 32, 32)[0]
    findings = find(fresh(), textured, flat)
    assert isinstance(findings, PyrFuseFindings)
    numbers = json.loads(json.dumps(findings.numbers()))
    assert len(numbers["levels"]) == 5
    assert all(level["share_of_a"] > 0.99 for level in numbers["levels"][:3])
    other = find(fresh(), flat, textured).numbers()
    assert all(level["share_of_a"] < 0.01 for level in other["levels"][:3])
    assert find(fresh(), flat, flat).share_of_a(0) == 0.5


def drawn_pair(seed: int = 1) -> tuple[Tensor, Tensor]:
    """A drawn scene, heat and luma, (1, 1, 128, 192) each."""
    scene = render_scene(SceneConfig(width=192, height=128, seed=seed))
    luma = scene.visible @ np.array([0.299, 0.587, 0.114])
    a, b = (torch.from_numpy(x.astype(np.float32) / np.iinfo(scene.visible.dtype).max) for x in (scene.thermal, luma))
    return a[None, None], b[None, None]


def lost_at(fused: Tensor, a: Tensor, b: Tensor, *, sees_noise: bool) -> Tensor:
    """What is lost at one level as spec pyrfuse 8 states it, summed over the places of the coarser grid."""
    fused_mean, a_mean, b_mean = (window(x) for x in (fused, a, b))
    variance, of_a, of_b = (window(x * x) - m * m for x, m in ((fused, fused_mean), (a, a_mean), (b, b_mean)))
    total = torch.zeros_like(fused_mean)
    for source, mean, own, other in ((a, a_mean, of_a, of_b), (b, b_mean, of_b, of_a)):
        sure = torch.sigmoid(4 * torch.log((own + 1e-5) / (other + 1e-5)))
        weight = (0.35 + 0.65 * sure) * (own + 1e-6 + 9e-6 * sure).sqrt()
        covariance = window(fused * source) - fused_mean * mean
        total = total + weight * (1 - (2 * covariance + 2e-4) / (variance + own + 2e-4))
    if sees_noise:
        more = (variance - torch.minimum(of_a, of_b)).clamp_min(0)
        flat = 1e-4 / (1e-4 + torch.maximum(of_a, of_b))
        total = total + 0.18 * flat * (more + 2e-5) / (more + 1e-5).sqrt()
    return total.sum()


@pytest.mark.parametrize("sees_noise", [False, True])
def test_slope_is_half_the_gradient_of_what_is_lost_away_from_the_border(sees_noise: bool) -> None:
    a, b = (x.double() for x in drawn_pair())
    fused = (0.6 * a + 0.4 * b + 0.02 * torch.rand(a.shape, generator=torch.Generator().manual_seed(2))).double()
    fused.requires_grad_()
    (gradient,) = torch.autograd.grad(lost_at(fused, a, b, sees_noise=sees_noise), fused)
    with torch.no_grad():
        slope = Standing.of(fused, Sources.of(a, b, Level.of(a, b)), sees_noise=sees_noise).slope
    inside = (..., slice(16, -16), slice(16, -16))
    # a grid of half the size has a quarter of the places
    torch.testing.assert_close(slope[inside], 2 * gradient[inside], rtol=1e-6, atol=1e-9)
    assert gradient[inside].abs().max() > 0.01


def test_rounding_decides_no_picture() -> None:
    model, pair = fresh(PyrFuseConfig(looks=2), loud=True), drawn_pair()
    exact = model.double()(*(x.double() for x in pair))
    assert (model.float()(*pair) - exact).abs().max() < 1e-3  # a quarter of a grey level
    assert (model.float()(*pair) - exact).abs().mean() < 1e-5


def test_slope_turns_back_what_lies_beyond_black_and_white() -> None:
    a, b = drawn_pair()
    fused = (a + b) / 2
    fused[..., 40:44, 40:44], fused[..., 80:84, 80:84] = 1.1, -0.1
    sources = [Sources.of(a, b, Level.of(a, b))]
    slopes = slopes_of([fused], standings_of([fused], sources))
    inside = slopes_of([fused.clamp(0, 1)], standings_of([fused.clamp(0, 1)], sources))
    assert (slopes[0] - inside[0])[..., 40:44, 40:44].min() > 1
    assert (slopes[0] - inside[0])[..., 80:84, 80:84].max() < -1


def test_each_fresh_look_leaves_less_lost_than_the_one_before() -> None:
    losses, pairs = [], [drawn_pair(seed) for seed in (1, 2, 5)]
    for looks in range(4):
        model = fresh(PyrFuseConfig(looks=looks))
        for look in cast("list[Look]", list(model.looks)):
            for last in (last_of(look.detail), last_of(look.base)):  # the plain step alone
                nn.init.zeros_(last.weight)
        losses.append(sum(float(stronger_loss(model(a, b), a, b)) for a, b in pairs) / len(pairs))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.97 * losses[0]


def test_pyrfuse_t_takes_no_further_looks() -> None:
    with pytest.raises(UsageError, match="no further looks, 1 are asked for"):
        PyrFuseTConfig(looks=1)


@pytest.mark.parametrize("step", [blur, shrink])
def test_pyramid_treats_each_channel_by_itself_and_keeps_constants(step) -> None:
    x = random_pair(2, 3, 13, 10)[0]
    torch.testing.assert_close(step(x)[:, 1:2], step(x[:, 1:2]), rtol=0, atol=ROUNDING)
    smaller = shrink(x)
    torch.testing.assert_close(expand(smaller, x.shape)[:, 1:2], expand(smaller[:, 1:2], x.shape), rtol=0, atol=1e-6)
    flat = torch.full((1, 2, 9, 7), 0.3)
    torch.testing.assert_close(expand(shrink(flat), flat.shape), flat, rtol=0, atol=ROUNDING)
